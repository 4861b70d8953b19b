"""How the posteriors of several levels are made, and the chain of priors that they meet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import LevelTerms, Part
from ..core.arrays import constant
from ..layers import Dense, Sequential
from ..levels import ConditionalKL, Level, closed_form
from ..posteriors import DiagonalGaussian
from ..priors import Conditional, StandardNormal

Array = np.ndarray
Arrays = tuple[Array, ...]
Drawn = tuple[Array, list[LevelTerms]]
Seen = tuple[int, Any]
"""How many numbers layers are given, and the gain of their first weights."""


class Chain(Part, abstract=True):
    """p(z_l given z_{l+1}) of every level but the top: its mean and log-variance, by a network.

    Levels count from 0 here, as lists do.

    Derivation: that of the network and of `posteriors.DiagonalGaussian`, whose bend of
    log-variances serves here too.
    """

    def __init__(self, networks: Sequence[Any]) -> None:
        self.networks = list(networks)
        self.heads = DiagonalGaussian()

    def forward(self, level: int, above: Array) -> tuple[Arrays, Any]:
        """(mu, logvar) of a level given the sample of the one above, and the cache."""
        stats, c_network = self.networks[level].forward(above)
        prior, c_heads = self.heads.forward(stats)
        return prior, (c_network, c_heads)

    def backward(self, cache: Any, level: int, d_prior: Arrays) -> Any:
        """The gradient of the sample above."""
        c_network, c_heads = cache
        dstats = self.heads.backward(c_heads, *d_prior)
        return self.networks[level].backward(c_network, dstats)


class Inference(Part, abstract=True):
    """Networks that make q of every level, and the levels themselves.

    The contract, where `chain` gives the priors::

        forward(inputs, eps, needs, chain)      -> (z_1, terms of each level), cache
        backward(cache, dz_1, d_levels, chain)     # nobody asks for the gradient of the inputs
        centred(inputs, chain)                  -> each level's parameters of q

    Networks go up: ``up[l]`` are hidden layers, of which ``heads[l]`` makes the statistics of q.
    Those of level 1 begin with `first`, where there is one, and go on with what it makes, `seen`.
    """

    def __init__(
        self,
        seen: Seen,
        z_dims: Sequence[int],
        hidden: Sequence[int],
        activation: Any,
        init: str,
        first: Any = None,
    ) -> None:
        self.up: list[Any] = []
        self.heads: list[Any] = []
        for level, z_dim in enumerate(z_dims):
            n_in, gain = self._seen_at(level, seen, z_dims, hidden)
            layers = [first] if first is not None and level == 0 else []
            for width in hidden:
                layers.append(Dense(n_in, width, activation, init, gain))
                n_in, gain = width, 1.0
            self.up.append(Sequential(layers))
            self.heads.append(Dense(n_in, 2 * z_dim, "identity", init, gain))
        *beneath, _ = z_dims
        top = Level(DiagonalGaussian(), StandardNormal())
        self.levels = [*(self._level() for _ in beneath), top]

    @staticmethod
    def _seen_at(level: int, seen: Seen, z_dims: Sequence[int], hidden: Sequence[int]) -> Seen:
        """What the layers of a level are given."""
        return seen if level == 0 or not hidden else (hidden[-1], 1.0)

    @staticmethod
    def _level() -> Level:
        """A level beneath the top."""
        return Level(DiagonalGaussian(), Conditional())


class BottomUp(Inference, abstract=True):
    """q(z_l given x) of each level by itself, from hidden layers h_l(h_{l-1}( ... x)).

    Derivation: from x's likelihood upwards, in the order against which they were computed.
      (1) z_l is used by what is beneath (dz) and by its own terms  ->  `Level.backward`
      (2) the prior of z_l is made of z_{l+1}        ->  dz_{l+1} by `Chain.backward`
      (3) h_l is used by its head and by h_{l+1}     ->  the sum of both
    """

    def forward(
        self, inputs: Array, eps: Any, needs: Collection[str], chain: Chain
    ) -> tuple[Drawn, Any]:
        stats, c_up = self._upwards(inputs)
        (z, top), c_level = self.levels[-1].forward(stats[-1], eps[-1], needs)
        terms, caches = [top], [(None, None, c_level)]
        for i in reversed(range(len(stats) - 1)):
            prior, c_prior = chain.forward(i, z)
            given, c_given = self._given(stats[i], prior)
            (z, own), c_level = self.levels[i].forward(given, eps[i], needs, prior)
            terms.insert(0, own)
            caches.insert(0, (c_prior, c_given, c_level))
        return (z, terms), (c_up, caches)

    def backward(self, cache: Any, dz: Array, d_levels: Sequence[LevelTerms], chain: Chain) -> None:
        c_up, caches = cache
        dstats = []
        for i, (level, d_level) in enumerate(zip(self.levels, d_levels, strict=True)):
            c_prior, c_given, c_level = caches[i]
            d_given, d_prior = level.backward(c_level, dz, d_level)  # (1)
            if i < len(self.levels) - 1:
                d_given, d_prior = self._given_backward(c_given, d_given, d_prior)
                dz = chain.backward(c_prior, i, d_prior or _nothing(c_prior))  # (2)
            dstats.append(d_given)
        self._upwards_backward(c_up, dstats)

    def centred(self, inputs: Array, chain: Chain) -> list[Arrays]:
        stats, _ = self._upwards(inputs)
        params = [self.levels[-1].posterior.forward(stats[-1])[0]]
        for i in reversed(range(len(stats) - 1)):
            prior, _ = chain.forward(i, params[0][0])
            given, _ = self._given(stats[i], prior)
            params.insert(0, self.levels[i].posterior.forward(given)[0])
        return params

    def _upwards(self, h: Array) -> tuple[list[Array], Any]:
        """The statistics of each level, from the hidden layers over each other."""
        stats, caches = [], []
        for up, head in zip(self.up, self.heads, strict=True):
            h, c_up = up.forward(h)
            s, c_head = head.forward(h)
            stats.append(s)
            caches.append((c_up, c_head))
        return stats, caches

    def _upwards_backward(self, caches: Any, dstats: Sequence[Array]) -> None:
        dh: Any = None
        for i in reversed(range(len(caches))):
            c_up, c_head = caches[i]
            d = self.heads[i].backward(c_head, dstats[i])
            dh = self.up[i].backward(
                c_up, d if dh is None else k.add(d, dh), wrt_input=i > 0
            )  # (3)

    def _given(self, stats: Array, prior: Arrays) -> tuple[Any, Any]:
        """What the level's posterior is made of."""
        return stats, None

    def _given_backward(self, cache: Any, d_given: Any, d_prior: Arrays) -> tuple[Any, Arrays]:
        return d_given, d_prior


class Merged(DiagonalGaussian, abstract=True):
    """A diagonal Gaussian whose mean and log-variance are made already."""

    def forward(self, params: Any) -> tuple[Any, Any]:
        return params, None

    def backward(self, cache: Any, dmu: Array, dlogvar: Array) -> Any:
        return dmu, dlogvar


closed_form(Merged, Conditional)(ConditionalKL)


class PrecisionWeighted(Part):
    """The Gaussian proportional to the product of two, N(mu, exp(v)) and N(mu_p, exp(v_p)).

    With s = σ(v_p - v), the share of the first in the sum of the precisions exp(-v) + exp(-v_p):

        mean = mu_p + s (mu - mu_p),   spread = -log(exp(-v) + exp(-v_p))

    Derivation, elementwise, with dm and ds the gradients of mean and spread:
      (1) ∂mean/∂mu = s, ∂mean/∂mu_p = 1 - s        ->  dmu = dm s,  dmu_p = dm (1 - s)
      (2) ∂s/∂v_p = s (1 - s) = -∂s/∂v              ->  t = dm (mu - mu_p) s (1 - s) goes to v_p,
                                                        and -t to v
      (3) ∂spread/∂v = s, ∂spread/∂v_p = 1 - s      ->  dv = ds s - t,  dv_p = ds (1 - s) + t
    mu and v serve all K samples of the prior's, hence their sums over K.
    Shapes: mu, v (B, Z) or (K, B, Z); mu_p, v_p, mean, spread (K, B, Z).
    Source: Sønderby et al. 2016, equations 18 and 19.
    """

    family = "posterior_step"

    def forward(self, mu: Array, logvar: Array, mu_p: Array, logvar_p: Array) -> tuple[Arrays, Any]:
        given = (mu, logvar, mu_p, logvar_p)
        return k.precision_weighted(*given), given

    def backward(self, cache: Any, d_mean: Array, d_spread: Array) -> Arrays:
        return k.precision_weighted_backward(d_mean, d_spread, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (*rng.normal(size=(2, 2, 3)), *rng.normal(size=(2, 4, 2, 3)))


class TopDown(BottomUp, abstract=True):
    """`BottomUp`, each level but the top merged with its prior at the sample above.

    Derivation: that of `BottomUp`; the prior of z_l has two uses then, in the KL and in q, and its
    gradient is the sum of both.
    """

    def __init__(self, *sizes: Any) -> None:
        super().__init__(*sizes)
        self.likely, self.merge = DiagonalGaussian(), PrecisionWeighted()

    @staticmethod
    def _level() -> Level:
        return Level(Merged(), Conditional())

    def _given(self, stats: Array, prior: Arrays) -> tuple[Any, Any]:
        likely, c_likely = self.likely.forward(stats)
        merged, c_merge = self.merge.forward(*likely, *prior)
        return merged, (c_likely, c_merge)

    def _given_backward(self, cache: Any, d_given: Any, d_prior: Arrays) -> tuple[Any, Arrays]:
        c_likely, c_merge = cache
        dmu, dlogvar, *in_q = self.merge.backward(c_merge, *d_given)
        if d_prior:
            in_q = [k.add(a, b) for a, b in zip(in_q, d_prior, strict=True)]
        return self.likely.backward(c_likely, dmu, dlogvar), tuple(in_q)


class _OfDependent(Conditional, abstract=True):
    """The prior of a z on which its condition depends: the KL by both has no closed form."""


class Upwards(Inference, abstract=True):
    """q(z_1 given x) q(z_2 given z_1) ...: each level from the sample of the one beneath.

    Derivation: z_l is used by the decoder or the prior beneath, by q of the level above, and by its
    own terms; its gradient is the sum. So dz_{l+1} of the prior's use is at hand before level l + 1
    is gone through, from the bottom up, and q's uses on the way back down.
    """

    @staticmethod
    def _seen_at(level: int, seen: Seen, z_dims: Sequence[int], hidden: Sequence[int]) -> Seen:
        return seen if level == 0 else (z_dims[level - 1], 1.0)

    @staticmethod
    def _level() -> Level:
        return Level(DiagonalGaussian(), _OfDependent())

    def forward(
        self, inputs: Array, eps: Any, needs: Collection[str], chain: Chain
    ) -> tuple[Drawn, Any]:
        drawn, seen, c_draws = [], inputs, []
        for i, level in enumerate(self.levels):
            h, c_up = self.up[i].forward(seen)
            stats, c_head = self.heads[i].forward(h)
            one, c_draw = level.draw(stats, eps[i], needs)
            drawn.append(one)
            c_draws.append((c_up, c_head, c_draw))
            seen = one.z
        terms, c_terms = [], []
        for i, level in enumerate(self.levels):
            top = i == len(self.levels) - 1
            prior, c_prior = ((), None) if top else chain.forward(i, drawn[i + 1].z)
            own, c_compare = level.compare(drawn[i], needs, prior)
            terms.append(own)
            c_terms.append((c_prior, c_compare))
        return (drawn[0].z, terms), (c_draws, c_terms)

    def backward(self, cache: Any, dz: Array, d_levels: Sequence[LevelTerms], chain: Chain) -> None:
        c_draws, c_terms = cache
        dzs, compared = [dz], []
        for i, level in enumerate(self.levels):
            c_prior, c_compare = c_terms[i]
            d_drawn, d_prior = level.compare_backward(c_compare, d_levels[i])
            compared.append(d_drawn)
            if i < len(self.levels) - 1:
                dzs.append(chain.backward(c_prior, i, d_prior or _nothing(c_prior)))
        for i in reversed(range(len(self.levels))):
            c_up, c_head, c_draw = c_draws[i]
            dstats = self.levels[i].draw_backward(c_draw, dzs[i], d_levels[i], compared[i])
            dh = self.heads[i].backward(c_head, dstats)
            seen = self.up[i].backward(c_up, dh, wrt_input=i > 0)
            if i:
                dzs[i - 1] = k.add(dzs[i - 1], seen)

    def centred(self, inputs: Array, chain: Chain) -> list[Arrays]:
        params, seen = [], inputs
        for up, head, level in zip(self.up, self.heads, self.levels, strict=True):
            stats, _ = head.forward(up.forward(seen)[0])
            params.append(level.posterior.forward(stats)[0])
            seen = params[-1][0]
        return params


INFERENCES = {"top_down": TopDown, "bottom_up": BottomUp, "chain": Upwards}


def _nothing(c_prior: Any) -> Arrays:
    """The gradient of a prior that no term used."""
    _, stats = c_prior  # what the heads keep
    zeros = constant(np.zeros((*stats.shape[:-1], stats.shape[-1] // 2), stats.dtype))
    return zeros, zeros
