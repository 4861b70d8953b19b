"""A table on the command line: what is inferred, and all commands in its own terms."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from folders import config, names

import npvae as nv

N = 80
HEADER = ["size", "visits", "member", "colour", "unit", "label"]


def cells(seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(20, 3, N)
    return {
        "size": [f"{v:.1f}" if i % 9 else "" for i, v in enumerate(size)],
        "visits": [str(v) for v in rng.poisson(np.abs(size - 18))],
        "member": np.where(size > 20, "yes", "no").tolist(),
        "colour": rng.choice(["red", "green", "blue"], N).tolist(),
        "unit": ["cm"] * N,
        "label": rng.choice(["a", "b"], N).tolist(),
    }


def write(path, columns):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


def read(path):
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "t.csv", cells())
    return folder


@pytest.fixture(scope="module")
def run(folder):
    from npvae.cli import main

    out = folder / "run"
    line = f"train --data {folder / 't.csv'} --epochs 3 --quiet --out {out}"
    assert main(line.split()) == 0
    return out


def test_train_says_what_it_inferred_and_draws(npvae, folder, tmp_path):
    code, out, err = npvae(
        "train --epochs 2 --no-plots --data", folder / "t.csv", "--out", tmp_path / "run"
    )
    assert (code, err) == (0, "")
    assert "a table, 4 columns; 72 rows to train on, 8 to validate" in out
    for words in (
        ["size", "number", "missing"], ["visits", "count", "0 to"], ["member", "flag", "no or yes"],
        ["colour", "category", "3 labels: blue, green, red"], ["unit", "constant", "always cm"],
        ["label", "label", "not modelled"],
    ):  # fmt: skip
        assert any(all(word in line for word in words) for line in out.splitlines()), words


def test_a_run_of_a_table_has_its_pictures_and_its_schema(run, npvae):
    pictures = {"loss.png", "samples.png", "reconstructions.png", "latent.png", "columns.png"}
    assert pictures <= names(run)
    model = nv.load(run)
    assert model.schema.names == HEADER[:4]
    assert model.schema.label == "label"
    assert model.missing == "mask"
    assert config(run)["training"]["likelihood"] == "mixed"
    out = npvae("info", run).out
    assert "number: 1 columns, count: 1 columns" in out
    assert "mean" not in out.split("training")[0]


def test_sample_writes_rows_like_the_table_s(run, npvae, tmp_path):
    assert npvae("sample", run, "-n", 50, "--out", tmp_path / "new.csv").code == 0
    header, rows = read(tmp_path / "new.csv")
    assert header == HEADER[:5]
    assert len(rows) == 50
    for size, visits, member, colour, unit in rows:
        assert size == f"{float(size):.1f}"
        assert visits.isdigit()
        assert member in ("no", "yes")
        assert colour in ("red", "green", "blue")
        assert unit == "cm"
    assert len({row[0] for row in rows}) > 10, "draws, not means"
    nv.tables.read(tmp_path / "new.csv", schema=nv.load(run).schema)
    assert npvae("sample", run, "--out", tmp_path / "new.png").code == 0


def test_reconstruct_fills_gaps_and_keeps_what_is_known_if_asked(run, folder, npvae, tmp_path):
    out = tmp_path / "r.csv"
    assert npvae("reconstruct", run, "--out", out).code == 0
    header, rows = read(out)
    assert header == HEADER[:5]
    assert len(rows) == N
    assert all(all(row) for row in rows)
    code, said, _ = npvae("reconstruct", run, "--impute", "--out", out)
    assert code == 0
    assert "9 missing cells filled in" in said
    table = list(zip(*list(cells().values())[:5], strict=True))
    for row, known in zip(read(out)[1], table, strict=True):
        assert all(a == b for a, b in zip(row, known, strict=True) if b)
        assert all(row)


def test_impute_is_of_tables(run, trained, refused, tmp_path):
    line = refused("reconstruct", trained, "--impute", "--out", tmp_path / "x.csv")
    assert "--impute fills in the missing cells of a table" in line
    assert "--out FILE.csv" in refused("reconstruct", run, "--impute", "--out", tmp_path / "x.png")


def test_evaluate_and_latent_speak_of_columns(run, folder, npvae, tmp_path):
    out = npvae("evaluate", run, "--samples", 5).out
    assert "Nats saved in a column over knowing its distribution alone" in out
    assert "colour" in out
    figures = json.loads(npvae("evaluate", run, "--samples", 5, "--json").out)
    assert list(figures["nats_saved"]) == HEADER[:4]
    assert npvae("latent", run, "--out", tmp_path / "z.csv").code == 0
    header, rows = read(tmp_path / "z.csv")
    assert header[-1] == "label"
    assert [row[-1] for row in rows] == cells()["label"]


def test_evaluate_compares_drawn_rows_with_the_data(run, npvae, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("npvae.evaluate.classifier.TREES", 10)
    line = ("evaluate", run, "--samples", 2, "--rows-drawn", 40)
    said = npvae(*line, "--out", tmp_path / "d.png").out
    assert "40 rows drawn, beside 80 of the data, of which 72 trained the model" in said
    assert f"{tmp_path / 'd.png'}: the same as a picture" in said
    assert (tmp_path / "d.png").exists()
    more = ("--out", tmp_path / "d.svg", "--json")
    found = json.loads(npvae(*line, *more).out)["drawn_rows"]
    assert list(found["distances"]) == HEADER[:4]
    assert 0 <= found["nearer_to_training"] <= 1
    assert "give --rows-drawn N" in refused("evaluate", run, "--out", tmp_path / "d.png")


def test_other_data_need_the_columns_in_any_order(run, npvae, refused, tmp_path):
    columns = cells()
    mixed = {name: columns[name] for name in ("visits", "label", "colour", "size", "member")}
    figures = [
        json.loads(npvae("evaluate", run, "--samples", 5, "--json", *more).out)
        for more in ((), ("--data", write(tmp_path / "u.csv", {**mixed, "more": ["x"] * N})))
    ]
    assert figures[0]["elbo"] == figures[1]["elbo"]
    del mixed["colour"]
    line = refused("latent", run, "--data", write(tmp_path / "v.csv", mixed))
    assert "v.csv'" in line
    assert "missing is 'colour'" in line
    bad = {**columns, "colour": ["pink", *columns["colour"][1:]]}
    line = refused("evaluate", run, "--data", write(tmp_path / "w.csv", bad))
    assert "w.csv', line 2, column 'colour'" in line
    assert "got 'pink'" in line


def test_a_table_as_people_have_them(npvae, refused, tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "run"
    rows = [
        f"{1 + i % 9}.{100 + i},50 €;{1 + i % 12}/{1 + i % 9}/2024;{'-ßa'[i % 3]}"
        for i in range(1, 61)
    ]
    path.write_bytes("\n".join(["sum;day;kind", *rows]).encode("cp1250"))
    line = ("train --epochs 1 --no-plots --data", path, "--out", out)
    assert "--columns day=date:dmy or --columns day=date:mdy" in refused(*line)
    said = npvae(
        *line, "--columns", "day=date:mdy", "--missing-cells", "-", "--encoding", "cp1250"
    ).out
    assert "'2.101,50 €' is read as 2101.5 in 'sum'" in said
    assert "cells missing" in said
    assert npvae("sample", out, "-n", 3, "--out", tmp_path / "new.csv").code == 0
    header, row, *_ = (tmp_path / "new.csv").read_text(encoding="cp1250").splitlines()
    assert header == "sum;day;kind"
    assert re.fullmatch(r"-?[0-9.]+,[0-9]{2} €;[0-9]+/[0-9]+/20[0-9]{2};[ßa]", row)
    assert npvae("evaluate", out, "--samples", 2).code == 0, "the schema knows what is missing"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--data digits --missing-cells NA", ["--missing-cells is for tables"]),
        ("--columns visits=counts", ["'visits' can't be", "did you mean 'count'?"]),
        ("--columns vists=count", ["got 'vists'", "did you mean 'visits'?"]),
        ("--columns visits", ["names of columns with their kinds"]),
        ("--columns visits=count,", ["names of columns with their kinds"]),
        ("--columns size=count", ["line 3, column 'size'", "a count is a whole number"]),
        ("--columns size=count --likelihood gaussian", ["leave out --likelihood"]),
        ("--likelihood gaussian", ["line 2, column 'size'", "a missing value"]),
        ("--data digits --likelihood mixed", ["mixed is for tables"]),
        ("--data digits --columns a=count", ["--columns is for tables"]),
    ],
)
def test_refused(refused, folder, tmp_path, options, words):
    data = [] if "--data" in options else ["--data", folder / "t.csv"]
    line = refused("train --quiet", *data, *options.split(), "--out", tmp_path / "run")
    for word in words:
        assert word in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_kinds_that_are_given_are_kept_when_a_run_is_resumed(npvae, folder, refused, tmp_path):
    out = tmp_path / "run"
    given = ["--columns", "member=category,label=category,colour=skip"]
    start = ("train --quiet --no-plots --epochs 1 --data", folder / "t.csv", "--out", out)
    assert npvae(*start, *given).code == 0
    more = npvae("train --resume --no-plots --epochs 2 --out", out)
    assert more.code == 0
    assert "training goes on after epoch 1" in more.out
    model = nv.load(out)
    assert {c.name: c.kind for c in model.schema.modelled} == {
        "size": "number", "visits": "count", "member": "category", "label": "category",
    }  # fmt: skip
    line = refused("train --resume --out", out, "--columns", "member=flag")
    assert "a resumed run keeps its --columns, here member=category,label=category" in line


def test_numbers_alone_with_a_likelihood_are_rows_as_before(npvae, tmp_path):
    path = write(tmp_path / "n.csv", {"a": [0.5, 0.25, 1.0], "b": [1, 0, 0.5]})
    out = tmp_path / "run"
    line = ("train --epochs 1 --no-plots --quiet --data", path, "--out", out)
    assert npvae(*line, "--likelihood", "gaussian").code == 0
    assert nv.load(out).schema is None
    assert config(out)["training"]["likelihood"] == "gaussian"
    for prior in ("mixture", "vamp"):
        assert npvae(*line, "--prior", prior).code == 0
        assert nv.load(out).prior.name == prior


def test_binarise_draws_anew_at_every_visit(npvae, refused, tmp_path):
    out = tmp_path / "run"
    line = ("train --epochs 2 --hidden 8 --no-plots --binarise --out", out)
    said = npvae(*line).out
    assert "binarised anew at every visit" in said
    assert config(out)["training"]["binarise"] is True
    refusal = refused(*line, "--quiet", "--likelihood", "gaussian")
    assert "binarise=True draws ones and zeros" in refusal
