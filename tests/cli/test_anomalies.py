"""``npvae anomalies``: the order, the threshold, the reasons, and the files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import npvae as nv
from npvae.cli import main


def written(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A table in which rows 17 and 40 break what town, income and rent have in common."""
    rng = np.random.default_rng(0)
    town = rng.choice(["Oslo", "Rome"], 200)
    income = np.where(town == "Oslo", 60_000, 30_000) * np.exp(0.1 * rng.normal(size=200))
    rent = 0.02 * income + 20 * rng.normal(size=200)
    rows = [[f"P{i:03d}", town[i], f"{income[i]:.0f}", f"{rent[i]:.2f}"] for i in range(200)]
    rows[17][2], rows[40][3], rows[60][3] = "251000", "1.50", ""
    path = tmp_path_factory.mktemp("people") / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "town", "income", "rent"], *rows])
    return path


@pytest.fixture(scope="module")
def run(people):
    folder = people.parent / "run"
    options = ["--epochs", "60", "--hidden", "32", "--no-plots", "--quiet", "--out", str(folder)]
    nv.use_kernels("numpy")
    try:
        assert main(["train", str(people), *options]) in (0, 1)
    finally:
        nv.use_kernels(None)
    return folder


def test_rows_are_written_by_their_scores_with_their_own_cells(npvae, people, run, tmp_path):
    out = tmp_path / "strange.csv"
    code, said, err = npvae("anomalies", run, "--data", people, "--out", out)
    assert (code, err) == (0, "")
    rows = written(out)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert sorted(int(row["row"]) for row in rows) == list(range(200))
    assert all(row["id"] == f"P{int(row['row']):03d}" for row in rows)
    model = nv.load(run)
    x = nv.tables.read(people, schema=model.schema).x
    places = [int(row["row"]) for row in rows]
    np.testing.assert_allclose(scores, nv.anomaly_scores(model, x)[places], rtol=1e-12)
    by_row = {int(row["row"]): row for row in rows}
    assert "income 251000 (expected " in by_row[17]["because"]
    assert "(expected " in by_row[40]["because"]  # of income and rent either may be the wrong one
    assert by_row[17]["strange"] == by_row[40]["strange"] == "yes"
    assert by_row[60]["rent"] == ""
    assert f"{sum(row['strange'] == 'yes' for row in rows)} rows above" in said
    assert "the quantile 0.99 of 20 rows held out" in said
    assert out.with_suffix(".png").stat().st_size > 1000


def test_contamination_takes_that_share(npvae, people, run, tmp_path):
    out = tmp_path / "s.csv"
    options = ["--data", people, "--out", out, "--contamination", 0.1, "--json"]
    found = json.loads(npvae("anomalies", run, *options).out, parse_constant=pytest.fail)
    assert found["n_strange"] == 20
    assert found["threshold_by"] == "the quantile 0.9 of these rows"
    assert len(found["rows"]) == 20
    first = found["rows"][0]
    assert set(first) == {"row", "score", "strange", "columns"}
    assert {"name", "value", "expected", "nats"} == set(first["columns"][0])
    assert [row["strange"] for row in written(out)] == ["yes"] * 20 + ["no"] * 180


@pytest.mark.slow
def test_a_quantile_and_fewer_rows(npvae, people, run, tmp_path):
    out = tmp_path / "s.csv"
    options = ["--data", people, "--out", out, "--quantile", 0.5, "--rows", 30, "--json"]
    found = json.loads(npvae("anomalies", run, *options).out)
    assert found["n"] == 30
    options = ["--split", "held-out", "--quantile", 0.5, "--json", "--out", out]
    held_out = json.loads(npvae("anomalies", run, *options).out)
    assert held_out["threshold"] == found["threshold"]
    assert held_out["n_strange"] == held_out["n"] // 2
    assert all(row["id"] == f"P{int(row['row']):03d}" for row in written(out))


@pytest.mark.slow
def test_the_likelihood_is_a_score_too(npvae, people, run, tmp_path):
    out = tmp_path / "s.csv"
    line = ["--data", people, "--out", out, "--method", "likelihood", "--rows", 5]
    assert npvae("anomalies", run, *line).code == 0
    model = nv.load(run)
    row = written(out)[0]
    x = nv.tables.read(people, schema=model.schema).x[[int(row["row"])]]
    score = nv.anomaly_scores(model, x, "likelihood")[0]
    assert float(row["score"]) == pytest.approx(score, rel=1e-9)


@pytest.mark.slow
def test_images_are_drawn(npvae, trained, tmp_path):
    out = tmp_path / "d.csv"
    code, said, err = npvae("anomalies", trained, "--rows", 40, "--out", out)
    assert (code, err) == (0, "")
    assert "pixel " in said
    row = written(out)[0]
    x, y = nv.datasets.digits()
    assert row["label"] == str(y[int(row["row"])])
    assert float(row["pixel 3,3"]) == pytest.approx(x[int(row["row"]), 27])
    assert out.with_suffix(".png").stat().st_size > 1000


def test_a_bare_array_without_held_out_rows(npvae, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[7] = 9.0
    np.save(tmp_path / "x.npy", x)
    nv.save(nv.VAE(3, 2, hidden=(4,), likelihood="student_t"), tmp_path / "m.npz")
    out = tmp_path / "s.csv"
    line = [tmp_path / "m.npz", "--data", tmp_path / "x.npy", "--out", out]
    code, said, err = npvae("anomalies", *line)
    assert (code, err) == (0, "")
    assert "the quantile 0.95 of these rows" in said
    assert written(out)[0]["row"] == "7"


def test_without_a_run_small_models_judge(npvae, people, tmp_path):
    out = tmp_path / "s.csv"
    code, said, err = npvae("anomalies --data", people, "--out", out)
    assert (code, err) == (0, "")
    assert [row["row"] for row in written(out)[:2]] == ["17", "40"]
    assert "10 rows above" in said
    assert "spreads" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--contamination", "0.1", "--quantile", "0.9"], "give one"),
        ([], "takes a RUN, or rows to train"),
        (["--data", "digits", "--quantile", "0.9"], "are for a RUN"),
        (["--contamination", "0.7"], "above 0 and up to 0.5; got '0.7'"),
        (["--out", "x.png"], "a file that ends in .csv, .tsv; got 'x.png'"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_is_wrong_is_said(refused, options, said):
    assert said in refused("anomalies", *options)


def test_a_quantile_needs_rows_held_out(refused, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 3)))
    nv.save(nv.VAE(3, 2, hidden=(4,)), tmp_path / "m.npz")
    line = [tmp_path / "m.npz", "--data", tmp_path / "x.npy", "--out", tmp_path / "s.csv"]
    assert "there are none; give --contamination" in refused("anomalies", *line, "--quantile", 0.9)


def test_a_table_is_read_as_it_is_said(npvae, people, run, refused, tmp_path):
    text = people.read_text(encoding="utf-8").splitlines()
    text[5] = text[5].rsplit(",", 1)[0] + ",-"
    path, out = tmp_path / "gaps.csv", tmp_path / "s.csv"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    assert "say --missing-cells=" in refused("anomalies --data", path, "--out", out)
    code, said, err = npvae(
        "anomalies --missing-cells=-, --columns town=skip --data", path, "--out", out
    )
    assert (code, err) == (0, "")
    assert "note: " in said
    assert " town " not in " ".join(row["because"] for row in written(out))
    for more in ((run,), ("--split", "test")):
        line = refused("anomalies --sheet a", *more, "--data", path, "--out", out)
        assert "--sheet says how a table is read whose columns no RUN knows" in line
