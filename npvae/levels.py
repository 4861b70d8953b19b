"""Stochastic levels: z drawn from a posterior, and its divergence from a prior."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from . import kernels as k
from .core import LevelTerms, Part
from .posteriors import DiagonalGaussian, Posterior
from .priors import Prior, StandardNormal

Array = np.ndarray
Arrays = tuple[Array, ...]
KL = TypeVar("KL", bound=type[Part])

_closed_forms: dict[tuple[type, type], type[Part]] = {}


def closed_form(posterior: type[Posterior], prior: type[Prior]) -> Callable[[KL], KL]:
    """Decorate a part as the closed form of KL(q ‖ p) of this pair.

    Its inputs are the posterior's parameters and then the prior's inputs, its output is the KL per
    latent dimension, (1, B, Z), or (K, B, Z) where an input has an axis for K. A pair of subclasses
    is another pair: a subclass may have changed the density.
    """

    def register(kl: KL) -> KL:
        _closed_forms[posterior, prior] = kl
        return kl

    return register


@closed_form(DiagonalGaussian, StandardNormal)
class GaussianKL(Part):
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) = ½ (mu² + exp(logvar) - 1 - logvar) per dimension.

    Derivation, elementwise:
      (1) KL = E_q[log q - log p] = E_q[-½ (eps² + logvar) + ½ z²], and E_q[eps²] = 1,
          E_q[z²] = mu² + exp(logvar)
      (2) ∂KL/∂mu = mu                           ->  dmu     = dkl mu
      (3) ∂KL/∂logvar = ½ (exp(logvar) - 1)      ->  dlogvar = dkl ½ expm1(logvar)
    Shapes: mu, logvar (B, Z) and kl (1, B, Z), as the samples share them; or all (K, B, Z).
    Source: Kingma & Welling 2014, appendix B.
    """

    family = "kl"
    name = "gaussian_standard"

    def forward(self, mu: Array, logvar: Array) -> tuple[Array, Any]:
        return k.gaussian_kl(mu, logvar), (mu, logvar)

    def backward(self, cache: Any, dkl: Array) -> tuple[Array, Array]:
        return k.gaussian_kl_backward(dkl, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


class Level(Part, abstract=True):
    """z ~ q(z given stats), and the terms in which q and the prior p are compared.

    The KL is taken in closed form where posterior and prior have one together, see `closed_form`;
    else log q(z) and log p(z) of the sample stand for it.

    Derivation: z, the posterior's parameters and the prior's inputs each have several uses, and a
    variable's gradient is the sum over its uses.
      (1) z: what the model makes of it (dz), the objective (d_level.z), log p(z)
      (2) ... and log q(z), which `Posterior.draw_backward` adds before it goes on to
      (3) the parameters, used as well by the KL and by the objective (d_level.posterior)
      (4) the prior's inputs: the KL and log p(z)
    Shapes: stats (B, S), or (K, B, S) where a sample of another level conditions this one; eps and
    z (K, B, Z).

    Attributes
    ----------
    kl : part or None
        The closed form of KL(q ‖ p), if there is one.
    """

    def __init__(self, posterior: Posterior, prior: Prior) -> None:
        self.posterior, self.prior = posterior, prior
        kl = _closed_forms.get((type(posterior), type(prior)))
        self.kl: Any = None if kl is None else kl()

    def forward(
        self,
        stats: Array,
        eps: Array,
        needs: Collection[str] = ("kl",),
        prior_inputs: Arrays = (),
    ) -> tuple[tuple[Array, LevelTerms], Any]:
        """((z, terms), cache): the sample of the noise eps, and the terms that `needs` names."""
        closed = "kl" in needs and self.kl is not None
        sampled = {"log_qz", "log_pz"} if "kl" in needs and not closed else set(needs)
        params, c_params = self.posterior.forward(stats)
        (z, log_qz), c_draw = self.posterior.draw(params, eps, "log_qz" in sampled)
        terms = LevelTerms(log_qz=log_qz)
        c_kl = c_log_pz = None
        if closed:
            terms.kl, c_kl = self.kl.forward(*params, *prior_inputs)
        if "log_pz" in sampled:
            terms.log_pz, c_log_pz = self.prior.forward(z, *prior_inputs)
        if "z" in needs:
            terms.z = z
        if "posterior" in needs:
            terms.posterior = params
        return (z, terms), (c_params, c_draw, c_kl, c_log_pz, len(params))

    def backward(self, cache: Any, dz: Array, d_level: LevelTerms) -> tuple[Array, Arrays]:
        """The gradients of stats and of the prior's inputs (those that were used, else none)."""
        c_params, c_draw, c_kl, c_log_pz, n_params = cache
        d_inputs: list[Arrays] = []
        if d_level.z is not None:
            dz = k.add(dz, d_level.z)  # (1)
        if d_level.log_pz is not None:
            d_used = _tuple(self.prior.backward(c_log_pz, d_level.log_pz))
            dz = k.add(dz, d_used[0])  # (1)
            d_inputs.append(d_used[1:])
        d_params = [
            self.posterior.draw_backward(
                c_draw, dz, d_level.log_qz, d_level.score, d_level.dz_scale
            )
        ]  # (2)
        if d_level.kl is not None:
            d_used = _tuple(self.kl.backward(c_kl, d_level.kl))
            d_params.append(d_used[:n_params])
            d_inputs.append(d_used[n_params:])
        if d_level.posterior is not None:
            d_params.append(d_level.posterior)
        return self.posterior.backward(c_params, *_sums(d_params)), _sums(d_inputs)  # (3), (4)


def _tuple(gradients: Any) -> Arrays:
    """What a part's backward gives, as a tuple also where it is one gradient."""
    return gradients if isinstance(gradients, tuple) else (gradients,)


def _sums(uses: list[Any]) -> Arrays:
    """The gradients of some variables, (first, second, ...), summed over their uses."""
    return tuple(reduce(k.add, gradients) for gradients in zip(*uses, strict=True))
