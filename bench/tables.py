"""``python -m bench.tables``: the tables of scikit-learn with a fifth of their entries deleted.

A model with the defaults of `npvae train` is fitted to what is left, and what was deleted is filled
in by it, by the columns' means and by their commonest labels. Errors are squared, in standard
deviations of the columns.
"""

from __future__ import annotations

import csv
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

import npvae as nv
from npvae.cli.choices import DEFAULTS
from npvae.cli.tabular import complete

NAMES = ("wine", "breast_cancer", "diabetes", "digits")
SEEDS = 3


def write(name: str, folder: Path) -> Path:
    """One of scikit-learn's tables as a .csv."""
    bunch = getattr(datasets, f"load_{name}")()
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*bunch.feature_names, "target"])
        writer.writerows([*x, y] for x, y in zip(bunch.data.tolist(), bunch.target, strict=True))
    return path


def filled(table: Any, gaps: np.ndarray, seed: int) -> np.ndarray:
    """The table without its gaps, filled in by a model that a tenth of the rows stop."""
    x = np.where(gaps, np.nan, table.x)
    settings = {**DEFAULTS, "holdout": 0.1}
    complete(settings, table)
    held_out = np.random.default_rng(seed).random(len(x)) < settings["holdout"]
    options = Namespace(**settings)
    model = nv.VAE(z_dim=options.z_dim, hidden=options.hidden, seed=seed, **table.schema.options())
    nv.fit(
        model,
        x[~held_out],
        valid=x[held_out],
        epochs=options.epochs,
        batch_size=options.batch_size,
        lr=options.lr,
        seed=seed,
        callbacks=[nv.EarlyStopping(options.patience)],
    )
    return nv.tables.impute(model, x)


def scores(table: Any, guess: np.ndarray, gaps: np.ndarray) -> tuple[float, float]:
    """Mean squared error of numbers and counts, and the share of labels that are right."""
    real = table.schema.where("number", "count")
    labels = table.schema.where("flag", "category")
    errors = ((guess - table.x) / table.x.std(0))[:, real][gaps[:, real]]
    right = (np.rint(guess) == table.x)[:, labels][gaps[:, labels]]
    return float(np.mean(errors**2)), float(np.mean(right)) if len(right) else np.nan


def main() -> None:
    print(f"{'':15}{'squared error':>22}{'labels right':>24}")
    print(f"{'table':15}{'model':>11}{'means':>11}{'model':>12}{'commonest':>12}")
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            table = nv.tables.read(write(name, Path(folder)))
        rows = []
        for seed in range(SEEDS):
            gaps = np.random.default_rng([seed, 1]).random(table.x.shape) < 0.2
            left = np.where(gaps, np.nan, table.x)
            simple = np.nanmean(left, axis=0)
            for j in table.schema.where("flag", "category"):
                simple[j] = np.bincount(left[~gaps[:, j], j].astype(int)).argmax()
            model = scores(table, filled(table, gaps, seed), gaps)
            by_column = scores(table, np.broadcast_to(simple, table.x.shape), gaps)
            rows.append([model[0], by_column[0], model[1], by_column[1]])
        a, b, c, d = np.mean(rows, axis=0)
        print(f"{name:15}{a:11.3f}{b:11.3f}{c:12.3f}{d:12.3f}", flush=True)


if __name__ == "__main__":
    main()
