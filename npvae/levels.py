"""Stochastic levels: z drawn from a posterior, and its divergence from a prior."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np

from . import kernels as k
from .core import LevelTerms, Part
from .core.errors import ConfigError
from .core.registry import text
from .posteriors import DiagonalGaussian, Posterior
from .priors import Conditional, Prior, StandardNormal

Array = np.ndarray
Arrays = tuple[Array, ...]
KL = TypeVar("KL", bound=type[Part])

_closed_forms: dict[tuple[type, type], type[Part]] = {}


def closed_form(posterior: type[Posterior], prior: type[Prior]) -> Callable[[KL], KL]:
    """Decorate a part as the closed form of KL(q ‖ p) of this pair.

    Its inputs are the posterior's parameters and then the prior's inputs, its output is the KL per
    latent dimension, (1, B, Z), or (K, B, Z) where an input has an axis for K. A pair of subclasses
    is another pair: a subclass may have changed the density. One that depends on more than the
    pair's classes is made by a classmethod ``of(posterior, prior)``.
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


@closed_form(DiagonalGaussian, Conditional)
class ConditionalKL(Part):
    """KL(N(mu, diag exp(logvar)) ‖ N(mu_p, diag exp(logvar_p))) per dimension.

    It is ½ (u² + exp(w) - 1 - w), with u = (mu - mu_p) / std_p and w = logvar - logvar_p.

    Derivation, elementwise, with d the gradient of the KL:
      (1) E_q[log q] = -½ (1 + logvar + log 2π), and with E_q[(z - mu_p)²] = exp(logvar) +
          (mu - mu_p)², E_q[log p] = -½ (exp(w) + u² + logvar_p + log 2π)
      (2) ∂KL/∂mu = u / std_p                ->  dmu       = d u / std_p
      (3) ∂KL/∂logvar = ½ (exp(w) - 1)       ->  dlogvar   = d ½ expm1(w)
      (4) u falls with mu_p as it rises with mu   ->  dmu_p = -dmu
      (5) ∂u²/∂logvar_p = -u²                ->  dlogvar_p = -dlogvar - d ½ u²
    Each is summed over K where its variable serves all samples.
    Shapes: mu, logvar, mu_p, logvar_p (B, Z) or (K, B, Z); kl (1, B, Z), or (K, B, Z) where one has
    samples.  Source: Sønderby et al. 2016, equation 2, by level.
    """

    family = "kl"
    name = "gaussian_conditional"

    def forward(self, mu: Array, logvar: Array, mu_p: Array, logvar_p: Array) -> tuple[Array, Any]:
        given = (mu, logvar, mu_p, logvar_p)
        return k.gaussian_kl_between(*given), given

    def backward(self, cache: Any, dkl: Array) -> Arrays:
        return k.gaussian_kl_between_backward(dkl, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (*rng.normal(size=(2, 2, 3)), *rng.normal(size=(2, 4, 2, 3)))


class Mean(Part):
    """E = Σ_m q_m f_m over every z_m, with f the log p(x given z_m) and q_m = exp(log_q_m).

    Derivation:
      (1) ∂E/∂f_m = q_m              ->  df_m = d q_m
      (2) ∂E/∂log_q_m = q_m f_m      ->  dlog_q_m = d q_m f_m
    Shapes: f, log_q (M, B); E (1, B).
    """

    family = "level_step"

    def forward(self, log_px: Array, log_q: Array) -> tuple[Array, Any]:
        return k.mean_over_codes(log_px, log_q), (log_px, log_q)

    def backward(self, cache: Any, d: Array) -> tuple[Array, Array]:
        return k.mean_over_codes_backward(d, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)))


_DEMANDS = {
    "gaussian": ("posterior", DiagonalGaussian, "posterior='gaussian'"),
    "standard": ("prior", StandardNormal, "prior='standard'"),
}
"""What an objective may ask of a level besides terms: which part is to be of which class."""


class Drawn(NamedTuple):
    """A sample z (K, B, Z), the posterior's parameters, and log q(z) (K, B) where it is needed.

    `log_share` (M, B) is log q(z) where z is no sample, but every z that there is.
    """

    z: Array
    params: Arrays
    log_qz: Any
    log_share: Any = None


class Level(Part, abstract=True):
    """z ~ q(z given stats), and the terms in which q and the prior p are compared.

    The KL is taken in closed form where posterior and prior have one together, see `closed_form`;
    else log q(z) and log p(z) of the sample stand for it.

    `forward` is `draw` and then `compare`, `backward` the same from the end. A model in which the
    prior's inputs depend on z calls them one by one.

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
        if posterior.support != prior.support:
            raise ConfigError(
                f"posterior and prior are over the same z; {posterior.name!r} is over "
                f"{posterior.support}, and {prior.name!r} over {prior.support}. Leave the prior "
                f"out, or take prior={text(posterior.usual_prior)!r}."
            )
        kl: Any = _closed_forms.get((type(posterior), type(prior)))
        made = getattr(kl, "of", lambda posterior, prior: kl and kl())
        self.kl: Any = made(posterior, prior)
        self.mean = Mean()
        self._refused = {
            need: f"this objective is for models with one latent level and {take}; this one's "
            f"{what} is {type(getattr(self, what)).__name__}."
            for need, (what, cls, take) in _DEMANDS.items()
            if type(getattr(self, what)) is not cls
        }

    def forward(
        self,
        stats: Array,
        eps: Array,
        needs: Collection[str] = ("kl",),
        prior_inputs: Arrays = (),
    ) -> tuple[tuple[Array, LevelTerms], Any]:
        """((z, terms), cache): the sample of the noise eps, and the terms that `needs` names."""
        drawn, c_draw = self.draw(stats, eps, needs)
        terms, c_compare = self.compare(drawn, needs, prior_inputs)
        return (drawn.z, terms), (c_draw, c_compare)

    def backward(self, cache: Any, dz: Array, d_level: LevelTerms) -> tuple[Array, Arrays]:
        """The gradients of stats and of the prior's inputs (those that were used, else none)."""
        c_draw, c_compare = cache
        d_drawn, d_inputs = self.compare_backward(c_compare, d_level)
        return self.draw_backward(c_draw, dz, d_level, d_drawn), d_inputs

    def draw(self, stats: Array, eps: Array, needs: Collection[str]) -> tuple[Drawn, Any]:
        """(drawn, cache): the sample of the noise eps."""
        params, c_params = self.posterior.forward(stats)
        if self.posterior.sums and not self._is_of_samples(needs):
            (z, log_share), c_every = self.posterior.every(params)
            return Drawn(z, params, None, log_share), (c_params, None, c_every)
        (z, log_qz), c_z = self.posterior.draw(params, eps, self._gives("log_qz", needs))
        return Drawn(z, params, log_qz), (c_params, c_z, None)

    def draw_backward(self, cache: Any, dz: Array, d_level: LevelTerms, d_drawn: Any) -> Array:
        """The gradient of stats; `d_drawn` is what `compare_backward` gave."""
        c_params, c_z, c_every = cache
        dz_compared, d_compared = d_drawn
        if c_every is not None:  # z is a constant
            d_params = self.posterior.every_backward(c_every, d_level.log_share)
            return self.posterior.backward(c_params, *_sums([d_params, *d_compared]))
        for use in (d_level.z, dz_compared):
            dz = dz if use is None else k.add(dz, use)  # (1)
        d_params = self.posterior.draw_backward(
            c_z, dz, d_level.log_qz, d_level.score, d_level.dz_scale
        )  # (2)
        return self.posterior.backward(c_params, *_sums([d_params, *d_compared]))  # (3)

    def compare(
        self, drawn: Drawn, needs: Collection[str], prior_inputs: Arrays
    ) -> tuple[LevelTerms, Any]:
        """(terms, cache): what `needs` names of a sample."""
        for need, sentence in self._refused.items():
            if need in needs:
                raise ConfigError(sentence)
        terms = LevelTerms(log_qz=drawn.log_qz, log_share=drawn.log_share)
        c_kl = c_log_pz = None
        if "kl" in needs and self.kl is not None:
            terms.kl, c_kl = self.kl.forward(*drawn.params, *prior_inputs)
        if self._gives("log_pz", needs):
            terms.log_pz, c_log_pz = self.prior.forward(drawn.z, *prior_inputs)
        if "z" in needs:
            terms.z = drawn.z
        if "posterior" in needs or "gaussian" in needs:
            terms.posterior = drawn.params
        return terms, (c_kl, c_log_pz, len(drawn.params))

    def compare_backward(self, cache: Any, d_level: LevelTerms) -> tuple[Any, Arrays]:
        """What the terms add to the sample's gradients, and the gradients of the prior's inputs."""
        c_kl, c_log_pz, n_params = cache
        dz, d_params, d_inputs = None, [], []
        if d_level.log_pz is not None:
            dz, *own = _tuple(self.prior.backward(c_log_pz, d_level.log_pz))
            d_inputs.append(own)
        if d_level.kl is not None:
            uses = _tuple(self.kl.backward(c_kl, d_level.kl))
            d_params.append(uses[:n_params])
            d_inputs.append(list(uses[n_params:]))
        if d_level.posterior is not None:
            d_params.append(d_level.posterior)
        return (dz, d_params), _sums(d_inputs)  # (4)

    def expected(self, log_px: Array, level: LevelTerms) -> tuple[Array, Any]:
        """log p(x given z) of each sample; of every z that there is, its mean, (1, B)."""
        if level.log_share is None:
            return log_px, None
        return self.mean.forward(log_px, level.log_share)

    def expected_backward(
        self, cache: Any, d_log_px: Array, d_level: LevelTerms
    ) -> tuple[Array, LevelTerms]:
        """The gradients of log p(x given z), and of the level's terms."""
        if cache is None:
            return d_log_px, d_level
        d_log_px, d_log_share = self.mean.backward(cache, d_log_px)
        return d_log_px, replace(d_level, log_share=d_log_share)

    def _is_of_samples(self, needs: Collection[str]) -> bool:
        """Whether a term is asked of draws of z, where the level can go through every z as well."""
        return "z" in needs or self._gives("log_qz", needs) or self._gives("log_pz", needs)

    def _gives(self, density: str, needs: Collection[str]) -> bool:
        """Whether log_qz or log_pz is needed, by itself or for a KL without a closed form."""
        return density in needs or ("kl" in needs and self.kl is None)


def _tuple(gradients: Any) -> Arrays:
    """What a part's backward gives, as a tuple also where it is one gradient."""
    return gradients if isinstance(gradients, tuple) else (gradients,)


def _sums(uses: list[Any]) -> Arrays:
    """The gradients of some variables, (first, second, ...), summed over their uses."""
    return tuple(reduce(k.add, gradients) for gradients in zip(*uses, strict=True))
