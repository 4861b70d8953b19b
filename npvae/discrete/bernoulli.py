"""Latent variables that are 0 or 1."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.arrays import constant
from ..core.checks import number
from ..core.errors import ConfigError
from ..core.numerics import sigmoid
from ..levels import closed_form
from ..posteriors import Params
from ..priors import Prior
from .codes import Code, Relaxation

Array = np.ndarray

ZEROS_AND_ONES = "zeros and ones"


class BinaryConcrete(Relaxation):
    """z = σ((logit + log u - log(1 - u)) / τ),  u = Φ(eps), eps given.

    eps is standard normal, so u is uniform and log u - log(1 - u) has a logistic distribution; z is
    above ½ with the probability σ(logit), whatever τ.

    Derivation, elementwise: σ' = σ (1 - σ)  ->  dlogit = Σ_K dz z (1 - z) / τ.
    logits serve all K samples, hence the sum; where each sample has its own, there is none.
    Shapes: logits (B, Z) or (K, B, Z); eps, z (K, B, Z).
    Source: Maddison, Mnih & Teh 2017, appendix B.
    """

    def forward(self, logits: Array, eps: Array) -> tuple[Array, Any]:
        temperature = self.now
        z = k.binary_concrete(logits, eps, temperature)
        return z, (z, logits, temperature)

    def backward(self, cache: Any, dz: Array) -> tuple[Array, None]:
        return k.binary_concrete_backward(dz, *cache), None

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(0.7), (rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3)))


class BernoulliCodeLogProb(Part):
    """log q(z) = Σ_Z z logit - log(1 + exp(logit)).

    Derivation, with d the gradient:
      (1) ∂/∂z = logit                    ->  dz     = d logit
      (2) ∂/∂logit = z - σ(logit)         ->  dlogit = Σ_K d (z - σ(logit))
    Shapes: z (K, B, Z); logits (B, Z) or (K, B, Z); log q(z) (K, B).
    """

    family = "posterior_step"

    def forward(self, z: Array, logits: Array) -> tuple[Array, Any]:
        return k.bernoulli_code_log_prob(z, logits), (z, logits)

    def backward(self, cache: Any, d_log_q: Array) -> tuple[Array, Array]:
        return k.bernoulli_code_log_prob_backward(d_log_q, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)))


class BernoulliCode(Code):
    """q(z given x) of latent dimensions that are 1 with the probability σ(logit), or else 0.

    The parameters are the logits, the encoder's output. `encode` gives the probabilities, (N, Z).

    Derivation: that of `Code`; the logits are copied  ->  their gradient is dlogit.
    Shapes: stats, logits (B, Z).
    Source: Maddison, Mnih & Teh 2017, appendix B; Jang, Gu & Poole 2017.

    Parameters
    ----------
    estimator : {"relaxed", "straight_through", "exact"}
        Where the gradient comes from: see `Code`.
    temperature : float or schedule
        Of a relaxed z, above 0; such as ``Linear(1, 0.5, epochs=20)``.
    """

    name = "bernoulli"
    support = ZEROS_AND_ONES
    usual_prior = "bernoulli"

    def __init__(self, estimator: str = "relaxed", temperature: Any = 0.5) -> None:
        self._describe(estimator, temperature)
        self.relax, self.log_prob = BinaryConcrete(self.temperature), BernoulliCodeLogProb()

    def forward(self, stats: Array) -> tuple[Params, Any]:
        return (stats,), None

    def backward(self, cache: None, d_logits: Array) -> Array:
        return d_logits

    def nearest(self, z: Array) -> Array:
        return k.likelier_side(z)

    def n_codes(self, z_dim: int) -> int:
        return int(2**z_dim)

    def all_codes(self, z_dim: int) -> Array:
        return np.array(list(product((0.0, 1.0), repeat=z_dim)))

    def centre(self, params: Params) -> Array:
        """q of a one, (B, Z)."""
        return sigmoid(params[0])

    def likeliest(self, params: Params) -> Array:
        return k.likelier_side(sigmoid(params[0]))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(3, 6)),)


class BernoulliPrior(Prior):
    """log p(z) = Σ_Z z log p + (1 - z) log(1 - p).

    Derivation: ∂log p/∂z = log p - log(1 - p) = logit p  ->  dz = d logit p.
    Shapes: z (K, B, Z), log p (K, B).

    Parameters
    ----------
    p : float, in (0, 1)
        Of a one, in each dimension.
    """

    name = "bernoulli"
    support = ZEROS_AND_ONES

    def __init__(self, p: float = 0.5) -> None:
        self.p = number("the Bernoulli prior's p", p, above=0)
        if self.p >= 1:
            raise ConfigError(f"the Bernoulli prior's p is between 0 and 1; got {p!r}.")

    @property
    def logit(self) -> float:
        return math.log(self.p) - math.log1p(-self.p)

    def forward(self, z: Array) -> tuple[Array, Any]:
        logits = constant(np.full(z.shape, self.logit, z.dtype))
        return k.bernoulli_code_log_prob(z, logits), (z, logits)

    def backward(self, cache: Any, d_log_p: Array) -> Array:
        dz, _ = k.bernoulli_code_log_prob_backward(d_log_p, *cache)
        return dz

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        return (rng.random((n, z_dim)) < self.p).astype(float)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(0.3), (rng.normal(size=(4, 3, 6)),)


@closed_form(BernoulliCode, BernoulliPrior)
class BernoulliKL(Part):
    """KL(q ‖ p) = q log q/p + (1 - q) log (1 - q)/(1 - p) of each dimension, q = σ(logit).

    Written, as in `CategoricalKL`, in terms that are 0 or more.

    Derivation, with l_p = logit p:
      (1) log q/p - log (1 - q)/(1 - p) = logit - l_p, and the rest of the derivative adds up to 0
      (2) ∂q/∂logit = q (1 - q)        ->  dlogit = dkl q (1 - q) (logit - l_p)
    Shapes: logits (B, Z) and kl (1, B, Z); or all (K, B, Z).
    """

    family = "kl"
    name = "bernoulli_bernoulli"

    def __init__(self, prior_logit: float) -> None:
        self.prior_logit = prior_logit

    @classmethod
    def of(cls, posterior: BernoulliCode, prior: BernoulliPrior) -> BernoulliKL:
        return cls(prior.logit)

    def forward(self, logits: Array) -> tuple[Array, Any]:
        return k.bernoulli_kl(logits, self.prior_logit), logits

    def backward(self, logits: Array, dkl: Array) -> Array:
        return k.bernoulli_kl_backward(dkl, logits, self.prior_logit)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(-0.8), (rng.normal(size=(2, 3)),)
