"""`npvae sample` of a table: what is known, balanced, many rows, and what is refused."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import npvae as nv
from npvae.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    town = rng.choice(["Paris", "Oslo, N", "a=b"], 120)
    columns = {"town": town, "a=b": rng.integers(20, 60, 120), "x": rng.normal(size=120).round(2)}
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    line = f"train {folder / 't.csv'} --epochs 3 --quiet --no-plots --out {folder / 'run'}"
    assert main(line.split()) == 0
    return folder / "run"


@pytest.mark.slow
def test_training_says_what_rows_are_drawn_from(run, npvae, tmp_path):
    out = npvae(f"train {run.parent / 't.csv'} --epochs 3 --no-plots --out {tmp_path / 'r'}").out
    assert "drawn rows chosen so that" in out
    model, config = nv.load(tmp_path / "r"), (tmp_path / "r" / "config.json").read_text()
    assert model.tilt is not None
    assert "tilt" not in config  # so that a run knows its model before and after
    assert "training       npvae train" in npvae(f"info {tmp_path / 'r'}").out


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_given_and_balanced(run, npvae, tmp_path):
    out = tmp_path / "new.csv"
    code, said, err = npvae(
        f"sample {run} -n 30 --out {out}",
        "--given",
        '"town=Oslo, N",a=b=30..40',
        "--given",
        "x=0..",
    )
    assert (code, err) == (0, "")
    assert "30 samples of which town=Oslo, N, a=b=30..40, x=0.. is given" in said
    new = rows(out)
    assert len(new) == 30
    assert {row["town"] for row in new} == {"Oslo, N"}
    assert all(30 <= int(row["a=b"]) <= 40 and float(row["x"]) >= 0 for row in new)
    code, said, _ = npvae(f"sample {run} -n 6 --balance town --out {out}")
    assert code == 0
    assert "as many of each 'town'" in said
    assert sorted(row["town"] for row in rows(out)) == ["Oslo, N"] * 2 + ["Paris"] * 2 + ["a=b"] * 2


@pytest.mark.parametrize("suffix", [".npy", ".tsv", ".png"])
def test_other_files(run, npvae, tmp_path, suffix):
    out = tmp_path / f"new{suffix}"
    assert npvae(f"sample {run} -n 25 --given town=Paris --out {out}").code == 0
    if suffix == ".npy":
        schema = nv.load(run).schema
        x = np.load(out)
        assert x.shape == (25, 3)
        assert {row["town"] for row in schema.rows(x)} == {"Paris"}
    else:
        assert out.stat().st_size > 100


def test_more_rows_than_a_block(run, npvae, tmp_path, monkeypatch):
    monkeypatch.setattr("npvae.tables.draws.BLOCK", 100)
    for name, suffix in (("csv", ".csv"), ("npy", ".npy")):
        assert npvae(f"sample {run} -n 250 --out {tmp_path / 'many'}{suffix}").code == 0, name
    assert len(rows(tmp_path / "many.csv")) == 250
    x = np.load(tmp_path / "many.npy")
    assert x.shape == (250, 3)
    assert nv.load(run).schema.cells(x)[249][1] == rows(tmp_path / "many.csv")[249]["a=b"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--given", "town"], "--given takes NAME=VALUE"),
        (["--given", "town=Paris,town=Paris"], "says 'town' twice"),
        (["--given", "twon=Paris"], "there is no column 'twon'; did you mean 'town'?"),
        (["--given", "town=London"], "'town' has no label 'London'"),
        (["--given", "a=b=99"], "'a=b' lies between"),
        (["--balance", "x"], "'x' is a number"),
    ],
)
def test_refused(run, refused, tmp_path, options, said):
    out = tmp_path / "n.csv"
    assert said in refused(f"sample {run} -n 5 --out {out}", *options)
    assert not out.exists()


def test_a_model_of_bare_rows(refused, npvae, tmp_path):
    model = nv.VAE(3, 2, hidden=(4,), likelihood="gaussian")
    nv.save(model, tmp_path / "m.npz")
    line = f"sample {tmp_path / 'm.npz'} --out {tmp_path / 'x.csv'}"
    assert "of bare rows" in refused(f"{line} --given a=1")
    assert npvae(f"{line} -n 7").code == 0
    got = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(got, model.sample(7), rtol=1e-7)
