"""What posteriors of codes share: how a gradient passes through a z that has none."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.arrays import constant
from ..core.checks import number
from ..core.errors import ConfigError
from ..layers.mode import epoch, is_relaxed
from ..posteriors import Params, Posterior

Array = np.ndarray

ESTIMATORS = ("relaxed", "straight_through", "exact")

MOST_CODES = 1024
"""Every step decodes each code, where it sums over them, and compares it with each row."""


class Relaxation(Part, abstract=True):
    """A step from parameters and noise to a z between the codes, at a temperature.

    ``forward(params, eps)`` is differentiable, and at the temperature 0 it is a draw from q. Where
    the temperature changes with the epoch, Python runs it in a captured step.
    """

    family = "posterior_step"
    data_inputs = ("eps",)

    def __init__(self, temperature: Any = 1.0) -> None:
        self.temperature = temperature

    @property
    def now(self) -> float:
        """The temperature of this step; outside of training, that at the schedule's end."""
        return float(self.temperature(epoch()) if self.changes else self.temperature)

    @property
    def changes(self) -> bool:
        return callable(self.temperature)

    @property
    def capturable(self) -> bool:
        return not self.changes


def _temperature(given: Any) -> Any:
    """A number above 0, or a schedule that does not reach 0; raises `ConfigError` for others."""
    if not callable(given) and not isinstance(given, (str, dict)):
        return number("temperature", given, above=0)
    from ..core.schedules import schedule  # which inference with a constant one does without

    made: Any = schedule("temperature", given)
    for name in ("value", "start", "stop"):
        number("temperature", getattr(made, name, 1), above=0)
    return made


class Code(Posterior, abstract=True):
    """Base of the posteriors of codes: q(z given x) of a z that is one of finitely many.

    What people are given is drawn from q itself: `sample`, bounds, log-likelihoods, gaps. A
    training step needs a gradient with respect to q, which a draw has not. `estimator` says where
    it comes from, with f(z) = log p(x given z):

    * "relaxed": f at z = r(params, eps) between the codes, by `Relaxation`. Its gradient is exact,
      of E[f(r)] in place of E_q[f]; the two differ the less, the lower the temperature, and the
      gradient's variance grows.
    * "straight_through": f at the code nearest to r, and the gradient as if it were at r:
      ∂z/∂params is taken for ∂r/∂params. The loss is right, the gradient biased: unless f is linear
      in z it is no function's derivative.
    * "exact": Σ_z q(z) f(z) over every code, with its own derivative: no noise and no bias, for at
      most `MOST_CODES` codes, each of which is decoded: once, or for each row where these have a
      context.

    The KL is always that of the discrete distributions. A relaxed z has not the density of a code,
    so what weighs samples (IWAE and the like) is refused in training.

    Derivation: that of `relax` and `log_prob`, and with E = Σ_m q_m f_m over the codes z_m
      (1) ∂E/∂f_m = q_m                          ->  df_m = q_m d
      (2) ∂E/∂log q_m = q_m f_m                  ->  dlog q_m = q_m f_m d     (`levels.Mean`)
      (3) log q_m = log q(z_m), z_m a constant   ->  the parameters' by `log_prob` alone
    Source: Jang, Gu & Poole 2017 ("relaxed", with the KL of the discrete distributions, and
    "straight_through", after Bengio, Léonard & Courville 2013); Maddison, Mnih & Teh 2017.
    """

    relaxes = True
    relax: Any
    log_prob: Any

    def _describe(self, estimator: str, temperature: Any) -> None:
        if estimator not in ESTIMATORS:
            raise ConfigError(f"estimator is one of {', '.join(ESTIMATORS)}; got {estimator!r}.")
        self.estimator, self.temperature = estimator, _temperature(temperature)

    @property
    def sums(self) -> bool:  # type: ignore[override]
        return self.estimator == "exact"

    def build(self, z_dim: int) -> None:
        if not self.sums:
            return
        n_codes = self.n_codes(z_dim)
        if n_codes > MOST_CODES:
            raise ConfigError(
                f"the exact sum decodes each of at most {MOST_CODES:,} codes; got {n_codes:,} of "
                f"them. Take fewer, or estimator='relaxed'."
            )
        self._codes = self.all_codes(z_dim)

    def n_outputs(self, z_dim: int) -> int:
        return z_dim

    def encoded(self, params: Params) -> Array:
        """The probabilities of ones, (B, Z), which are the posterior's mean."""
        return self.centre(params)

    @abstractmethod
    def n_codes(self, z_dim: int) -> int:
        """How many different z there are."""

    @abstractmethod
    def all_codes(self, z_dim: int) -> Array:
        """Every z, (M, Z)."""

    @abstractmethod
    def nearest(self, z: Array) -> Array:
        """The code (K, B, Z) nearest to a relaxed one."""

    def draw(self, params: Params, eps: Array, density: bool) -> tuple[tuple[Array, Any], Any]:
        if is_relaxed() and density:
            raise ConfigError(
                "this objective weighs samples by their densities, and the relaxed z by which "
                f"posterior {self.name!r} is trained has not that of a code; take nv.ELBO()."
            )
        z, c_relax = self.relax.forward(*params, eps)
        if not (is_relaxed() and self.estimator == "relaxed"):
            z = self.nearest(z)
        log_q, c_log_q = self.log_prob.forward(z, *params) if density else (None, None)
        return (z, log_q), (c_relax, c_log_q)

    def draw_backward(
        self, cache: Any, dz: Array, d_log_q: Any, score: bool, dz_scale: Any
    ) -> Params:
        c_relax, _ = cache  # log q is asked for where no gradient is
        d_param, _ = self.relax.backward(c_relax, dz)
        return (d_param,)

    def every(self, params: Params) -> tuple[tuple[Array, Array], Any]:
        z = self._each(params[0].shape[-2], params[0].dtype)
        log_q, c_log_q = self.log_prob.forward(z, *params)
        return (z, log_q), c_log_q

    def once(self, dtype: Any) -> Array:
        return self._each(1, dtype)

    def _each(self, batch: int, dtype: Any) -> Array:
        """Every code for each row of a batch, (M, B, Z)."""
        codes = constant(self._codes.astype(dtype))
        z: Array = k.for_every_row(codes, batch)
        return z

    def every_backward(self, cache: Any, d_log_q: Array) -> Params:
        _, d_param = self.log_prob.backward(cache, d_log_q)  # (3)
        return (d_param,)
