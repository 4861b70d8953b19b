"""Latent variables of a few classes each."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.arrays import constant
from ..core.checks import whole
from ..levels import closed_form
from ..posteriors import Params
from ..priors import Prior
from .codes import Code, Relaxation

Array = np.ndarray


def _support(classes: int) -> str:
    return f"one of {classes} classes"


class GumbelSoftmax(Relaxation):
    """z = softmax((log q + g) / τ) over each variable's classes,  g = -log(-log Φ(eps)), eps given.

    eps is standard normal, so Φ(eps) is uniform and g has a Gumbel distribution; the largest
    log q_c + g_c is then that of class c with the probability q_c, whatever τ.

    Derivation, with d = dz and sums over a variable's classes:
      (1) ∂z_c/∂a_j = z_c ([c = j] - z_j), a = (log q + g) / τ
      (2) da_j = z_j (d_j - Σ_c d_c z_c)         ->  dlog_q = Σ_K da / τ
    log q serves all K samples, hence the sum; where each sample has its own, there is none.
    Shapes: log q (B, Z) or (K, B, Z); eps, z (K, B, Z); Z = variables · classes.
    Source: Jang, Gu & Poole 2017, equation 2; Maddison, Mnih & Teh 2017, equation 10.
    """

    def __init__(self, classes: int, temperature: Any = 1.0) -> None:
        super().__init__(temperature)
        self.classes = classes

    def forward(self, log_q: Array, eps: Array) -> tuple[Array, Any]:
        temperature = self.now
        z = k.gumbel_softmax(log_q, eps, self.classes, temperature)
        return z, (z, log_q, self.classes, temperature)

    def backward(self, cache: Any, dz: Array) -> tuple[Array, None]:
        return k.gumbel_softmax_backward(dz, *cache), None

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(3, 0.7), (rng.normal(size=(2, 6)), rng.normal(size=(4, 2, 6)))


class CodeLogProb(Part):
    """log q(z) = Σ_Z z log q, which for a z of ones and zeros is that of its classes.

    Derivation, with d the gradient:
      (1) ∂/∂z = log q          ->  dz     = d log q
      (2) ∂/∂log q = z          ->  dlog_q = Σ_K d z
    Shapes: z (K, B, Z); log q (B, Z) or (K, B, Z), of which the sum is as in `GumbelSoftmax`;
    log q(z) (K, B).
    """

    family = "posterior_step"

    def forward(self, z: Array, log_q: Array) -> tuple[Array, Any]:
        return k.code_log_prob(z, log_q), (z, log_q)

    def backward(self, cache: Any, d_log_q: Array) -> tuple[Array, Array]:
        return k.code_log_prob_backward(d_log_q, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)))


class CategoricalCode(Code):
    """q(z given x) of n variables, each one of so many classes: z has a 1 for each, and zeros.

    The parameters are log q = log softmax of the encoder's output, over each variable's classes.
    `encode` gives the probabilities, (N, n · classes).

    Derivation: that of `Code`, and for log q_c = a_c - log Σ_j exp(a_j)
      (1) ∂log q_c/∂a_j = [c = j] - q_j  ->  da_j = dlog_q_j - q_j Σ_c dlog_q_c
    Shapes: stats, log q (B, Z), Z = n · classes.
    Source: Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017.

    Parameters
    ----------
    n : int
        How many variables there are.
    classes : int
        C, of each, 2 or more.
    estimator : {"relaxed", "straight_through", "exact"}
        Where the gradient comes from: see `Code`.
    temperature : float or schedule
        Of a relaxed z, above 0; such as ``Linear(1, 0.5, epochs=20)``.
    """

    name = "categorical"

    def __init__(
        self,
        n: int = 1,
        classes: int = 10,
        estimator: str = "relaxed",
        temperature: Any = 0.5,
    ) -> None:
        self.n = whole("n, the number of categorical variables,", n)
        self.classes = whole("classes", classes, least=2)
        self._describe(estimator, temperature)
        self.relax = GumbelSoftmax(self.classes, self.temperature)
        self.log_prob = CodeLogProb()

    @property
    def support(self) -> str:  # type: ignore[override]
        return _support(self.classes)

    @property
    def own_z_dim(self) -> int:  # type: ignore[override]
        return self.n * self.classes

    @property
    def usual_prior(self) -> Any:
        return {"name": "uniform", "classes": self.classes}

    def forward(self, stats: Array) -> tuple[Params, Any]:
        log_q = k.class_log_probs(stats, self.classes)
        return (log_q,), log_q

    def backward(self, log_q: Array, d_log_q: Array) -> Array:
        return k.class_log_probs_backward(d_log_q, log_q, self.classes)  # (1)

    def nearest(self, z: Array) -> Array:
        return k.likeliest_class(z, self.classes)

    def n_codes(self, z_dim: int) -> int:
        return int(self.classes**self.n)

    def all_codes(self, z_dim: int) -> Array:
        chosen = np.array(list(product(range(self.classes), repeat=self.n)))
        return np.eye(self.classes)[chosen].reshape(len(chosen), -1)

    def centre(self, params: Params) -> Array:
        """q of each class, (B, Z)."""
        return np.exp(params[0])

    def likeliest(self, params: Params) -> Array:
        return k.likeliest_class(params[0], self.classes)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(2, 3), (rng.normal(size=(3, 6)),)


class UniformPrior(Prior):
    """log p(z) = -log C Σ_Z z: each class of each variable is as likely as any other.

    Derivation: ∂log p/∂z = -log C  ->  dz = -d log C.
    Shapes: z (K, B, Z), log p (K, B).

    Parameters
    ----------
    classes : int
        C, of each variable.
    """

    name = "uniform"

    def __init__(self, classes: int = 10) -> None:
        self.classes = whole("classes", classes, least=2)

    @property
    def support(self) -> str:  # type: ignore[override]
        return _support(self.classes)

    def forward(self, z: Array) -> tuple[Array, Any]:
        log_p = constant(np.full(z.shape, -math.log(self.classes), z.dtype))
        return k.code_log_prob(z, log_p), (z, log_p)

    def backward(self, cache: Any, d_log_p: Array) -> Array:
        dz, _ = k.code_log_prob_backward(d_log_p, *cache)
        return dz

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        chosen = rng.integers(self.classes, size=(n, z_dim // self.classes))
        return np.eye(self.classes)[chosen].reshape(n, z_dim)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(3), (rng.normal(size=(4, 3, 6)),)


@closed_form(CategoricalCode, UniformPrior)
class CategoricalKL(Part):
    """KL(q ‖ uniform) = Σ_c q_c log(C q_c) of each variable, from log q.

    Written as 1/C Σ_c (exp(t_c) t_c - exp(t_c) + 1), t_c = log q_c + log C, whose terms are 0 or
    more: the rest adds up to Σ_c q_c - 1 = 0.

    Derivation: ∂/∂t (exp(t) t - exp(t)) = exp(t) t  ->  dlog_q_c = dkl q_c t_c.
    Shapes: log q (B, Z), Z = V · C, and kl (1, B, V); or (K, B, ...) of each sample.
    """

    family = "kl"
    name = "categorical_uniform"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    @classmethod
    def of(cls, posterior: CategoricalCode, prior: UniformPrior) -> CategoricalKL:
        return cls(posterior.classes)

    def forward(self, log_q: Array) -> tuple[Array, Any]:
        return k.categorical_kl(log_q, self.classes), log_q

    def backward(self, log_q: Array, dkl: Array) -> Array:
        return k.categorical_kl_backward(dkl, log_q, self.classes)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(3), (rng.normal(size=(2, 6)),)
