"""``python -m bench.outliers [FOLDER ...]``: the detector beside scikit-learn's, on labelled sets.

Each folder has ``.npz`` files with X and y (1 is strange); by default it is ``$NPVAE_DATA/odds``.
Every set is split 60 to 40 five times, standardised by the 60, and learnt without labels. The
table has means over a folder's sets of the area under the ROC curve and of the average precision on
the 40, the standard error of each over the splits, and the processor time of a fit to all sets.
Needs scikit-learn.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

import npvae as nv

SPLITS = 5
TRAINED_ON = 0.6

Array = np.ndarray
Scores = Callable[[Array], Array]


def npvae_detector(x: Array, seed: int) -> Scores:
    return nv.fit_detector(x, seed=seed).scores


def isolation_forest(x: Array, seed: int) -> Scores:
    model = IsolationForest(random_state=seed).fit(x)
    return lambda rows: -model.score_samples(rows)


def one_class_svm(x: Array, seed: int) -> Scores:
    model = OneClassSVM(gamma="scale").fit(x)
    return lambda rows: -model.score_samples(rows)


def probabilistic_pca(x: Array, seed: int) -> Scores:
    """With as many components as hold nine tenths of the variance."""
    full = PCA().fit(x).explained_variance_ratio_.cumsum()
    n = min(int(np.searchsorted(full, 0.9)) + 1, min(x.shape) - 1)
    model = PCA(max(1, n)).fit(x)
    return lambda rows: -model.score_samples(rows)


def k_nearest_neighbours(x: Array, seed: int) -> Scores:
    model = NearestNeighbors(n_neighbors=5).fit(x)
    return lambda rows: model.kneighbors(rows)[0][:, -1]


def local_outlier_factor(x: Array, seed: int) -> Scores:
    model = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(x)
    return lambda rows: -model.score_samples(rows)


DETECTORS = (
    npvae_detector, isolation_forest, one_class_svm, probabilistic_pca, k_nearest_neighbours,
    local_outlier_factor,
)  # fmt: skip


def split(path: Path, seed: int) -> tuple[Array, Array, Array]:
    """Standardised rows to learn from, others, and which of the others are strange."""
    with np.load(path) as file:
        x, y = file["X"].astype(np.float64), file["y"].ravel()
    order = np.random.default_rng(seed).permutation(len(x))
    n = int(TRAINED_ON * len(x))
    train, test = x[order[:n]], x[order[n:]]
    scale = train.std(0)
    scale[scale == 0] = 1
    return (train - train.mean(0)) / scale, (test - train.mean(0)) / scale, y[order[n:]]


def judge(detector: Any, paths: list[Path]) -> tuple[Array, float]:
    """AUC and average precision (SPLITS, sets, 2), and the processor time of fits to all sets."""
    found = np.empty((SPLITS, len(paths), 2))
    seconds = 0.0
    for seed in range(SPLITS):
        for i, path in enumerate(paths):
            train, test, strange = split(path, seed)
            started = time.process_time()
            scores = detector(train, seed)
            seconds += time.process_time() - started
            found[seed, i] = [
                m(strange, scores(test)) for m in (roc_auc_score, average_precision_score)
            ]
    return found, seconds / SPLITS


def main() -> None:
    nv.fit_detector(np.random.default_rng(0).normal(size=(50, 3)))  # compiled, once
    for folder in sys.argv[1:] or [f"{os.environ['NPVAE_DATA']}/odds"]:
        paths = sorted(Path(folder).glob("*.npz"))
        print(f"\n{folder}: {', '.join(path.stem for path in paths)}")
        print(f"{'':24}{'ROC-AUC':>14}{'average precision':>22}{'fits, s':>10}   AUC of each set")
        for detector in DETECTORS:
            found, seconds = judge(detector, paths)
            means = found.mean(1)  # of each split
            error = means.std(0, ddof=1) / np.sqrt(SPLITS)
            auc, precision = (
                f"{m:.3f} ± {e:.3f}" for m, e in zip(means.mean(0), error, strict=True)
            )
            each = " ".join(f"{value:.2f}" for value in found.mean(0)[:, 0])
            name = detector.__name__.replace("_", " ")
            print(f"{name:24}{auc:>14}{precision:>22}{seconds:>10.2f}   {each}", flush=True)


if __name__ == "__main__":
    main()
