"""Small robust models that together say which rows of a table are strange."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..core.arrays import as_array
from ..core.checks import number, relative_weights, whole
from ..core.errors import ConfigError, DataError
from ..core.numerics import known_sums
from ..core.public import public
from ..data.reader import Reader
from ..likelihoods import StudentT
from ..models import VAE
from ..training.fit import fit
from .columns import rarity
from .scores import anomaly_contributions, anomaly_scores

Array = np.ndarray


class Member(NamedTuple):
    """A model of the detector.

    Attributes
    ----------
    most_z : latent dimensions: half as many as there are columns, at least 2 and at most these
    hidden : width of the hidden layer
    steps : of training
    df : degrees of freedom of the columns; the fewer, the less strange cells pull at what is learnt
    """

    most_z: int
    hidden: int
    steps: int
    df: float

    def z_dim(self, n_columns: int) -> int:
        return max(2, min(self.most_z, n_columns // 2))


JITTER = 0.2
"""What training rows are moved by, in standard deviations: no column's scale becomes tiny."""
JUDGE = Member(2, 32, 100, 4.0)
"""Trained before the others, and too short to learn what few rows have. It judges with the columns
alone, half and half, since what a short model finds depends on its seed."""
LEFT_OUT = 0.05
"""The share of the rows, those strangest to both judges, that the members are not trained on: of a
group that is a fifth of all rows most are kept, so that it is not strange as a whole."""
MEMBERS = (Member(2, 64, 500, 1.0), Member(16, 64, 500, 4.0))
"""One too small to learn a group of strange rows; one wide enough to learn what relates columns."""
MOST_STEPS = max(member.steps for member in MEMBERS)
BATCH, RATE = 64, 3e-3
_SAMPLES = 4
_MOVED, _MOST_ENTRIES = 1 << 13, 1 << 20
"""So many rows are moved before they are visited again; of a wide table fewer, by their entries."""
_TINY = 1e-6


class Detector:
    """What `fit_detector` gives: models, and what their scores usually are.

    Attributes
    ----------
    models : tuple of VAE
    usual, spread : (M,) arrays
        Median and scaled median absolute deviation of each model's -ELBO over the training rows.
    contamination : float
    threshold : float
        The score that the share `contamination` of the training rows have or exceed.
    """

    def __init__(self, models: tuple[VAE, ...], x: Array, contamination: float) -> None:
        self.models, self.contamination = models, contamination
        nats = self._nats(x)
        self.usual, self.spread = _usual_and_spread(nats)
        self.train_scores = self._combined(nats)
        self.threshold = float(np.quantile(self.train_scores, 1 - contamination))

    @property
    def x_dim(self) -> int:
        return int(self.models[0].x_dim)

    @public
    def scores(self, x: Any) -> Array:
        """How strange each row of x (N, D) is, (N,) float64: the higher, the stranger.

        For each model, by how many spreads the row's -ELBO lies above the usual one; of that the
        largest. A row's score is the same whatever rows stand beside it, as in `anomaly_scores`.
        """
        return self._combined(self._nats(x))

    @public
    def strange(self, x: Any) -> Array:
        """Which rows of x (N, D) score above the threshold, (N,) bool."""
        return self.scores(x) > self.threshold

    @public
    def deciding(self, x: Any) -> Array:
        """To which of the models each row of x (N, D) is strangest, by its number, (N,) int."""
        return self._spreads(self._nats(x)).argmax(0)

    @public
    def contributions(self, x: Any, reference: Any = None) -> Array:
        """What each column adds, (N, D), in nats: `anomaly_contributions` by one of the models.

        For each row that is `deciding`.
        """
        decides = self.deciding(x)
        each = [anomaly_contributions(m, x, reference, n_samples=_SAMPLES) for m in self.models]
        return np.stack(each)[decides, np.arange(len(decides))]

    def _nats(self, x: Any) -> Array:
        return np.stack([anomaly_scores(m, x, n_samples=_SAMPLES) for m in self.models])

    def _spreads(self, nats: Array) -> Array:
        return _spreads(nats, self.usual, self.spread)

    def _combined(self, nats: Array) -> Array:
        return self._spreads(nats).max(0)


@public
def fit_detector(
    x: Any,
    *,
    contamination: float = 0.1,
    schema: Any = None,
    seed: int = 0,
    weights: Any = None,
    most_steps: int | None = None,
) -> Detector:
    """Train small robust models on unlabelled rows, strange ones among them, to find these.

    Parameters
    ----------
    x : (N, D) array of numbers
        NaN is a missing entry.
    contamination : float
        The share of the rows that is held for strange, above 0 and up to 0.5: the threshold.
    schema : Schema, optional
        What the columns are, for a table that has others than numbers: as `nv.tables.read` gives.
    seed : int
        Same seed and machine: same detector.
    weights : (N,) array, optional
        How often each row counts in training, relative to the others.
    most_steps : int, optional
        The most training steps of each model, where they are to be fewer than 500.

    Returns
    -------
    Detector

    Raises
    ------
    DataError
        If x is no such array, or has fewer than two rows.
    ConfigError
        If an argument is out of its range.
    """
    share = number("contamination", contamination, above=0)
    if share > 0.5:
        raise ConfigError(f"contamination is above 0 and at most 0.5; got {contamination!r}.")
    x = _checked(x)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    seeds = rng.integers(2**31, size=1 + len(MEMBERS)).tolist()
    w = None if weights is None else relative_weights(weights, len(x))
    most = None if most_steps is None else whole("most_steps", most_steps)
    judging, *members = (_at_most(member, most) for member in (JUDGE, *MEMBERS))
    deviations = _deviations(x)
    judge = _trained(judging, x, deviations, schema, seeds[0], w)
    kept = _usual_rows(x, _opinions(judge, x))
    w = None if w is None else w[kept]
    pairs = zip(members, seeds[1:], strict=True)
    models = tuple(_trained(member, x[kept], deviations, schema, s, w) for member, s in pairs)
    return Detector(models, x, share)


def _opinions(judge: VAE, x: Array) -> Array:
    """How strange rows are to the judge and to the columns alone, (N,): the sum of the spreads."""
    nats = np.stack([
        anomaly_scores(judge, x, n_samples=_SAMPLES),
        rarity(x, judge.likelihood.real_columns(x.shape[1])),
    ])  # fmt: skip
    return _spreads(nats, *_usual_and_spread(nats)).sum(0)


def _usual_and_spread(nats: Array) -> tuple[Array, Array]:
    """Median and scaled median absolute deviation of each of M scores, (M, N), over the rows."""
    usual = np.median(nats, axis=1)
    deviation = np.median(np.abs(nats - usual[:, None]), axis=1)
    return usual, np.maximum(1.4826 * deviation, 1e-12)


def _spreads(nats: Array, usual: Array, spread: Array) -> Array:
    """By how many spreads each of M scores, (M, N), lies above what is usual."""
    return (nats - usual[:, None]) / spread[:, None]


def _at_most(member: Member, steps: int | None) -> Member:
    return member if steps is None else member._replace(steps=min(member.steps, steps))


def _checked(x: Any) -> Array:
    x = as_array(x, "x")
    if x.ndim != 2 or len(x) < 2 or not x.shape[1]:
        raise DataError(f"a detector is fitted to rows (N, D), two or more; got shape {x.shape}.")
    return Reader(x, x.shape[1], np.float64, missing=True).checked(slice(0, len(x)))


def _usual_rows(x: Array, scores: Array) -> Array:
    """Which rows are not among the strangest, (N,) bool; all, if else a column were not known."""
    kept = scores <= np.quantile(scores, 1 - LEFT_OUT)
    return kept if (~np.isnan(x[kept])).any(0).all() else np.ones(len(x), bool)


def _trained(
    member: Member, x: Array, usual: Array, schema: Any, seed: int, weights: Array | None
) -> VAE:
    """A model of a member's size, fitted to rows that are visited in turn and moved a little.

    `usual` (D,) is what columns are moved by that have one value in all of these rows.
    """
    d, columns = x.shape[1], StudentT(member.df)
    table: dict[str, Any] = {"x_dim": d, "likelihood": columns, "standardise": True}
    if schema is not None:
        table = schema.options(number=columns, count=columns)
    elif np.isnan(x).any():
        table["missing"] = "mask"
    model = VAE(z_dim=member.z_dim(d), hidden=(member.hidden,), seed=seed, **table)
    rng = np.random.default_rng(seed)
    rows, epochs = _turns(x.shape, member.steps, rng)
    deviations = _deviations(x)
    deviations = np.where(deviations > _TINY * usual, deviations, usual)
    moves = JITTER * np.where(model.likelihood.real_columns(d), deviations, 0)
    moved = x[rows]
    moved += moves * rng.standard_normal(moved.shape, np.float32)
    with warnings.catch_warnings():  # cells far from all others are what is looked for
        warnings.filterwarnings("ignore", "far from all other cells")
        fit(
            model,
            moved,
            epochs=epochs,
            batch_size=BATCH,
            lr=RATE,
            seed=seed,
            threads=1,
            progress=False,
            weights=None if weights is None else weights[rows],
        )
    return model


def _turns(shape: tuple[int, int], steps: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Rows of a table as they are visited, in whole batches, and how often all of that is done."""
    n, d = shape
    moved = max(n, min(_MOVED, _MOST_ENTRIES // d))
    epochs = max(1, steps * BATCH // moved)
    visits = max(1, steps // epochs) * BATCH
    return np.concatenate([rng.permutation(n) for _ in range(-(-visits // n))])[:visits], epochs


def _deviations(x: Array) -> Array:
    """The standard deviation of each column's known entries, (D,)."""
    largest = np.nanmax(np.abs(x), axis=0, initial=_TINY, where=~np.isnan(x))
    total, known = known_sums(x / largest)  # whose squares no number is too large for
    known = np.maximum(known, 1)
    return largest * np.sqrt(known_sums(np.square(x / largest - total / known))[0] / known)
