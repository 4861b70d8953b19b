"""Ordered categories: which labels have an order, and that a model keeps to it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import npvae as nv
from npvae import tables
from npvae.tables.answers import DEGREES, NEUTRAL, POLES, SCALES
from npvae.tables.scales import order_of, words_of

N = 300


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale[0][0])
def test_scales(scale):
    """In each of their wordings, none of which stands at two steps."""
    for i in range(max(map(len, scale))):
        labels = [step[i % len(step)] for step in scale]
        assert order_of(reversed(labels)) == labels
    words = [words_of(word) for step in scale for word in step]
    assert len(set(words)) == len(words)


def test_words_of_scales_mean_one_thing():
    assert not NEUTRAL & POLES.keys()
    assert not POLES.keys() & DEGREES.keys() - {"much", "no", "stark"}


ANSWERS = """
completely disagree < somewhat disagree < neither agree nor disagree < somewhat agree < fully agree
not at all satisfied < not very satisfied < fairly satisfied < very satisfied
not important < slightly important < moderately important < important < very important
very unhappy < unhappy < so-so < happy < very happy
much worse < slightly worse < about the same < slightly better < much better
low risk < medium risk < high risk
Risk: low < Risk: moderate < Risk: very high
strongly_disagree < disagree < agree < strongly_agree
Strongly Disagree (1) < Disagree (2) < Neutral (3) < Agree (4) < Strongly Agree (5)
stimme überhaupt nicht zu < stimme eher nicht zu < teils/teils < stimme eher zu < stimme zu
trifft gar nicht zu < trifft nicht zu < weder noch < trifft zu < trifft völlig zu
sehr unzufrieden < eher unzufrieden < eher zufrieden < sehr zufrieden
pas du tout d'accord < plutôt pas d'accord < plutôt d’accord < tout à fait d'accord
très insatisfaite < insatisfaite < ni satisfaite ni insatisfaite < satisfaite < très satisfaite
totalmente en desacuerdo < en desacuerdo < de acuerdo < totalmente de acuerdo
molto basso < basso < medio < alto < molto alto
zeer slecht < slecht < goed < zeer goed
低 < 中 < 高
Stage I < Stage IIa < Stage IIb < Stage III < Stage IV
NYHA II < NYHA III < NYHA IV
priority 1 < priority 2 < priority 10
1 - not at all < 2 < 3 < 4 < 5 - very much
bis 17 < 18 bis 34 < 35 und älter
<1h < 1-2h < >2h
10-19 kg < 20-29 kg < 30-39 kg
0 < 1-2 < 3-5 < 6+
none < 1-2 children < 3 or more children
0 < 1 < 2 < 3+
B- < B < A < A+
BB+ < BBB- < A < AAA
"""


@pytest.mark.parametrize("line", ANSWERS.strip().split("\n"))
def test_answers_of_other_wordings(line):
    labels = line.split(" < ") if "<1h" not in line else ["<1h", "1-2h", ">2h"]
    assert order_of(sorted(labels)) == labels


NAMES = """
red, low, high | A, B, C | A, B, AB, O | I, II, III | Q1, Q2, Q3, Q4 | store 1, store 2, store 3
agree, yes, red | strongly agree, very agree, agree | mostly agree, somewhat agree, agree
low, lo, high | 1, 2, Paris | 1, 2, 4 | 1-2 cats, 3-4 dogs, 5-6 cats
stage 1, grade 2, stage 3 | stage I, stage 1, stage II | never married, married, divorced
Mo, Tu, We | 1 - low, 2 - low, 3 - high
"""


@pytest.mark.parametrize("names", re.split(r"\s*[|\n]\s*", NAMES.strip()))
def test_names_have_no_order(names):
    assert order_of(names.split(", ")) is None


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["High", "LOW", "medium"], ["LOW", "medium", "High"]),
        (["10-19", "0-9", "20-29"], ["0-9", "10-19", "20-29"]),
        (["35+", "18–34", "under 18"], ["under 18", "18–34", "35+"]),
        (["65 and over", "<18", "18 to 64"], ["<18", "18 to 64", "65 and over"]),
        (["2019-2020", "2018-2019", "2020-2021"], ["2018-2019", "2019-2020", "2020-2021"]),
        (["XL", "S", "M"], ["S", "M", "XL"]),
        (["3 = high", "1 = low", "2 = medium"], ["1 = low", "2 = medium", "3 = high"]),
        (["(0, 1.5]", "(-2, 0]", "(1.5, inf]"], ["(-2, 0]", "(0, 1.5]", "(1.5, inf]"]),
        (["45 or older", "18 - 24", "25 - 44"], ["18 - 24", "25 - 44", "45 or older"]),
        (
            ["65 years or older", "Younger than 18", "18-64"],
            ["Younger than 18", "18-64", "65 years or older"],
        ),
        (
            ["$100,000 or more", "Less than $25,000", "$25,000 - $99,999"],
            ["Less than $25,000", "$25,000 - $99,999", "$100,000 or more"],
        ),
        (["€1k-€5k", "under €1k", "more than €5k"], ["under €1k", "€1k-€5k", "more than €5k"]),
        (["1,5-2", "3-4", "5-6"], None),
        (["1 - Paris", "2 - Lyon", "3 - Lille"], None),
        (["low", "high"], None),
        (["red", "low", "high"], None),
        (["0-9", "5-12", "13-20"], None),
        (["9-1", "5-2", "3-0"], None),
        (["1.2.3-4", "5-6", "7-8"], None),
    ],
)
def test_orders(labels, order):
    assert order_of(labels) == order


def test_long_and_many_labels_are_no_scale():
    """They are looked at no longer than it takes to see that."""
    assert order_of(["very " * 200_000 + end for end in ("low", "high", "medium")]) is None
    assert order_of([f"{i}-{i + 1}" for i in range(0, 200_000, 2)]) is None


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(1)
    mood = rng.normal(size=N)
    answers = np.array(["never", "rarely", "sometimes", "often", "always"])
    said = answers[np.digitize(mood + 0.3 * rng.normal(size=N), [-1.2, -0.4, 0.4, 1.2])]
    pain = np.array(["none", "some", "much"])[np.digitize(mood, [-0.5, 0.5])]
    rows = [f"{a},{p},{v:.2f}" for a, p, v in zip(said, pain, mood, strict=True)]
    rows[3] = f",{pain[3]},0.5"
    path = tmp_path_factory.mktemp("ordered") / "t.csv"
    path.write_text("\n".join(["answer,pain,mood", *rows]))
    return tables.read(path, columns={"pain": "ordered:none<some<much"})


def test_an_order_is_recognised_or_said(table):
    answer, pain, _ = table.schema.columns
    assert (answer.kind, pain.kind) == ("ordered", "ordered")
    assert answer.labels == ("never", "rarely", "sometimes", "often", "always")
    assert pain.labels == ("none", "some", "much")
    assert answer.describe(table.x[:, 0]) == "5 labels: never < rarely < sometimes < often < always"
    assert tables.Schema.of(table.schema.config) == table.schema
    assert np.isnan(table.x[3, 0])
    drawn = table.schema.rows([[1.6, 0.4, 0.1]])[0]
    assert (drawn["answer"], drawn["pain"]) == ("sometimes", "none")


def test_a_model_of_it_fills_gaps_near_the_truth(table, tmp_path):
    model = nv.VAE(z_dim=2, hidden=(16,), **table.schema.options())
    assert {part.name for part in model.likelihood.parts} == {"ordinal", "transformed"}
    nv.fit(model, table.x, epochs=60, batch_size=32, lr=5e-3)
    gaps = table.x.copy()
    gaps[:, 0] = np.nan
    filled = tables.impute(model, gaps)[:, 0]
    known = ~np.isnan(table.x[:, 0])
    off = np.abs(filled - table.x[:, 0])[known].mean()
    commonest = np.abs(2 - table.x[:, 0])[known].mean()
    assert off < 0.6 * commonest
    assert (filled == np.rint(filled)).all()
    assert np.isfinite(tables.nats_saved(model, table.x)).all()
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.elbo(table.x), model.elbo(table.x))
    other = table.schema.options(ordered="categorical")["likelihood"]
    assert {part.name for part in other.parts} == {"categorical", "transformed"}


@pytest.mark.parametrize(
    ("cells", "kind", "words"),
    [
        (["a", "b", "c"], "ordered", ["needs an order", "c=ordered:low<medium<high"]),
        (["a", "b", "c"], "ordered:a<b", ["line 4, column 'c'", "'a', 'b'", "got 'c'"]),
        (["a", "b", "c"], "ordered:a", ["can't be 'ordered:a'"]),
        (["a", "b", "c"], "ordered:a<<b", ["can't be 'ordered:a<<b'"]),
    ],
)
def test_refused(write, refusal, cells, kind, words):
    message = refusal(write(c=cells * 5, x=range(15)), {"c": kind, "x": "number"})
    for word in words:
        assert word in message


def test_numbers_that_are_said_to_be_ordered_are_by_size(write):
    path = write(c=[3, 1, 10, 2] * 5, x=[f"{i * i}.5" for i in range(20)])
    assert tables.read(path).schema.columns[0].kind == "category"
    assert tables.read(path, {"c": "ordered"}).schema.columns[0].labels == ("1", "2", "3", "10")
