"""What all likelihoods have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from ..core import Part
from ..core.errors import ConfigError, DataError

Array = np.ndarray


class Likelihood(Part, abstract=True):
    """Base of the likelihoods.

    ``forward(theta, x) -> log_px (K, B), cache`` and ``backward(cache, d_log_px) -> dtheta, None``,
    with theta the decoder's output (K, B, n_outputs) and x the data (B, D).
    """

    family = "likelihood"
    data_inputs = ("x",)
    unit_interval: ClassVar[bool] = False
    """Whether its data lie in [0, 1], so that bytes are divided by 255."""
    real: ClassVar[bool] = False
    """Whether its data are real numbers, of which origin and unit are free: see `standardise`."""
    takes_missing: ClassVar[bool] = False
    """Whether `forward` takes NaN in x for a missing entry, which adds 0 to log p and gradients."""
    usual_size: ClassVar[float] = 30.0
    """Up to which root mean square an encoder takes a feature as it is."""
    alike: ClassVar[bool] = False
    """Whether `forward` treats all columns the same, each by itself: see `entries`."""

    side_by_side: ClassVar[bool] = False
    """Where a column has several numbers in theta: whether these are beside each other, or the
    first of all columns come first."""

    def declare(self, x_dim: int) -> None:
        """Declare the parameters of which each column has its own; a model calls it once.

        Raises
        ------
        ConfigError
            If the likelihood was made for another number of columns.
        """

    def n_outputs(self, x_dim: int) -> int:
        """How many numbers the decoder gives for a row of `x_dim` columns."""
        return x_dim

    def features(self, x: Array) -> Array:
        """What an encoder is given of x (B, D): (B, n_features), NaN where x is missing.

        Made of kernels, so that a training step with it can be captured.
        """
        return x

    def n_features(self, x_dim: int) -> int:
        """How many numbers `features` gives for a row of `x_dim` columns."""
        return x_dim

    def usual(self, x_dim: int) -> Array:
        """Of each feature the size up to which an encoder takes it as it is, (n_features,)."""
        return np.full(self.n_features(x_dim), self.usual_size)

    def real_columns(self, x_dim: int) -> Array:
        """Which columns hold real numbers, (D,) bool."""
        return np.full(x_dim, self.real)

    def variables(self, x_dim: int) -> Array:
        """Which variable each column is of, (D,), counted from 0: one-hot columns share one."""
        return np.arange(x_dim)

    @abstractmethod
    def mean(self, theta: Array) -> Array:
        """E[x given z], (..., D)."""

    @abstractmethod
    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        """Draw x given z, (..., D)."""

    def mode(self, theta: Array) -> Array:
        """The x of highest probability (or density) given z, (..., D)."""
        raise ConfigError(f"{type(self).__name__} has no mode; take its mean, or define one.")

    def expected(self, theta: Array) -> Array:
        """What a guess of x is made of once it is averaged over draws of z, (..., S).

        The mean; for labels, which have none, their probabilities.
        """
        return self.mean(theta)

    def expected_where(self, theta: Array, wanted: Array) -> Array:
        """`expected` of theta (K, B, ·) at the entries that `wanted` (B, D) asks for.

        Elsewhere there may be anything finite, so that a costly mean is taken where it is used.
        """
        return self.expected(theta)

    def guess(self, expected: Array) -> Array:
        """The best guess of x from averages of `expected`, (..., D): the mean, or likeliest labels.

        A whole p(x) is meant, such as p(x given what is known of a row), of which no theta exists.
        """
        return expected

    def nominal_columns(self, x_dim: int) -> Array:
        """Which columns hold labels without an order, (D,) bool: those have no median."""
        return np.zeros(x_dim, bool)

    def mean_columns(self, x_dim: int) -> Array:
        """Which columns are guessed by their means, (D,) bool: all but labels."""
        return np.ones(x_dim, bool)

    def log_px(self, theta: Array, x: Array) -> Array:
        """log p (K, B) alone, of what `forward` takes, where nobody asks for a gradient."""
        log_px: Array = self.forward(theta, x)[0]
        return log_px

    def for_rows(self, theta: Array, x: Array) -> Array:
        """theta (..., B, n_outputs) as `mean` and `sample` need it for these rows x (B, D).

        Another one where `forward` takes something of x beside theta, such as its total.
        """
        return theta

    def log_prob(self, theta: Array, x: Array) -> Array:
        """log p(x given z) of each row, in nats.

        Parameters
        ----------
        theta : (B, n_outputs) or (K, B, n_outputs) array
            The decoder's output.
        x : (B, D) array
            NaN is a missing entry: log p is that of the others.

        Returns
        -------
        (B,) or (K, B) array

        Raises
        ------
        DataError
            If x lies outside the support, or the shapes don't fit.
        """
        theta, x = np.asarray(theta), np.asarray(x)
        theta = theta if theta.dtype.kind == "f" else theta.astype(np.float64)
        wanted = (x.shape[0], self.n_outputs(x.shape[1])) if x.ndim == 2 else ()
        if theta.ndim not in (2, 3) or theta.shape[-2:] != wanted or 0 in theta.shape:
            raise DataError(
                f"log_prob needs x (B, D) and theta {wanted or '(B, n_outputs)'}, with samples in "
                f"front or not; got x {x.shape} and theta {theta.shape}."
            )
        self.check(x)
        log_px = self.forward(theta.reshape(-1, *theta.shape[-2:]), x.astype(theta.dtype))[0]
        return log_px if theta.ndim == 3 else log_px[0]

    def entries(self, theta: Array, x: Array) -> Array:
        """log p of each entry of x (B, D) given theta (B, n_outputs): (B, D), 0 where x is NaN.

        Where columns are `alike` each entry is scored as a row of its own. Otherwise the columns
        are scored one after the other, the others being missing, which costs D times as much; a
        subclass that knows better says so.
        """
        if self.alike:
            log_px, _ = self.forward(as_rows(theta, x.shape[1])[None], as_rows(x, x.shape[1]))
            return log_px.reshape(x.shape)
        scores = np.zeros(x.shape)
        for j in range(x.shape[1]):
            alone = np.full_like(x, np.nan)
            alone[:, j] = x[:, j]
            scores[:, j] = self.forward(theta[None], alone)[0][0]
        return scores

    def check(self, x: Array) -> None:
        """Raise `DataError` if x, (B, D), lies outside the support; NaN, missing, does not."""

    def clearly_supports(self, x: Array) -> bool:
        """Whether a quick look shows that x, (B, D), is finite and lies in the support.

        Where it does not show that, slower checks decide, and say what is wrong.
        """
        return False

    def start_from(self, rows: Array) -> None:
        """Set parameters of its own, such as dispersions, to what training rows (n, D) suggest.

        A model calls it before its first step.
        """

    def output_bias(self, mean: Array, n: int) -> Array | None:
        """The decoder's output at which E[x] is the training mean (D,) of n rows, or None.

        The mean is that of the entries that are known.

        Training then need not spend its first steps on finding the mean.
        """
        return None


def as_rows(a: Array, x_dim: int) -> Array:
    """Rows (B, n D) of n heads side by side as a row for each entry, (B D, n)."""
    return np.swapaxes(a.reshape(len(a), -1, x_dim), 1, 2).reshape(len(a) * x_dim, -1)
