"""Priors p(z).

A new one is one class here or anywhere else: `forward` gives log p(z) per sample and row,
`backward` its gradient, `sample` draws; the rest of `Prior` says what a prior may have besides.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from . import kernels as k
from .core import Part
from .core.arrays import constant
from .core.checks import whole
from .core.numerics import log_softmax
from .posteriors import REAL

Array = np.ndarray


class Prior(Part, abstract=True):
    """Base of the priors: ``forward(z, *inputs) -> log p(z) (K, B), cache``.

    What a prior is made of besides its own parameters comes as `inputs`, from the model: the
    components of a VampPrior, or the mean and log-variance of one that another level conditions.
    `backward` gives the gradient of z and then theirs, and `sample` is given the same inputs.

    Attributes
    ----------
    pseudo_inputs : part or None
        ``forward() -> u (M, I)`` for a prior that is made of posteriors q(z given u_m). Parts know
        no models, so it is the model that encodes u; the posteriors' mu and logvar, (M, Z), are
        then the prior's inputs.
    n_components : int
        How many densities log p(z) is summed from.
    support : str
        What z lies in, in words.
    of_context : bool
        Whether its inputs are a mean and a log-variance, (B, Z), that the model's network makes of
        each row's context.
    """

    family = "prior"
    support = REAL
    pseudo_inputs: Part | None = None
    n_components = 1
    of_context = False

    def build(self, z_dim: int, n_inputs: int) -> None:
        """Declare parameters, for a latent of z_dim dimensions and an encoder of n_inputs."""
        return

    def start_from(self, rows: Array) -> None:
        """Begin training from some rows (n, I) of the encoder's input, unless trained before."""
        return

    @abstractmethod
    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        """Draw n latent vectors, (n, Z)."""


class StandardNormal(Prior):
    """log p(z) = Σ_Z -½ (z² + log 2π).

    Derivation: ∂log p/∂z = -z  ->  dz = -d z.
    Shapes: z (K, B, Z), log p (K, B).
    """

    name = "standard"

    def forward(self, z: Array) -> tuple[Array, Array]:
        return k.standard_normal_log_prob(z), z

    def backward(self, z: Array, d_log_p: Array) -> Array:
        return k.standard_normal_log_prob_backward(d_log_p, z)

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        return rng.standard_normal((n, z_dim))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)),)


class Conditional(Prior):
    """log p(z given c) = log N(z; mu, diag exp(logvar)), mu and logvar made of something else.

    Of the context c by a network of the model, p(z given c); or of the level above in a model with
    several. With a diagonal Gaussian posterior its KL has a closed form, `levels.ConditionalKL`.

    Derivation: that of `posteriors.GaussianLogProb`.
    Shapes: z (K, B, Z); mu, logvar (B, Z) or (K, B, Z); log p (K, B).
    Source: Sohn, Lee & Yan 2015, section 4.1.
    """

    of_context = True

    def forward(self, z: Array, mu: Array, logvar: Array) -> tuple[Array, Any]:
        return k.gaussian_log_prob(z, mu, logvar), (z, mu, logvar)

    def backward(self, cache: Any, d_log_p: Array) -> tuple[Array, Array, Array]:
        dz, dmu, dlogvar = k.gaussian_log_prob_backward(d_log_p, *cache)
        return dz, dmu, dlogvar

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        mu, logvar = inputs
        return mu + np.exp(0.5 * logvar) * rng.standard_normal((n, z_dim))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


class Mixture(Prior):
    """log p(z) = log Σ_M w_m N(z; mu_m, diag exp(logvar_m)),  w = softmax(logits), all learnt.

    Derivation, with l_m = log w_m + log N(z; mu_m, exp(logvar_m)), u_m = (z - mu_m) / std_m,
    std_m = exp(logvar_m / 2) and d the gradient of log p:
      (1) log p = log Σ exp(l_m)  ->  ∂log p/∂l_m = exp(l_m - log p) = r_m, the responsibility
      (2) ∂l_m/∂z = -u_m / std_m                 ->  dz        = -Σ_M d r_m u_m / std_m
      (3) ∂l_m/∂mu_m = u_m / std_m               ->  dmu_m     = Σ_KB d r_m u_m / std_m
      (4) ∂l_m/∂logvar_m = ½ (u_m² - 1)          ->  dlogvar_m = Σ_KB d r_m ½ (u_m² - 1)
      (5) ∂log w_m/∂logits_j = [m = j] - w_j, and Σ_M r_m = 1
                                                 ->  dlogits_j = Σ_KB d (r_j - w_j)
    One component at mu = 0 and logvar = 0 is the standard normal. The KL has no closed form.
    Shapes: z (K, B, Z); mu, logvar (M, Z); logits (M,); log p (K, B); r (K, B, M).
    Source: Tomczak & Welling 2018, section 3 (there "MoG").

    Parameters
    ----------
    n_components : int
        M. They start with means spread at random and equal weights, and the mixture as a whole
        with a variance of about 1.
    """

    mu: Array
    logvar: Array
    logits: Array
    dmu: Array
    dlogvar: Array
    dlogits: Array

    def __init__(self, n_components: int = 10) -> None:
        self.n_components = whole("n_components", n_components)

    def build(self, z_dim: int, n_inputs: int) -> None:
        spread = 0.5  # the share of the variance that lies between the components
        shape = (self.n_components, z_dim)
        self.parameter("mu", shape, lambda rng, shape: np.sqrt(spread) * rng.normal(size=shape))
        self.parameter("logvar", shape, lambda rng, shape: np.full(shape, np.log(1 - spread)))
        self.parameter("logits", shape[:1], lambda rng, shape: np.zeros(shape))

    def forward(self, z: Array) -> tuple[Array, Any]:
        log_p, r = k.mixture_log_prob(z, self.mu, self.logvar, self.logits)
        return log_p, (z, self.mu, self.logvar, self.logits, r)

    def backward(self, cache: Any, d_log_p: Array) -> Array:
        dz, dmu, dlogvar, dlogits = k.mixture_log_prob_backward(d_log_p, *cache)
        self.dmu += dmu  # (3)
        self.dlogvar += dlogvar  # (4)
        self.dlogits += dlogits  # (5)
        return dz  # (2)

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        return _draw(n, self.mu, self.logvar, self.logits, rng)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(4)
        part.build(3, 5)
        part.allocate(rng)
        part.logvar += 0.5 * rng.normal(size=(4, 3))
        part.logits += rng.normal(size=4)
        return part, (rng.normal(size=(5, 2, 3)),)


class PseudoInputs(Part):
    """u (M, I): learnt rows of the encoder's input. Their posteriors make up a VampPrior.

    Derivation: u is copied  ->  its gradient is du.
    """

    family = "prior_step"
    u: Array
    du: Array

    START = 0.01
    """How far from 0 they are before they start from data."""

    def __init__(self, n_components: int, n_inputs: int) -> None:
        self.n_components, self.n_inputs = n_components, n_inputs
        self.parameter("u", (n_components, n_inputs), self._near_zero)

    def forward(self) -> tuple[Array, None]:
        return self.u, None

    def backward(self, cache: None, du: Array) -> tuple[()]:
        self.du += du
        return ()

    def start_from(self, rows: Array) -> None:
        """Become rows of data, unless trained or set before."""
        if np.abs(self.u).max() <= self.START:
            self.u += rows[np.arange(self.n_components) % len(rows)]

    def _near_zero(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(-0.99 * self.START, 0.99 * self.START, shape)  # equal ones stay equal

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(4, 3).allocate(rng), ()


class VampPrior(Prior):
    """log p(z) = log 1/M Σ_M q(z given u_m), a mixture of the posteriors of learnt pseudo-inputs.

    With q(z given u_m) = N(mu_m, diag exp(logvar_m)), as the model's encoder gives it.

    Derivation: that of `Mixture`, with equal weights:
      (1) the responsibility r_m = q(z given u_m) / Σ_j q(z given u_j)
      (2) dz, dmu_m and dlogvar_m are those of `Mixture`, (2) to (4)
      (3) the model takes dmu and dlogvar back through its encoder: the gradient that its weights
          get here is added to that of encoding x, and what arrives at u is du
    The KL has no closed form. The pseudo-inputs are rows of the encoder's input: features of x,
    such as log(1 + x) of counts. Where a mask or a context stands beside the features, each u_m has
    its own, so that p(z) depends on no row's.
    Shapes: z (K, B, Z); mu, logvar (M, Z); u (M, I); log p (K, B).
    Source: Tomczak & Welling 2018, section 3.

    Parameters
    ----------
    n_components : int
        M, the number of pseudo-inputs. `fit` starts them from rows of the training data. Each step
        encodes them as well as the batch.
    """

    name = "vamp"

    def __init__(self, n_components: int = 50) -> None:
        self.n_components = whole("n_components", n_components)

    def build(self, z_dim: int, n_inputs: int) -> None:
        self.pseudo_inputs = PseudoInputs(self.n_components, n_inputs)

    def start_from(self, rows: Array) -> None:
        if isinstance(self.pseudo_inputs, PseudoInputs):
            self.pseudo_inputs.start_from(rows)

    def forward(self, z: Array, mu: Array, logvar: Array) -> tuple[Array, Any]:
        equal = constant(np.zeros(len(mu), z.dtype))
        log_p, r = k.mixture_log_prob(z, mu, logvar, equal)
        return log_p, (z, mu, logvar, equal, r)

    def backward(self, cache: Any, d_log_p: Array) -> tuple[Array, Array, Array]:
        dz, dmu, dlogvar, _ = k.mixture_log_prob_backward(d_log_p, *cache)
        return dz, dmu, dlogvar

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        mu, logvar = inputs
        return _draw(n, mu, logvar, np.zeros(len(mu)), rng)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        z, mu, logvar = rng.normal(size=(5, 2, 3)), *rng.normal(size=(2, 4, 3))
        return cls(4), (z, mu, logvar)


def _draw(n: int, mu: Array, logvar: Array, logits: Array, rng: np.random.Generator) -> Array:
    """n draws (n, Z) from the mixture: a component each, and from it a vector."""
    m = rng.choice(len(mu), n, p=np.exp(log_softmax(logits)))
    return mu[m] + np.exp(0.5 * logvar[m]) * rng.standard_normal((n, mu.shape[1]))
