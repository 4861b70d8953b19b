"""Activations: h = f(a + b), the bias taken in the same pass.

Every one shares these steps of its derivation, with s = a + b, L the loss and B rows:

  (1) h = f(s)            ->  dL/ds = dh f'(s), elementwise
  (2) ds/da = 1           ->  da = dL/ds
  (3) ds_ij/db_j = 1      ->  db_j = Σ_i da_ij, since every row i has the same bias

and differs only in f'. Shapes: a, h (R, H); b (H,).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import number
from ..core.registry import parameters

Array = np.ndarray


class Activation(Part, abstract=True):
    """Base of the activations.

    Attributes
    ----------
    gain : float
        What a layer's initial weights are multiplied by. Glorot's variances are those for a slope
        of 1 where s is small; an activation that is straight there with another has its inverse.
    """

    family = "activation"
    gain = 1.0

    @property
    def config(self) -> Any:
        """The name alone where every argument has its default."""
        usual = {a: p.default for a, p in parameters(type(self)).items()}
        return self.name if self.arguments == usual else super().config

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(0, 2, (4, 3)), rng.normal(0, 1, 3))


class Identity(Activation):
    """f(s) = s, f'(s) = 1."""

    def forward(self, a: Array, b: Array) -> tuple[Array, None]:
        return k.bias_identity(a, b), None

    def backward(self, cache: None, dh: Array) -> tuple[Array, Array]:
        return k.bias_identity_backward(dh)


class ReLU(Activation):
    """f(s) = max(s, 0).

    Derivation: f' = 1 where s > 0 and 0 where s < 0; at the kink it is taken as 0. Since
    h > 0 exactly where s > 0, the output is all that backward needs.
    Source: Nair & Hinton 2010.
    """

    name = "relu"

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_relu(a, b)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_relu_backward(dh, h)


class LeakyReLU(Activation):
    """f(s) = s where s > 0, slope · s elsewhere.

    Derivation: f' = 1 or slope, and h > 0 exactly where s > 0, since slope is not negative.
    Source: Maas, Hannun & Ng 2013.

    Parameters
    ----------
    slope : float
        0 or more.
    """

    name = "leaky_relu"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = number("LeakyReLU's slope", slope, least=0)

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_leaky_relu(a, b, self.slope)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_leaky_relu_backward(dh, h, self.slope)


class Tanh(Activation):
    """f(s) = tanh(s).

    Derivation: f' = 1 - tanh² = (1 - h)(1 + h); the product does not round h² first.
    """

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_tanh(a, b)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_tanh_backward(dh, h)


class Sigmoid(Activation):
    """f(s) = 1 / (1 + exp(-s)).

    Derivation: f' = exp(-s) / (1 + exp(-s))² = h (1 - h).
    """

    gain = 4.0  # 1 / f'(0)

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_sigmoid(a, b)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_sigmoid_backward(dh, h)


class Softplus(Activation):
    """f(s) = log(1 + exp(s)).

    Derivation: f' = exp(s) / (1 + exp(s)) = 1 - 1 / (1 + exp(s)), and 1 + exp(s) = exp(h), so
    f' = 1 - exp(-h) = -expm1(-h), which keeps its digits where h is small.
    Source: Dugas et al. 2001.
    """

    gain = 2.0  # 1 / f'(0)

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_softplus(a, b)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_softplus_backward(dh, h)


class ELU(Activation):
    """f(s) = s where s > 0, alpha (exp(s) - 1) elsewhere.

    Derivation: f' = 1, or alpha exp(s) = h + alpha.
    Source: Clevert, Unterthiner & Hochreiter 2016, equation 15.

    Parameters
    ----------
    alpha : float
        0 or more: h stays above -alpha.
    """

    name = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = number("ELU's alpha", alpha, least=0)

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        h = k.bias_elu(a, b, self.alpha)
        return h, h

    def backward(self, h: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_elu_backward(dh, h, self.alpha)


class GELU(Activation):
    """f(s) = s Φ(s), with Φ the standard normal distribution function (exact, not the tanh form).

    Derivation: Φ' = φ(s) = exp(-s²/2) / √(2π), so f' = Φ(s) + s φ(s). Not invertible, so backward
    needs s itself.
    Source: Hendrycks & Gimpel 2016.
    """

    name = "gelu"

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        return k.bias_gelu(a, b)

    def backward(self, s: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_gelu_backward(dh, s)


class SiLU(Activation):
    """f(s) = s σ(s), with σ the sigmoid.

    Derivation: σ' = σ (1 - σ), so f' = σ + s σ (1 - σ). Not invertible, so backward needs s itself.
    Source: Elfwing, Uchibe & Doya 2018; Ramachandran, Zoph & Le 2017 ("swish").
    """

    name = "silu"

    def forward(self, a: Array, b: Array) -> tuple[Array, Array]:
        return k.bias_silu(a, b)

    def backward(self, s: Array, dh: Array) -> tuple[Array, Array]:
        return k.bias_silu_backward(dh, s)
