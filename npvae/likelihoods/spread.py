"""Likelihoods with a second, positive parameter: one per column, learnt, or one per entry."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np

from .. import kernels as k
from ..core.checks import whole
from ..core.errors import ConfigError
from .likelihood import Likelihood, as_rows

Array = np.ndarray
AnySpread = TypeVar("AnySpread", bound="Spread")


class Spread(Likelihood, abstract=True):
    """Base of the likelihoods with a scale, dispersion or concentration beside their location.

    Its logarithm t is a parameter of shape (D,), such as ``log_scale``. Or the decoder gives it, as
    the last D of its outputs, ``raw``, which are bent smoothly into (-bound, bound). A subclass
    names it and gives the density; the way back is the same for all.

    Derivation, from ∂log p/∂location = r and ∂log p/∂t = slope, that `density` gives:
      (1) log_px is weighed by d_log_px            ->  dlocation = d_log_px r
      (2) t_j serves every sample and row          ->  dt_j = Σ_KB d_log_px slope_j
      (3) or it has its own for each               ->  dt = d_log_px slope
      (4) and is t = log(exp(c) + exp(-bound)), c = -log(exp(-raw) + exp(-bound))
                                                   ->  draw = dt σ(c + bound) σ(bound - raw)
    Shapes: theta (K, B, n_outputs), location (K, B, locations D), r alike, t (D,) or (K, B, D).

    Parameters
    ----------
    given_by : {"column", "decoder"}
        Whether each column has one, learnt with the weights, or the decoder gives one for each
        entry.
    """

    takes_missing = True
    quantity: ClassVar[str]
    """What the second parameter is called: it is learnt as ``log_<quantity>``."""
    locations: ClassVar[int] = 1
    """How many outputs a column has beside it."""
    bound: ClassVar[float] = 10.0
    """The logarithm of what the decoder gives stays between minus this and this."""

    def __init__(self, given_by: str) -> None:
        if given_by not in ("column", "decoder"):
            raise ConfigError(
                f"{type(self).__name__}'s {self.quantity} is given by 'column' or 'decoder'; "
                f"got {given_by!r}."
            )
        self._by_decoder = given_by == "decoder"

    def declare(self, x_dim: int) -> None:
        if not self._by_decoder:
            shape = (whole("x_dim", x_dim),)
            self.parameter(self._log, shape, lambda rng, shape: np.zeros(shape))

    def n_outputs(self, x_dim: int) -> int:
        return x_dim * (self.locations + self._by_decoder)

    @abstractmethod
    def density(self, location: Any, x: Any, log_spread: Any) -> tuple[Any, Any, Any]:
        """log_px (K, B), r and slope, all 0 where x is NaN: a kernel's."""

    def forward(self, theta: Array, x: Array) -> tuple[Array, Any]:
        if not self._by_decoder:
            log_px, r, slope = self.density(theta, x, getattr(self, self._log))
            return log_px, (r, slope, None)
        location, raw = self._split(theta)
        log_px, r, slope = self.density(location, x, self._bent(raw))
        return log_px, (r, slope, raw)

    def backward(self, cache: Any, d_log_px: Array) -> tuple[Array, None]:
        r, slope, raw = cache
        dlocation = k.scale_rows(d_log_px, r)  # (1)
        if raw is None:
            gradient = getattr(self, "d" + self._log)
            gradient += k.sum_rows(d_log_px, slope)  # (2)
            return dlocation, None
        dt = k.scale_rows(d_log_px, slope)  # (3)
        return k.concat(
            dlocation, k.bounded_backward(dt, raw, -self.bound, self.bound)
        ), None  # (4)

    def entries(self, theta: Array, x: Array) -> Array:
        """log p of each entry, (B, D), all at once: each is a row of one column."""
        location, log_spread = self.heads(theta)
        parts = location, x, np.broadcast_to(log_spread, x.shape)
        location, rows, log_spread = (as_rows(part, x.shape[1]) for part in parts)
        return self.density(location[None], rows, log_spread[None])[0].reshape(x.shape)

    def heads(self, theta: Array) -> tuple[Array, Array]:
        """Location (..., locations D) and log of the second parameter, (D,) or (..., D)."""
        if not self._by_decoder:
            return theta, getattr(self, self._log)
        location, raw = self._split(theta)
        return location, self._bent(raw)

    def beside_zeros(self, start: Array) -> Array:
        """The output's bias: `start` (D,), and 0 for all other heads."""
        return np.concatenate([start, np.zeros(self.n_outputs(len(start)) - len(start))])

    @classmethod
    def with_columns(
        cls: type[AnySpread], rng: np.random.Generator, x_dim: int, **arguments: Any
    ) -> AnySpread:
        """An example on so many columns, its parameters away from their start."""
        part = cls(**arguments)
        part.declare(x_dim)
        part.allocate(rng)
        getattr(part, part._log)[...] = rng.normal(0, 0.3, x_dim)
        return part

    @property
    def _log(self) -> str:
        return f"log_{self.quantity}"

    def _bent(self, raw: Array) -> Array:
        return k.bounded(raw, -self.bound, self.bound)

    def _split(self, theta: Array) -> tuple[Array, Array]:
        width = theta.shape[-1] * self.locations // (self.locations + 1)
        return theta[..., :width], theta[..., width:]


class LocationScale(Spread, abstract=True):
    """Base of the likelihoods of x = location + scale · noise, the noise symmetric around 0."""

    real = True
    quantity = "scale"

    def mean(self, theta: Array) -> Array:
        return self.heads(theta)[0]

    def mode(self, theta: Array) -> Array:
        return self.heads(theta)[0]

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        location, log_scale = self.heads(theta)
        noise = self.noise(location.shape, rng)
        return (location + k.exp(log_scale) * noise).astype(theta.dtype)

    @abstractmethod
    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draws at location 0 and scale 1."""

    def output_bias(self, mean: Array, n: int) -> Array:
        return self.beside_zeros(mean)


def log_rms(residual: Array, axis: int | None) -> Array:
    """log of the root mean square along an axis, which is taken as 1e-10 or more; without NaN."""
    square = np.nanmean(np.square(residual, dtype=np.float64), axis=axis)
    return 0.5 * np.log(np.maximum(square, 1e-20))
