"""How far single latent dimensions stand for single factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import DataError, MissingDependency
from ..core.public import public

Array = np.ndarray

BINS = 20
"""Into which a latent dimension is cut for its mutual information with a factor."""
VOTES, ROWS_A_VOTE = 800, 64
"""Of FactorVAE's score: half of the votes are learnt from, half are judged."""
_UNUSED = 0.05
"""A dimension whose deviation is below this share of the largest has no vote."""
TREES = 20


@public
def disentanglement(z: Any, factors: Any, seed: int = 0) -> dict[str, float]:
    """Four scores of codes against the factors that made the data, each 1 at best.

    Parameters
    ----------
    z : (N, Z) array
        A code for each row, such as the posterior's mean.
    factors : (N, F) array of whole numbers
        Each factor's value for each row, as `datasets.sprites` gives them.
    seed : int
        Of FactorVAE's votes and of DCI's forests.

    Returns
    -------
    dict
        * ``mig``: the mutual information gap, mean over factors of the difference between the two
          dimensions that tell most of it, over its entropy (Chen et al. 2018, equation 6);
        * ``sap``: the same difference of squared correlations (Kumar et al. 2018, section 3);
        * ``dci``: disentanglement by the importances of random forests, 1 less the entropy of what
          a dimension is used for, weighted by its use (Eastwood & Williams 2018, section 3);
        * ``factor_vae``: how often the dimension that varies least among rows of one value of a
          factor tells which factor it is (Kim & Mnih 2018, section 4).

    Raises
    ------
    DataError
        If they are of other shapes or no whole numbers, or a factor has one value alone.
    MissingDependency
        Without scikit-learn, which has the forests.
    """
    z, factors = _checked(z, factors)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    return {
        "mig": _gap(_information(z, factors) / _entropies(factors)),
        "sap": _gap(_squared_correlations(z, factors)),
        "dci": _dci(z, factors, seed),
        "factor_vae": _factor_vae(z, factors, rng),
    }


def _checked(z: Any, factors: Any) -> tuple[Array, Array]:
    z = as_array(z, "z").astype(np.float64)
    factors = as_array(factors, "factors")
    if z.ndim != 2 or factors.ndim != 2 or len(z) != len(factors):
        raise DataError(
            f"z (N, Z) and factors (N, F) have a row for each example; got {z.shape} and "
            f"{factors.shape}."
        )
    if not np.isfinite(z).all():
        raise DataError("z needs finite numbers; got NaN or infinity.")
    if factors.dtype.kind == "f":
        wrong = np.argwhere(~np.isfinite(factors) | (factors != np.rint(factors)))
        for row, column in wrong[:1]:
            raise DataError(
                f"factors are whole numbers, such as the place of a value among its factor's; got "
                f"{factors[row, column]:g} in row {row}, column {column} (counted from 0). Drop "
                "such rows, or number the values."
            )
    codes = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in factors.T]
    alone = [i for i, code in enumerate(codes) if code.max(initial=0) == 0]
    if alone:
        raise DataError(f"each factor needs two values or more; factor {alone[0]} has one.")
    return z, np.stack(codes, axis=1)


def _gap(scores: Array) -> float:
    """The mean over factors of the best dimension's score less the second best's; (Z, F)."""
    ranked = np.sort(np.vstack([scores, np.zeros((1, scores.shape[1]))]), axis=0)
    return float((ranked[-1] - ranked[-2]).mean())


def _information(z: Array, factors: Array) -> Array:
    """I(z_j; v_k) in nats, (Z, F), by counts in bins of equal width."""
    binned = np.stack([_binned(column) for column in z.T], axis=1)
    found = np.empty((z.shape[1], factors.shape[1]))
    for j, bins in enumerate(binned.T):
        for k, factor in enumerate(factors.T):
            joint = np.bincount(bins * (factor.max() + 1) + factor)
            found[j, k] = _entropy(np.bincount(bins)) + _entropy(np.bincount(factor))
            found[j, k] -= _entropy(joint)
    return found


def _binned(column: Array) -> Array:
    edges = np.linspace(column.min(), column.max(), BINS + 1)[1:-1]
    return np.searchsorted(edges, column, side="right")


def _entropies(factors: Array) -> Array:
    return np.array([_entropy(np.bincount(factor)) for factor in factors.T])


def _entropy(counts: Array) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def _squared_correlations(z: Array, factors: Array) -> Array:
    """R² of the line from z_j to v_k, (Z, F); 0 of a dimension that does not vary."""
    a, b = z - z.mean(0), factors - factors.mean(0)
    spread = np.sqrt(np.outer((a * a).sum(0), (b * b).sum(0)))
    return (a.T @ b / np.where(spread > 0, spread, 1)) ** 2


def _dci(z: Array, factors: Array, seed: int) -> float:
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise MissingDependency(
            "disentanglement scores need scikit-learn: pip install scikit-learn"
        ) from error
    used = np.empty((z.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        forest = RandomForestClassifier(TREES, max_depth=8, random_state=seed)
        used[:, k] = forest.fit(z, factor).feature_importances_
    share = used.sum(1)
    if used.shape[1] == 1 or not share.any():
        return 1.0
    p = used / np.where(share > 0, share, 1)[:, None]
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(1) / np.log(used.shape[1])
    return float(((1 - entropy) * share).sum() / share.sum())


def _factor_vae(z: Array, factors: Array, rng: np.random.Generator) -> float:
    deviation = z.std(0)
    active = deviation > _UNUSED * deviation.max()
    z = z[:, active] / deviation[active]
    n_factors = factors.shape[1]
    votes = np.zeros((2, z.shape[1], n_factors))
    for i in range(VOTES):
        k = rng.integers(n_factors)
        rows = np.flatnonzero(factors[:, k] == factors[rng.integers(len(z)), k])
        some = z[rng.choice(rows, min(ROWS_A_VOTE, len(rows)), replace=False)]
        votes[i % 2, some.var(0).argmin(), k] += 1
    learnt, judged = votes
    right = judged[np.arange(z.shape[1]), learnt.argmax(1)].sum()
    return float(right / judged.sum())
