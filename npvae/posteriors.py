"""Approximate posteriors q(z given x), and the sampling that gradients pass through.

A new one is one class here or anywhere else, which `Posterior` says the contract of.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from . import kernels as k
from .core import Part
from .core.errors import ConfigError

Array = np.ndarray

LOGVAR_BOUNDS = (-20.0, 20.0)
"""Where log-variances are bent. Within (-4.5, 4.5) the bend is below float32's rounding."""


REAL = "real numbers"
"""Where z lies, unless it is discrete."""

Params = tuple[Array, ...]


class Posterior(Part, abstract=True):
    """Base of the posteriors: from an encoder's output to a sample and its log-density.

    ``forward(stats) -> params`` makes the parameters of q from the encoder's output stats (B, S),
    and `draw` a sample from them. Both have their backward beneath. ``params[0]`` is the mean.
    Where a sample of another level conditions this one, stats and params are (K, B, ...).

    Attributes
    ----------
    support : str
        What z lies in, in words; that of a prior has to be the same.
    own_z_dim : int or None
        The latent dimensions, where its arguments say how many there are.
    usual_prior : str or dict
        The prior that a model takes where nobody says which.
    relaxes : bool
        Whether z is discrete, and another z, which has no density, stands for it where a gradient
        is asked for.
    sums : bool
        Whether log p(x given z) is summed over every z that there is: then `every` gives these.
    """

    family = "posterior"
    support = REAL
    own_z_dim: int | None = None
    usual_prior: Any = "standard"
    relaxes = False
    sums = False

    def build(self, z_dim: int) -> None:
        """Declare parameters, for a latent of z_dim dimensions."""
        return

    @abstractmethod
    def n_outputs(self, z_dim: int) -> int:
        """S, how many numbers the encoder gives for a latent of `z_dim` dimensions."""

    @abstractmethod
    def draw(self, params: Params, eps: Array, density: bool) -> tuple[tuple[Array, Any], Any]:
        """((z, log q(z)), cache) of the noise eps: (K, B, Z) and (K, B); without `density` None."""

    @abstractmethod
    def draw_backward(
        self, cache: Any, dz: Array, d_log_q: Any, score: bool, dz_scale: Any
    ) -> Params:
        """The gradients of the parameters, through the sample z and through its log q.

        d_log_q (K, B) is None where nobody uses log q. With ``score=False`` its own gradient
        reaches z alone. `dz_scale` (K, B), or None, multiplies the gradient of z, that of log q
        included, before it goes on to the parameters.
        """

    def every(self, params: Params) -> tuple[tuple[Array, Array], Any]:
        """((z, log q(z)), cache) of every z that there is, M of them: (M, B, Z) and (M, B)."""
        raise ConfigError(f"posterior {self.name!r} has more z than can be summed over.")

    def once(self, dtype: Any) -> Array:
        """Every z that there is, (M, 1, Z), for what does not depend on the row."""
        raise NotImplementedError

    def every_backward(self, cache: Any, d_log_q: Array) -> Params:
        """The gradients of the parameters through log q of every z; these z are constants."""
        raise NotImplementedError

    def encoded(self, params: Params) -> Any:
        """What `Model.encode` gives of them: the mean and the log-variance."""
        return params[:2]

    def centre(self, params: Params) -> Array:
        """The z (B, Z) that stands for a row: the mean."""
        return params[0]

    def likeliest(self, params: Params) -> Array:
        """The z (B, Z) that a row is decoded from: the centre, where that is a z that can be."""
        return self.centre(params)


class Reparameterise(Part):
    """z = mu + exp(logvar / 2) · eps,  eps ~ N(0, I) given.

    Derivation, elementwise, with std = exp(logvar / 2) and L the loss:
      (1) dz/dmu     = 1                        ->  dmu     = Σ_K dz
      (2) dstd/dlogvar = std / 2
      (3) dz/dlogvar = eps · std / 2            ->  dlogvar = Σ_K dz · eps · std / 2
      (4) dz/deps    = std                      ->  deps    = dz · std
    mu and logvar serve all K samples, hence the sums; where each sample has its own, there is none.
    Shapes: mu, logvar (B, Z) or (K, B, Z); eps, z (K, B, Z).
    Source: Kingma & Welling 2014, section 2.4.
    """

    family = "posterior_step"

    def forward(self, mu: Array, logvar: Array, eps: Array) -> tuple[Array, Any]:
        z, std = k.reparameterise(mu, logvar, eps)
        return z, (std, eps)

    def backward(self, cache: Any, dz: Array) -> tuple[Array, Array, Array]:
        std, eps = cache
        return k.reparameterise_backward(dz, std, eps)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3)))


class GaussianLogProb(Part):
    """log q(z) = Σ_Z -½ (u² + logvar + log 2π),  u = (z - mu) / std,  std = exp(logvar / 2).

    Derivation, elementwise, with d the gradient of log q:
      (1) ∂u/∂z = 1 / std           ->  dz      = -d u / std
      (2) ∂u/∂mu = -1 / std         ->  dmu     = Σ_K d u / std = -Σ_K dz
      (3) ∂u/∂logvar = -u / 2       ->  dlogvar = Σ_K d (½ u² - ½)
    The sums are as in `Reparameterise`.
    Shapes: z (K, B, Z); mu, logvar (B, Z) or (K, B, Z); log q (K, B).
    """

    family = "posterior_step"

    def forward(self, z: Array, mu: Array, logvar: Array) -> tuple[Array, Any]:
        return k.gaussian_log_prob(z, mu, logvar), (z, mu, logvar)

    def backward(self, cache: Any, d_log_q: Array) -> tuple[Array, Array, Array]:
        return k.gaussian_log_prob_backward(d_log_q, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


class DiagonalGaussian(Posterior):
    """q(z given x) = N(mu, diag exp(logvar)), from the encoder's output [mu, raw].

    This is the one place where log-variances are bounded, smoothly, into (low, high):

        c = -log(exp(-raw) + exp(-high)),   logvar = log(exp(c) + exp(low))

    Derivation, with σ the sigmoid:
      (1) dc/draw = exp(-raw) / (exp(-raw) + exp(-high)) = σ(high - raw)
      (2) dlogvar/dc = exp(c) / (exp(c) + exp(low)) = σ(c - low)
                                        ->  draw = dlogvar σ(c - low) σ(high - raw)
      (3) mu is copied                  ->  its gradient is dmu
    A draw is `Reparameterise`, then `GaussianLogProb` of what it gave:
      (4) z is used by log q too        ->  dz grows by that of log q
      (5) mu and logvar make z, and are used by log q directly (the score)  ->  the sum of both
    Shapes: stats (B, 2Z); mu, logvar (B, Z).  Source: Kingma & Welling 2014, equation 9.
    """

    name = "gaussian"

    def __init__(self) -> None:
        self.sample = Reparameterise()
        self.log_prob = GaussianLogProb()

    def n_outputs(self, z_dim: int) -> int:
        return 2 * z_dim

    def forward(self, stats: Array) -> tuple[tuple[Array, Array], Array]:
        return k.gaussian_heads(stats, *LOGVAR_BOUNDS), stats

    def backward(self, stats: Array, dmu: Array, dlogvar: Array) -> Array:
        return k.gaussian_heads_backward(dmu, dlogvar, stats, *LOGVAR_BOUNDS)  # (2), (3)

    def draw(self, params: Params, eps: Array, density: bool) -> tuple[tuple[Array, Any], Any]:
        mu, logvar = params
        z, c_sample = self.sample.forward(mu, logvar, eps)
        log_q, c_log_q = self.log_prob.forward(z, mu, logvar) if density else (None, None)
        return (z, log_q), (c_sample, c_log_q)

    def draw_backward(
        self, cache: Any, dz: Array, d_log_q: Any, score: bool, dz_scale: Any
    ) -> Params:
        c_sample, c_log_q = cache
        dmu_q: Any = None
        dlogvar_q: Any = None
        if d_log_q is not None:
            dz_q, dmu_q, dlogvar_q = self.log_prob.backward(c_log_q, d_log_q)
            dz = k.add(dz, dz_q)  # (4)
        if dz_scale is not None:
            dz = k.scale_rows(dz_scale, dz)
        dmu, dlogvar, _ = self.sample.backward(c_sample, dz)
        if d_log_q is not None and score:
            dmu, dlogvar = k.add(dmu, dmu_q), k.add(dlogvar, dlogvar_q)  # (5)
        return dmu, dlogvar

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        stats = rng.normal(size=(3, 6))
        stats[0, 3:] = [-21.0, 19.0, 24.0]  # where the bend shows
        return cls(), (stats,)
