"""Whether a classifier tells drawn rows from real ones."""

from __future__ import annotations

import numpy as np

from ..core.errors import MissingDependency

Array = np.ndarray

FOLDS, TREES = 5, 100
_MOST_ROWS = 5000
"""Of each kind: a forest of more takes minutes, and learns hardly more."""


def auc_of_classifier(x: Array, drawn: Array, seed: int) -> tuple[float, float]:
    """The area under the ROC curve of a random forest that tells drawn rows from real ones.

    As many rows of each, five folds, each judged by a forest that was grown on the other four.
    0.5: drawn rows can't be told; 1: each can.

    Returns
    -------
    auc, standard error
        The mean of the folds, and its standard error by their spread.

    Raises
    ------
    MissingDependency
        Without scikit-learn.
    DataError
        If there are fewer than five rows of a kind.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import StratifiedKFold, cross_val_score
    except ImportError as error:
        raise MissingDependency(
            "telling drawn rows from real ones needs scikit-learn: pip install scikit-learn"
        ) from error
    n = min(len(x), len(drawn), _MOST_ROWS)
    rng = np.random.default_rng(seed)
    real, made = (rows[rng.permutation(len(rows))[:n]] for rows in (x, drawn))
    # Drawn rows know every entry; with the gaps of real ones they are not told by that.
    rows = np.concatenate([real, np.where(np.isnan(real), np.nan, made)])
    rows = np.where(np.isnan(rows), np.fmin.reduce(rows, 0) - 1, rows)
    is_drawn = np.repeat([0, 1], n)
    forest = RandomForestClassifier(TREES, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    areas = cross_val_score(forest, rows, is_drawn, cv=folds, scoring="roc_auc")
    return float(areas.mean()), float(areas.std(ddof=1) / np.sqrt(FOLDS))
