"""How strange rows are to a model, and what each of their columns adds to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.memory import check_memory
from ..core.public import public
from ..core.trees import leaves, refilled
from ..models import Model

Array = np.ndarray

_ROWS = 64
"""In a block. All blocks are of this size, the last one filled up, so that the sums in a matrix
product run in the same order whichever rows are asked for."""
_MOST_ENTRIES = 1 << 20
"""In the largest array of a block; bounds memory, not precision."""
_SAMPLES = {"elbo": 16, "likelihood": 500}


@public
def anomaly_scores(
    model: Model,
    x: Any,
    method: str = "elbo",
    context: Any = None,
    n_samples: int | None = None,
    seed: int = 0,
) -> Array:
    """How strange each row is to a model, (N,) float64, in nats: the higher, the stranger.

    It is -ELBO, or -log p(x) by importance sampling. All rows share one set of noise vectors, and
    everything is computed in float64 and in blocks of one size: so a row's score is the same alone,
    among other rows and in another order (to rounding, far below 1e-7 of it), similar rows have
    similar scores, and no row is stranger than another by the luck of its draw.

    A missing entry adds nothing, so that a row with gaps is compared by what is known of it. A row
    so far off that no number holds its score has inf.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    method : {"elbo", "likelihood"}
        The likelihood is tighter, and takes as much longer as it has more samples.
    context : (N, C) array, optional
    n_samples : int, optional
        How many noise vectors; by default 16 for the ELBO and 500 for the likelihood.
    seed : int
        Of the noise vectors.

    Returns
    -------
    (N,) array

    Raises
    ------
    DataError
        If x is not such data as the model takes.
    ConfigError
        If there is no such method, or the model has no densities for it.

    Source: An & Cho 2015, for scores by what a VAE makes of a row.
    """
    if method not in _SAMPLES:
        raise ConfigError(f"method is 'elbo' or 'likelihood'; got {method!r}.")
    if method == "likelihood" and not model.has_density:
        raise ConfigError(
            f"method='likelihood' weighs draws of z by their densities; model {model.name!r} has "
            "no density of z. Take method='elbo'."
        )
    n_samples = _SAMPLES[method] if n_samples is None else whole("n_samples", n_samples)
    log_p = _elbo if method == "elbo" else _log_likelihood
    model, scores = model.astype("float64"), []
    noise = list(_noise(model, n_samples, seed))
    for xb, cb, n in _blocks(model, x, context):
        with np.errstate(over="ignore", invalid="ignore"):
            score = -log_p(model, xb, cb, noise)[:n]
        scores.append(np.where(np.isnan(score), np.inf, score))
    return np.concatenate(scores)


@public
def anomaly_contributions(
    model: Model,
    x: Any,
    reference: Any = None,
    context: Any = None,
    reference_context: Any = None,
    n_samples: int = 16,
    seed: int = 0,
) -> Array:
    """How many nats each column adds to a row's strangeness over what it usually adds, (N, D).

    An entry adds -E_q[log p(x_j given z)]; what its column usually adds is the median of that over
    the reference. Of the columns of a one-hot group the one that holds the 1 has what the whole
    group adds over its median, and the others have 0. A missing entry has 0. Noise and blocks are
    those of `anomaly_scores`, of which the KL belongs to no column.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    reference : (M, D) array, optional
        Rows that show what is usual, such as those of training; by default x.
    context, reference_context : (N, C) and (M, C) arrays, optional
    n_samples, seed : int
        How many noise vectors, and their seed.

    Returns
    -------
    (N, D) array

    Raises
    ------
    DataError
        If x is not such data as the model takes.
    """
    model = model.astype("float64")
    noise = list(_noise(model, whole("n_samples", n_samples), seed))
    nats, x = _entry_nats(model, x, context, noise)
    usual_nats = nats
    if reference is not None:
        usual_nats, _ = _entry_nats(model, reference, reference_context, noise)
    variables = model.likelihood.variables(model.x_dim)
    share = np.where(np.bincount(variables)[variables] == 1, 1.0, x)
    with np.errstate(invalid="ignore"):
        more = nats - share * _medians(usual_nats, variables)[variables]
    return np.where(np.isnan(nats), 0.0, more)


def _elbo(model: Model, x: Array, context: Array | None, noise: list[Any]) -> Array:
    """The mean over the noise of log p(x given z) - KL, (B,)."""
    terms = (model.forward(x, eps, context, needs=("log_px", "kl"))[0] for eps in noise)
    return np.concatenate([t.log_px - t.kl_per_row for t in terms]).mean(0)


def _log_likelihood(model: Model, x: Array, context: Array | None, noise: list[Any]) -> Array:
    """The logarithm of the importance weights' mean, (B,)."""
    needs = ("log_px", "log_pz", "log_qz")
    log_w = np.concatenate([model.forward(x, eps, context, needs)[0].log_w for eps in noise])
    return np.logaddexp.reduce(log_w) - np.log(len(log_w))


def _entry_nats(model: Model, x: Any, context: Any, noise: list[Any]) -> tuple[Array, Array]:
    """-E_q[log p(x_j given z)] of each entry, (N, D), NaN where x is; and x as the model has it."""
    nats, seen = [], []
    for xb, cb, n in _blocks(model, x, context):
        samples = []
        with np.errstate(over="ignore", invalid="ignore"):
            for eps in noise:
                theta = model.drawn_theta(xb, eps, cb)
                rows = np.tile(xb, (len(theta), 1))
                entries = model.likelihood.entries(theta.reshape(len(rows), -1), rows)
                samples.append(entries.reshape(-1, *xb.shape))
        mean = np.concatenate(samples).mean(0)
        nats.append(np.where(np.isnan(xb), np.nan, -mean)[:n])
        seen.append(xb[:n])
    return np.concatenate(nats), np.concatenate(seen)


def _medians(nats: Array, variables: Array) -> Array:
    """The median over the rows of what each variable adds where it is known, (V,)."""
    sums = np.zeros((variables.max() + 1, len(nats)))
    for j, variable in enumerate(variables):
        sums[variable] += nats[:, j]
    return np.array([np.median(row[row == row]) if (row == row).any() else 0.0 for row in sums])


def _blocks(model: Model, x: Any, context: Any) -> Iterator[tuple[Array, Array | None, int]]:
    """Checked rows and their context in blocks of one size, and how many of them count."""
    for xb, cb in model.batches(x, context):
        for start in range(0, len(xb), _ROWS):
            rows = np.minimum(np.arange(start, start + _ROWS), len(xb) - 1)
            yield xb[rows], None if cb is None else cb[rows], min(_ROWS, len(xb) - start)


def _noise(model: Model, n_samples: int, seed: int) -> Iterator[Any]:
    """The noise of a block in portions of samples: the same vectors for each of its rows."""
    rng = np.random.default_rng(whole("seed", seed, least=0))
    n_bytes = 8 * _ROWS * n_samples * sum(model.noise_widths)
    check_memory(f"the noise of {n_samples:,} samples", n_bytes, "take fewer n_samples")
    portion = max(1, _MOST_ENTRIES // (_ROWS * model.largest_row))
    for start in range(0, n_samples, portion):
        eps = model.draw_noise(1, min(portion, n_samples - start), rng)
        levels = [np.repeat(level, _ROWS, axis=1) for level in leaves(eps)]
        yield refilled(eps, iter(levels))
