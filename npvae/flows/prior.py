"""A prior made of flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, clone, resolve
from ..core.errors import ConfigError
from ..priors import Prior
from .base import in_turn, number_of_flows
from .coupling import Coupling

Array = np.ndarray


class FlowPrior(Prior):
    """p(z) of a z that flows turn into u = f_T(... f_1(z)), which is standard normal.

    Derivation, with change_t = -log|det ∂f_t/∂z_{t-1}|, d the gradient of log p, u = z_T:
      (1) log p(z) = log N(u; 0, I) - Σ_t change_t   ->  du = -d u,  d_change_t = -d
      (2) z_{t-1} is used by f_t and its change      ->  dz_{t-1} as f_t's backward gives it
    Draws go the other way, through the flows' inverses. The KL has no closed form.
    Shapes: z, u (K, B, Z); log p, change (K, B).
    Source: Dinh, Sohl-Dickstein & Bengio 2017, equation 2; as a prior: Chen et al. 2017, section 3.

    Parameters
    ----------
    flows : sequence of Flow, str or dict
        Each with an inverse, and none that takes numbers of the encoder's.

    Raises
    ------
    ConfigError
        If one of them is no such flow.
    """

    name = "flow"

    def __init__(self, flows: Sequence[Any]) -> None:
        if not isinstance(flows, (list, tuple)):
            raise ConfigError(f"FlowPrior takes a list of flows, as ['coupling']; got {flows!r}.")
        self.flows = in_turn([clone(resolve("flow", flow)) for flow in flows])
        for flow in self.flows:
            if not flow.invertible:
                raise ConfigError(
                    f"a prior draws through the inverses of its flows; {flow.name!r} has none. "
                    "Take 'coupling'."
                )

    def build(self, z_dim: int, n_inputs: int) -> None:
        for flow in self.flows:
            flow.build(z_dim)

    def forward(self, z: Array) -> tuple[Array, Any]:
        changes, caches = [], []
        for flow in self.flows:
            (z, change), cache = flow.forward(z)
            changes.append(change)
            caches.append(cache)
        log_p = k.standard_normal_log_prob(z)
        for change in changes:
            log_p = k.less(log_p, change)
        return log_p, (z, caches)

    def backward(self, cache: Any, d_log_p: Array) -> Array:
        u, caches = cache
        dz, d_change = k.standard_normal_log_prob_backward(d_log_p, u), k.negative(d_log_p)  # (1)
        for flow, c_flow in zip(reversed(self.flows), reversed(caches), strict=True):
            dz = flow.backward(c_flow, dz, d_change)  # (2)
        return dz

    def sample(self, n: int, z_dim: int, rng: np.random.Generator, *inputs: Array) -> Array:
        z = rng.standard_normal((n, z_dim))
        for flow in reversed(self.flows):
            z = flow.inverse(z)
        return z

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return _example(cls(["coupling:hidden=[4]", "coupling:hidden=[4]"]), rng)


class CouplingPrior(FlowPrior):
    """`FlowPrior` of n coupling flows.

    Derivation: that of `FlowPrior`.

    Parameters
    ----------
    n : int
        At most `MOST_FLOWS`.
    hidden : sequence of int
        Of each flow's network.
    """

    name = "coupling"

    def __init__(self, n: int = 4, hidden: Sequence[int] = (32,)) -> None:
        self.n = number_of_flows(n)
        super().__init__([Coupling(hidden) for _ in range(self.n)])
        self.hidden = self.flows[0].hidden

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return _example(cls(n=2, hidden=(4,)), rng)


def _example(part: FlowPrior, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
    part.build(3, 1)
    part.allocate(rng)
    for flow in part.flows:
        flow.network.layers[-1].W += 0.5 * rng.normal(size=flow.network.layers[-1].W.shape)
    return part, (rng.normal(size=(4, 2, 3)),)
