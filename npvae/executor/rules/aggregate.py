"""The KL's parts by the aggregate posterior."""

from __future__ import annotations

import math

from ..graph import Call
from ..lower import Lowering
from ..memory import Buffer, Ref
from .declared import emit, named_arguments, rule


@rule("decomposed_kl")
def _decomposed_kl(to: Lowering, call: Call) -> None:
    given = named_arguments(call)
    to.needs_the_schedule(given["beta"])
    loss, kl, mi, tc, dkl, d_log_qz, d_log_pz, dz, dmu, dlogvar = call.outputs
    z, mu, logvar, weights = (given[name] for name in ("z", "mu", "logvar", "weights"))
    n, batch, alpha, gamma = z.per_feature, mu.per_feature, given["alpha"], given["gamma"]
    inverse, spread = Ref(Buffer(4 * mu.size)), Ref(Buffer(4 * mu.size))
    shares, joint, ratio = Ref(Buffer(4 * batch)), Ref(Buffer(8 * n)), Ref(Buffer(4 * n * batch))
    other, *more = _log_shares(batch, given["n_data"])
    emit(to, "spreads_of", dict(logvar=logvar, inverse=inverse, spread=spread))
    weighed = None if weights is None else to.by_feature(weights)
    emit(to, "log_shares", dict(weights=weighed, shares=shares, batch=batch), (other,))
    read = dict(z=z, mu=mu, inverse=inverse, spread=spread, shares=shares, weights=weights)
    work = 0.1 * z.size * batch
    emit(
        to, "joint_density", read | dict(joint=joint, ratio=ratio), (alpha, *more), n_items=n,
        work=work,
    )  # fmt: skip
    written = dict(dz=dz, dmu=dmu, dlogvar=dlogvar)
    partial = emit(
        to, "marginal_densities", read | dict(ratio=ratio) | written, (gamma, *more), work=8 * work
    )
    sums = dict(loss=loss, kl=kl, mi=mi, tc=tc, dkl=dkl, d_log_qz=d_log_qz, d_log_pz=d_log_pz)
    densities = dict(log_qz=given["log_qz"], log_pz=given["log_pz"], weights=weights)
    emit(to, "decomposed_kl", densities | dict(joint=joint, partial=partial) | sums, (alpha, gamma))


def _log_shares(batch: int, n_data: int | None) -> tuple[float, float, float]:
    """log of the share of other rows, and what a row's own and the next one's are more."""
    if n_data is None or batch == 1:
        return -math.log(batch), 0.0, 0.0
    others = batch - 1
    following = (n_data - others) / (n_data * others)
    return -math.log(others), math.log(others / n_data), math.log(others * following)
