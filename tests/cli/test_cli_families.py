"""Every family on the command line: conditions, labels, and what each command makes of them."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

import npvae as nv
from npvae.cli import main

TOWNS = ["Oslo", "Paris", "Rome"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables in which x depends on the town and on the label, and a folder of runs."""
    folder, rng = tmp_path_factory.mktemp("families"), np.random.default_rng(0)
    town, age = rng.choice(TOWNS, 150), rng.integers(20, 60, 150)
    label = rng.choice(["cat", "dog"], 150)
    x = (rng.normal(size=150) + 6 * (town == "Oslo") + 4 * (label == "dog")).round(2)
    w = (2 * x + rng.normal(size=150)).round(1)
    gaps = [("" if i % 13 == 5 else str(v)) for i, v in enumerate(x)]
    few = [v if i % 3 else "" for i, v in enumerate(label)]
    for name, labels in (("t", label), ("few", few)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = zip(town, gaps, age, w, labels, strict=True)
            csv.writer(file).writerows([["town", "x", "age", "w", "label"], *rows])
    return folder


def trained(folder, name, line):
    out = folder / name
    if not out.exists():
        assert main([*f"train {line} --quiet --no-plots --hidden 16 --out".split(), str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def by_town(folder):
    return trained(folder, "town", f"{folder / 't.csv'} --epochs 30 --condition town,age")


@pytest.fixture(scope="module")
def by_digit(folder):
    return trained(folder, "digit", "--epochs 40 --condition label --prior conditional")


@pytest.fixture(scope="module")
def semi(folder):
    return trained(folder, "semi", f"{folder / 'few.csv'} --epochs 40 --model semi --z-dim 2")


@pytest.fixture(scope="module")
def autoencoder(folder):
    return trained(folder, "auto", f"{folder / 't.csv'} --epochs 20 --model autoencoder:noise=0.1")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_class_is_sampled(by_digit, npvae, tmp_path):
    x, y = nv.datasets.digits()
    new = tmp_path / "new.npy"
    right = []
    for digit in range(10):
        assert npvae(f"sample {by_digit} --class {digit} -n 20 --out {new}").code == 0
        nearest = ((np.load(new)[:, None] - x) ** 2).sum(-1).argmin(1)
        right.append((y[nearest] == digit).mean())
    assert np.mean(right) > 0.9
    assert npvae(f"sample {by_digit} -n 20 --out {new}").out.count("every class in turn") == 1
    nearest = ((np.load(new)[:, None] - x) ** 2).sum(-1).argmin(1)
    assert (y[nearest] == np.arange(20) % 10).mean() > 0.8


def test_the_classes_are_kept_in_the_model(by_digit, semi):
    assert nv.load(by_digit).condition.names == list("0123456789")
    assert nv.load(semi).n_classes == ["cat", "dog"]


def test_columns_leave_x_and_come_back(by_town, npvae, tmp_path):
    model = nv.load(by_town)
    assert model.schema.names == ["x", "w"]
    assert model.condition.schema.names == ["town", "age"]
    out = tmp_path / "new.csv"
    assert npvae(f"sample {by_town} --given town=Paris,age=30 -n 40 --out {out}").code == 0
    rows = table(out)
    assert list(rows[0]) == ["town", "x", "age", "w"]
    assert {(row["town"], row["age"]) for row in rows} == {("Paris", "30")}
    in_oslo = tmp_path / "oslo.csv"
    assert npvae(f"sample {by_town} --given town=Oslo -n 40 --out {in_oslo}").code == 0
    others = table(in_oslo)
    assert len({row["age"] for row in others}) > 5  # ages are those of rows from Oslo
    means = [np.mean([float(row["x"]) for row in found]) for found in (others, rows)]
    assert 3 < means[0] - means[1] < 9  # the table has 6


def test_what_is_modelled_is_given_beside_the_condition(by_town, npvae, refused, tmp_path):
    out = tmp_path / "new.csv"
    npvae(f"sample {by_town} --given town=Rome,age=41,x=3.. -n 12 --out {out}")
    assert all(float(row["x"]) >= 3 and row["town"] == "Rome" for row in table(out))
    assert "a value for each" in refused(f"sample {by_town} --given town=Rome,x=3..")
    assert "is one value each" in refused(f"sample {by_town} --given age=30..40,town=Rome")
    assert "no label 'Berlin'" in refused(f"sample {by_town} --given town=Berlin")


@pytest.mark.smoke
@pytest.mark.parametrize("name", ["by_town", "by_digit", "semi", "autoencoder"])
@pytest.mark.parametrize(
    "line",
    [
        "evaluate RUN --samples 5 --rows 40", "sample RUN -n 4 --out OUT.npy",
        "reconstruct RUN --rows 9 --out OUT.csv", "interpolate RUN --pairs 2 --out OUT.npy",
        "traverse RUN --row 3 --out OUT.npy", "attribute RUN --has HAS --out OUT.npy",
        "latent RUN --rows 30 --out OUT.csv", "info RUN",
        "anomalies RUN --rows 40 --out OUT.csv",
        pytest.param("evaluate RUN --samples 2 --rows-drawn 20 --json", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_every_command_reads_what_the_run_is_given(line, name, request, npvae, tmp_path):
    run = request.getfixturevalue(name)
    line = line.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out"))
    others = {"by_town": "town=Oslo", "by_digit": "label=3"}
    line = line.replace("HAS", others.get(name, "label=cat"))
    line += f" --out {tmp_path / 'drawn.png'}" if "drawn" in line else ""
    code, out, err = npvae(line)
    assert (code, err) == (0, "")
    if line.startswith("info"):
        family = {"semi": "semi", "autoencoder": "autoencoder"}.get(name, "vae")
        assert f"model          {family}, " in out
        print(nv.load(run))


def test_gaps_are_filled_with_the_condition(by_town, folder, npvae, tmp_path):
    out = tmp_path / "filled.csv"
    assert npvae(f"impute {by_town} --out {out}").code == 0
    before, after = table(folder / "t.csv"), table(out)
    gaps = [i for i, row in enumerate(before) if row["x"] == ""]
    filled = {town: [] for town in TOWNS}
    for i in gaps:
        filled[before[i]["town"]].append(float(after[i]["x"]))
        assert {**after[i], "x": ""} == before[i]
    assert np.mean(filled["Oslo"]) > np.mean(filled["Paris"] + filled["Rome"]) + 2


@pytest.mark.slow
def test_a_conditional_run_is_resumed_with_its_classes(folder, npvae, tmp_path):
    line = f"{folder / 't.csv'} --condition town --epochs 2 --seed 3"
    whole = trained(tmp_path, "whole", line.replace("--epochs 2", "--epochs 4"))
    part = trained(tmp_path, "part", line)
    assert npvae(f"train --resume --epochs 4 --quiet --no-plots --out {part}").code == 0
    assert np.array_equal(nv.load(whole).flat, nv.load(part).flat)


def test_accuracy_is_told(semi, folder, npvae):
    out = npvae(f"evaluate {semi} --data {folder / 't.csv'}").out
    data = nv.tables.read(folder / "t.csv")
    share = (nv.load(semi).predict(data.x) == data.y).mean()
    assert re.search(rf"accuracy +{share:.1%} ", out)
    assert share > 0.75
    told = npvae(
        f"train {folder / 'few.csv'} --model semi --epochs 2 --no-plots --out {folder / 'told'}"
    ).out
    assert "labels     2 classes: cat, dog" in told
    assert "of the labels of" in told


def test_a_class_of_a_table(folder, npvae, tmp_path):
    run = trained(folder, "species", f"{folder / 't.csv'} --epochs 10 --condition label")
    out = tmp_path / "dogs.csv"
    assert npvae(f"sample {run} --class dog -n 5 --out {out}").code == 0
    assert {row["label"] for row in table(out)} == {"dog"}


def test_what_a_run_was_given_is_said_in_words(by_town, by_digit, semi, npvae, tmp_path):
    said = npvae(f"info {by_town}").out
    assert "\n  condition    town, age\n" in said
    assert re.search(r"\n  prior        mixture:n_components=\d+\n", said)
    classes = "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert f"\n  condition    {classes}\n" in npvae(f"info {by_digit}").out
    out = tmp_path / "x.csv"
    assert "from the prior, town, age as in training" in npvae(f"sample {by_town} --out {out}").out
    said = npvae(f"sample {by_town} --given town=Oslo --out {out}").out
    assert "is given, the rest of the condition as in training" in said


def test_an_autoencoder_is_not_told_of_as_a_vae(autoencoder, folder, npvae, tmp_path):
    said = npvae(f"info {autoencoder}").out
    for name in ("posterior", "prior", "beta", "free_bits"):
        assert f"\n  {name} " not in said
    assert "\n  model        autoencoder:noise=0.1\n" in said
    line = f"train {folder / 't.csv'} --model autoencoder --epochs 1 --hidden 4"
    said = npvae(f"{line} --out {tmp_path / 'run'}").out
    assert "training   the reconstruction alone; 1 epoch" in said
    assert "new examples, from z that are standard normal" in said


def test_a_label_that_is_not_known_is_no_label_to_evaluate(npvae, tmp_path):
    x, y = nv.datasets.digits()
    y = np.where(np.arange(300) % 3, y[:300], -1)
    np.savez(tmp_path / "few.npz", x=x[:300], y=y)
    line = f"train {tmp_path / 'few.npz'} --model semi --epochs 1 --hidden 8 --no-plots --out"
    assert npvae(line, tmp_path / "run").code == 0
    told = json.loads(npvae(f"evaluate {tmp_path / 'run'} --json").out)["label_accuracy"]
    commonest = np.bincount(y[y >= 0]).max() / (y >= 0).sum()
    assert told["most_frequent"] == pytest.approx(commonest)


@pytest.mark.parametrize("family", ["--condition label", "--model semi"])
def test_a_model_of_labels_is_reported_of(family, npvae, tmp_path):
    line = f"train {family} --likelihood gaussian:scale=9 --epochs 1 --no-plots --hidden 4"
    assert "--likelihood gaussian_column_scale" in npvae(f"{line} --out {tmp_path / 'run'}").out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("sample DIGIT --class 11", "a label is one of 0, 1, 2"),
        ("sample SEMI --class dgo", "got 'dgo'; did you mean 'dog'?"),
        ("sample DIGIT --given label=3", "of bare rows. Take --class."),
        ("sample TOWN --given twn=Paris", "no column 'twn'; did you mean 'town'?"),
        ("sample TOWN --balance town", "Draw rows of each label with --given town=LABEL"),
        ("sample SEMI --given label=cat", "to a model that has classes --class"),
        ("sample TOWN --class 3", "--class is for a run of"),
        ("sample DIGIT -n 100000000000 --out s.npy", "take 25.6 TB at least, and there are"),
        ("sample TOWN -n 1000000000000000 --out s.csv", "where 's.csv' would be; take fewer"),
        ("sample DIGIT -n 1000000000000 --out s.png", "a picture of 1,000,000,000,000 rows takes"),
        ("train N --fit-prior 1000", "fitted to 27 rows has as many components at most"),
        ("train --z-dim 100000000", "of memory, and this machine has"),
        ("evaluate TOWN --data digits", "conditioned on columns of a table"),
        ("impute SEMI", "weighed by their densities"),
        ("impute AUTO", "weighed by their densities"),
        ("anomalies AUTO --method likelihood", "Take method='elbo'"),
        ("sample SEMI --given town=Paris", "need its --class too"),
        ("train T --condition nothing", "conditioned on columns of its table"),
        ("train T --condition town,label", "condition on it alone"),
        ("train T --condition town,x,age,w", "that it is not conditioned on"),
        ("train FEW --condition label", "needs one for each row; row 0"),
        ("train N --condition label", "takes the labels of rows"),
        ("train N --model semi", "takes the labels of rows"),
        ("train N --condition town", "columns of a table"),
        ("train T --prior conditional", "--condition label"),
        ("train T --model semi --condition town", "--model semi takes no --condition"),
        ("train T --model autoencoder --prior mixture", "takes no --prior"),
        ("train T --model semi --objective iwae", "--model semi does not give"),
        ("train T --model autoencoder --objective iwae", "--model autoencoder does not give"),
        ("train T --model semi:n_classes=3 --objective mmd", "--model semi does not give"),
        ("train T --model autoencoder --beta 2", "has no KL, which --beta is about"),
        ("train T --model autoencoder --objective elbo:free_bits=1", "which --free-bits is about"),
        ("train T --model autoencoder:foo=1", "missing=none, standardise=false; got"),
    ],
)
def test_bad_input(
    line, why, folder, by_digit, by_town, semi, autoencoder, refused, monkeypatch, tmp_path
):
    np.save(tmp_path / "n.npy", np.random.default_rng(0).random((30, 4)))
    monkeypatch.chdir(tmp_path)
    names = {"DIGIT": by_digit, "TOWN": by_town, "SEMI": semi, "AUTO": autoencoder}
    names |= {"FEW": folder / "few.csv", "T": folder / "t.csv", "N": tmp_path / "n.npy"}
    words = [str(names.get(word, word)) for word in line.split()]
    quiet = ["--quiet"] if words[0] == "train" else []
    assert why in refused(" ".join([*words, *quiet]))


@pytest.mark.slow
def test_codes(npvae, folder, tmp_path):
    """Their dimensions and their prior come of the posterior; every command takes the run."""
    codes = trained(folder, "codes", "--epochs 3 --posterior categorical:n=3,classes=4")
    config = nv.load(codes / "model.npz").config
    assert config["z_dim"] == 12
    assert config["prior"] == {"name": "uniform", "classes": 4}
    for line in (
        f"evaluate {codes} --data digits --samples 20",
        f"sample {codes} -n 4 --out {tmp_path / 's.npy'}",
        f"latent {codes} --data digits --out {tmp_path / 'z.csv'}",
        f"latent {codes} --data digits --out {tmp_path / 'z.png'}",
        f"reconstruct {codes} --data digits --out {tmp_path / 'r.npy'}",
        f"interpolate {codes} --data digits --pairs 2 --out {tmp_path / 'i.npy'}",
        f"traverse {codes} --out {tmp_path / 't.npy'}",
        f"info {codes}",
    ):
        answer = npvae(line)
        assert answer.code == 0, answer.err
    z = np.array([list(map(float, row.values()))[:12] for row in table(tmp_path / "z.csv")])
    np.testing.assert_allclose(z.reshape(-1, 3, 4).sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--posterior categorical --z-dim 4", "has 10 latent dimensions; got z_dim 4"),
        ("--posterior bernoulli --prior mixture", "posterior and prior are over the same z"),
        ("--posterior bernoulli --objective iwae", "Take --objective elbo"),
        ("--posterior categorical:classes=1", "2 or more"),
    ],
)
def test_what_codes_do_not_go_with(npvae, tmp_path, line, said):
    answer = npvae(f"train {line} --epochs 1 --hidden 4 --no-plots --out {tmp_path / 'run'}")
    assert answer.code == 2
    assert answer.err.startswith("npvae: error: ")
    assert said in answer.err
