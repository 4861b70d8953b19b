"""The contract of a flow, and the posterior that flows make."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from .. import kernels as k
from ..core import Part, clone, resolve
from ..core.arrays import constant
from ..core.checks import flag, whole
from ..core.errors import ConfigError
from ..kernels.seam import kernel
from ..posteriors import DiagonalGaussian, Params, Posterior

Array = np.ndarray

MOST_FLOWS = 1000
"""A few words of a model file could ask for as many as fill the memory."""


LOUDNESS = 0.05
"""By how much the numbers count that an encoder adds to a flow's parameters.

Adam moves what a network gives by up to the learning rate times the sum of its last hidden units a
step. For parameters of 0.1 that is as much as they are, and such flows did worse than none.
"""


class Flow(Part, abstract=True):
    """Base of the flows: an invertible map of z, and by how much it changes the log-density.

    The contract, where `stats` (B, S) are what the encoder gives a flow with S = n_outputs > 0,
    and left out of both for one that has only parameters of its own::

        forward(z, stats)               -> (f(z), change), cache  # change = -log|det ∂f/∂z|, (K, B)
        backward(cache, dz, d_change)   -> dz, dstats

    Each kind of flow gives its name to a posterior of n such flows: ``posterior="planar:n=8"``.

    Attributes
    ----------
    invertible : bool
        Whether ``inverse(z)`` gives back what `forward` moved to z.
    place : int
        How many flows come before it: those that treat dimensions unlike take turns by it.
    """

    family = "flow"
    invertible = False
    place = 0

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(abstract, **kwargs)
        if not abstract:
            _name_posterior(cls)

    def build(self, z_dim: int) -> None:
        """Declare parameters, for a latent of z_dim dimensions."""
        return

    def n_outputs(self, z_dim: int) -> int:
        """S, how many numbers of each row the encoder gives the flow."""
        return 0


class Amortisable(Flow, abstract=True):
    """A flow to whose parameters the encoder may add numbers of each row: `amortised`.

    What is added is `quiet`, and so is the gradient that the encoder gets. That is the gradient of
    the parameters of each row, (B, S) or (K, B, S); summed over the rows, `summed_over_rows`, it is
    that of the flow's own.
    """

    amortised = False
    later: ClassVar[dict[str, Any]] = {"amortised": False}

    def __init__(self, amortised: bool = False) -> None:
        self.amortised = flag("amortised", amortised)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{type(self).__name__}({arguments})"

    def n_outputs(self, z_dim: int) -> int:
        return sum(self.widths(z_dim)) if self.amortised else 0

    def widths(self, z_dim: int) -> tuple[int, ...]:
        """How many numbers each parameter has."""
        raise NotImplementedError


@kernel
def quiet(stats: Array) -> Array:
    """What is added to a flow's parameters, of an encoder's numbers; and so for the gradients."""
    return LOUDNESS * stats


@kernel
def summed_over_rows(dstats: Array, widths: tuple[int, ...]) -> tuple[Array, ...]:
    """The sums over all rows of gradients (..., S), cut into so many numbers each."""
    total = dstats.reshape(-1, dstats.shape[-1]).sum(0)
    return tuple(np.split(total, np.cumsum(widths)[:-1]))


def number_of_flows(n: Any) -> int:
    """n, if so many flows can be made."""
    n = whole("n, the number of flows,", n)
    if n > MOST_FLOWS:
        raise ConfigError(f"flows are {MOST_FLOWS:,} at most, made one by one; got {n:,}.")
    return n


def in_turn(flows: list[Any]) -> list[Any]:
    """The flows of a chain, each told its place."""
    for place, flow in enumerate(flows):
        flow.place = place
    return flows


class Flowed(Posterior):
    """q(z given x) of z = f_T(... f_1(z_0) ...), where z_0 has a diagonal Gaussian's density.

    Derivation, with change_t = -log|det ∂f_t/∂z_{t-1}|:
      (1) log q(z) = log q_0(z_0) + Σ_t change_t   ->  the gradient of each change is that of log q
      (2) z_{t-1} is used by f_t and its change    ->  dz_{t-1} as f_t's backward gives it
      (3) z_0 is drawn, and used by log q_0        ->  the Gaussian's own `draw_backward`
    Density and sample are known together; there is no log q of another z, and no closed-form KL.
    Shapes: z (K, B, Z); stats (B, 2Z + Σ S_t): the Gaussian's, and then those of each flow.
    Source: Rezende & Mohamed 2015, equations 5 to 7 and 13.

    Parameters
    ----------
    flows : sequence of Flow, str or dict
        In the order in which z goes through them. It takes a copy of each, so that none shares its
        parameters with another.

    Raises
    ------
    ConfigError
        If `flows` is no sequence, or one of them is no flow.
    """

    def __init__(self, flows: Sequence[Any]) -> None:
        if not isinstance(flows, (list, tuple)):
            raise ConfigError(f"Flowed takes a list of flows, such as ['planar']; got {flows!r}.")
        self.flows = in_turn([clone(resolve("flow", flow)) for flow in flows])
        self.base = DiagonalGaussian()

    def build(self, z_dim: int) -> None:
        for flow in self.flows:
            flow.build(z_dim)
        widths = [self.base.n_outputs(z_dim), *(flow.n_outputs(z_dim) for flow in self.flows)]
        self._ends = [0, *np.cumsum(widths).tolist()]

    def n_outputs(self, z_dim: int) -> int:
        own = sum(flow.n_outputs(z_dim) for flow in self.flows)
        return self.base.n_outputs(z_dim) + own

    def forward(self, stats: Array) -> tuple[Params, Any]:
        pieces = [stats[..., start:end] for start, end in pairwise(self._ends) if end > start]
        params, cache = self.base.forward(pieces[0])
        return (*params, *pieces[1:]), cache

    def backward(self, cache: Any, dmu: Array, dlogvar: Array, *dstats: Array) -> Array:
        whole = self.base.backward(cache, dmu, dlogvar)
        for piece in dstats:
            whole = k.concat(whole, piece)
        return whole

    def draw(self, params: Params, eps: Array, density: bool) -> tuple[tuple[Array, Any], Any]:
        (z, log_q), c_base = self.base.draw(params[:2], eps, density)
        z, changes, caches = self._through(z, params)
        for change in changes if density else ():
            log_q = k.add(log_q, change)  # (1)
        return (z, log_q), (c_base, caches)

    def draw_backward(
        self, cache: Any, dz: Array, d_log_q: Any, score: bool, dz_scale: Any
    ) -> Params:
        if not score or dz_scale is not None:
            raise ConfigError(
                "this objective takes log q's gradient by the sample apart from that by the "
                "posterior's parameters, which flows do not give; take posterior='gaussian'."
            )
        c_base, caches = cache
        d_change = d_log_q  # (1)
        if d_log_q is None:
            d_change = constant(np.zeros(dz.shape[:2]))
        dstats: list[Array] = []
        for flow, c_flow in zip(reversed(self.flows), reversed(caches), strict=True):
            gradients = flow.backward(c_flow, dz, d_change)  # (2)
            dz, *own = gradients if isinstance(gradients, tuple) else (gradients,)
            dstats[:0] = own
        return (*self.base.draw_backward(c_base, dz, d_log_q, True, None), *dstats)  # (3)

    def centre(self, params: Params) -> Array:
        """What the flows make of the Gaussian's mean."""
        return self._through(params[0][None], params)[0][0]

    def _through(self, z: Array, params: Params) -> tuple[Array, list[Array], list[Any]]:
        """z after all flows, the change of log q by each, and their caches."""
        stats, changes, caches = iter(params[2:]), [], []
        for flow, (start, end) in zip(self.flows, pairwise(self._ends[1:]), strict=True):
            (z, change), cache = flow.forward(z, next(stats)) if end > start else flow.forward(z)
            changes.append(change)
            caches.append(cache)
        return z, changes, caches

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return _example(cls(["planar", "planar"]), rng)


class FlowedAlike(Flowed, abstract=True):
    """`Flowed` of n flows of one kind, which have the same arguments.

    Parameters
    ----------
    n : int
        At most `MOST_FLOWS`.
    arguments
        Those of each flow.
    """

    kind: ClassVar[type[Flow]]

    def __init__(self, n: int = 8, **arguments: Any) -> None:
        self.n = number_of_flows(n)
        super().__init__([self.kind(**arguments) for _ in range(self.n)])

    @property
    def arguments(self) -> dict[str, Any]:
        return {"n": self.n, **self.flows[0].arguments}

    def __repr__(self) -> str:
        return f"Flowed(flows={self.flows!r})"

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        flow, _ = cls.kind.example(rng)
        return _example(cls(n=2, **flow.arguments), rng)


def _name_posterior(kind: type[Flow]) -> None:
    """Register the posterior of flows of this kind, which takes n and their arguments."""
    n, _ = inspect.signature(FlowedAlike).parameters.values()
    own = inspect.signature(kind).parameters.values()
    takes = inspect.Signature([n, *(p.replace(kind=p.KEYWORD_ONLY) for p in own)])
    type(
        f"{kind.__name__}Flows",
        (FlowedAlike,),
        {"kind": kind, "name": kind.name, "__module__": kind.__module__, "__signature__": takes},
    )


def _example(part: Flowed, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
    part.build(3)
    part.allocate(rng)
    return part, (rng.normal(size=(3, part.n_outputs(3))),)
