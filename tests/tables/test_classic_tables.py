"""The tables that come with scikit-learn: they train as they are, and gaps in them are filled."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from sklearn import datasets

import npvae as nv
from npvae.cli import main

LARGER = ("diabetes", "breast_cancer", "digits")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in LARGER]


@pytest.fixture(params=["wine", *SLOW])
def path(request, tmp_path):
    bunch = getattr(datasets, f"load_{request.param}")()
    path = tmp_path / f"{request.param}.csv"
    with path.open("w", newline="") as file:
        rows = zip(bunch.data.tolist(), bunch.target, strict=True)
        csv.writer(file).writerows([[*bunch.feature_names, "target"], *([*x, y] for x, y in rows)])
    return path


KINDS = {
    "wine": {"number": 13},
    "breast_cancer": {"number": 30},
    "diabetes": {"number": 9, "category": 1},
    "digits": {"count": 25, "number": 33, "flag": 3, "constant": 3},
}


@pytest.mark.slow
def test_they_train_with_no_option_but_data(path, tmp_path, capsys):
    line = f"train --epochs 2 --no-plots --data {path} --out {tmp_path / 'run'}"
    assert main(line.split()) == 0
    kinds = [column.kind for column in nv.load(tmp_path / "run").schema.columns]
    assert {kind: kinds.count(kind) for kind in kinds} == KINDS[path.stem]
    assert main(f"sample {tmp_path / 'run'} -n 5 --out {tmp_path / 'new.csv'}".split()) == 0
    header, *rows = (tmp_path / "new.csv").read_text().splitlines()
    assert header == path.read_text().splitlines()[0].removesuffix(",target")
    assert len(rows) == 5


@pytest.mark.slow
def test_entries_that_were_deleted_are_filled_better_than_by_column_means(path):
    table = nv.tables.read(path)
    gaps = np.random.default_rng(0).random(table.x.shape) < 0.2
    x = np.where(gaps, np.nan, table.x)
    model = nv.VAE(z_dim=8, hidden=(64,), **table.schema.options())
    nv.fit(model, x, epochs=15 if len(x) > 1000 else 100, batch_size=32, lr=2e-3)
    columns = table.schema.where("number", "count")
    spread = np.where(table.x.std(0) > 0, table.x.std(0), 1)
    model_s, means = (
        np.square((guess - table.x) / spread)[:, columns][gaps[:, columns]].mean()
        for guess in (nv.tables.impute(model, x), np.nanmean(x, axis=0))
    )
    assert model_s < 0.75 * means
