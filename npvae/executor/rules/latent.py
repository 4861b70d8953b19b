"""Posterior and prior."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Ref
from .common import density, row_sums, rule, scale


@rule("gaussian_heads")
def _heads(to: Lowering, call: Call) -> None:
    stats, low, high = call.inputs
    mu, logvar = call.outputs
    n = stats.per_feature
    operands = dict(stats=to.by_feature(stats), mu=to.new(mu), logvar=to.new(logvar), n=n)
    own = dict(mu=4 * n, logvar=4 * n)
    shared = dict(stats=4 * stats.size)
    to.elementwise(
        "heads", mu.n_features, operands, 0.8, own, ("mu", "logvar"), shared, (low, high)
    )


@rule("gaussian_heads_backward")
def _heads_backward(to: Lowering, call: Call) -> None:
    dmu, dlogvar, stats, low, high = call.inputs
    (d_stats,) = call.outputs
    n, z_dim = stats.per_feature, dmu.n_features
    d_mu, d_logvar, raw = to.by_feature(dmu), to.by_feature(dlogvar), to.by_feature(stats)
    out = to.new(d_stats)
    to.emit(
        "heads_backward",
        z_dim,
        dict(dmu=d_mu, dlogvar=d_logvar, stats=raw, d_stats=out, n=n),
        [(d_mu, 4 * dmu.size, 4 * n), (d_logvar, 4 * dmu.size, 4 * n), (raw, 4 * stats.size, 0)],
        [(out, 4 * stats.size, 0)],
        0.8 * dmu.size,
        (low, high),
    )


@rule("reparameterise")
def _reparameterise(to: Lowering, call: Call) -> None:
    mu, logvar, eps = call.inputs
    z, std = call.outputs
    operands = dict(
        mu=to.by_feature(mu), logvar=to.by_feature(logvar), eps=to.by_feature(eps), z=to.new(z),
        std=to.new(std), samples=eps.per_feature // mu.per_feature, batch=mu.per_feature,
    )  # fmt: skip
    own = dict.fromkeys(("mu", "logvar", "std"), 4 * mu.per_feature)
    own |= dict(z=4 * eps.per_feature, eps=4 * eps.per_feature)
    to.elementwise("reparameterise", mu.n_features, operands, 0.3, own, ("z", "std"))


@rule("reparameterise_backward")
def _reparameterise_backward(to: Lowering, call: Call) -> None:
    dz, std, eps = call.inputs
    dmu, dlogvar, _ = call.outputs  # nobody asks for the gradient of the noise
    operands = dict(
        dz=to.by_feature(dz), std=to.by_feature(std), eps=to.by_feature(eps), dmu=to.new(dmu),
        dlogvar=to.new(dlogvar), samples=dz.per_feature // std.per_feature, batch=std.per_feature,
    )  # fmt: skip
    own = dict.fromkeys(("dmu", "dlogvar", "std"), 4 * std.per_feature)
    own |= dict(dz=4 * dz.per_feature, eps=4 * dz.per_feature)
    cost = 0.2 * dz.per_feature / std.per_feature
    to.elementwise(
        "reparameterise_backward", std.n_features, operands, cost, own, ("dmu", "dlogvar")
    )


@rule("gaussian_kl")
def _gaussian_kl(to: Lowering, call: Call) -> None:
    mu, logvar = call.inputs
    (kl,) = call.outputs
    operands = dict(
        mu=to.by_feature(mu), logvar=to.by_feature(logvar), kl=to.new(kl), n=mu.per_feature
    )
    own = dict.fromkeys(("mu", "logvar", "kl"), 4 * mu.per_feature)
    to.elementwise("gaussian_kl", mu.n_features, operands, 0.3, own, ("kl",))


@rule("gaussian_kl_backward")
def _gaussian_kl_backward(to: Lowering, call: Call) -> None:
    dkl, mu, logvar = call.inputs
    dmu, dlogvar = call.outputs
    operands = dict(
        dkl=to.by_feature(dkl), mu=to.by_feature(mu), logvar=to.by_feature(logvar), dmu=to.new(dmu),
        dlogvar=to.new(dlogvar), n=mu.per_feature,
    )  # fmt: skip
    own = dict.fromkeys(("dkl", "mu", "logvar", "dmu", "dlogvar"), 4 * mu.per_feature)
    to.elementwise("gaussian_kl_backward", mu.n_features, operands, 0.3, own, ("dmu", "dlogvar"))


@rule("gaussian_log_prob")
def _gaussian_log_prob(to: Lowering, call: Call) -> None:
    z, mu, logvar = call.inputs
    (log_q,) = call.outputs
    operands = dict(
        z=to.by_feature(z), mu=to.by_feature(mu), logvar=to.by_feature(logvar),
        samples=z.per_feature // mu.per_feature, batch=mu.per_feature,
    )  # fmt: skip
    own = dict(z=4 * z.per_feature, mu=4 * mu.per_feature, logvar=4 * mu.per_feature)
    partial = density(to, "gaussian_log_prob", z.n_features, operands, own, z.per_feature, 0.4)
    row_sums(to, partial, to.new_doubles(log_q), z.per_feature, 0.0, -0.5)


@rule("gaussian_log_prob_backward")
def _gaussian_log_prob_backward(to: Lowering, call: Call) -> None:
    d, z, mu, logvar = call.inputs
    dz, dmu, dlogvar = call.outputs
    weights = to.as_doubles(d)
    operands = dict(
        d=weights, z=to.by_feature(z), mu=to.by_feature(mu), logvar=to.by_feature(logvar),
        dz=to.new(dz), dmu=to.new(dmu), dlogvar=to.new(dlogvar),
        samples=z.per_feature // mu.per_feature, batch=mu.per_feature,
    )  # fmt: skip
    own = dict(z=4 * z.per_feature, dz=4 * z.per_feature)
    own |= dict.fromkeys(("mu", "logvar", "dmu", "dlogvar"), 4 * mu.per_feature)
    outputs = ("dz", "dmu", "dlogvar")
    shared = dict(d=8 * d.size)
    to.elementwise("gaussian_log_prob_backward", z.n_features, operands, 0.5, own, outputs, shared)


@rule("standard_normal_log_prob")
def _standard(to: Lowering, call: Call) -> None:
    (z,) = call.inputs
    (log_p,) = call.outputs
    operands = dict(z=to.by_feature(z), n=z.per_feature)
    partial = density(
        to,
        "standard_log_prob",
        z.n_features,
        operands,
        dict(z=4 * z.per_feature),
        z.per_feature,
        0.1,
    )
    row_sums(to, partial, to.new_doubles(log_p), z.per_feature, 0.0, -0.5)


@rule("standard_normal_log_prob_backward")
def _standard_backward(to: Lowering, call: Call) -> None:
    d, z = call.inputs
    scale(to, d, z, call.outputs[0], -1.0)


@rule("mixture_log_prob")
def _mixture(to: Lowering, call: Call) -> None:
    z, mu, logvar, logits = call.inputs
    log_p, r = call.outputs
    components, n = mu.per_feature, z.per_feature
    operands = dict(
        z=to.by_feature(z), **_components(to, mu, logvar), logits=_logits(to, logits),
        log_p=to.new_doubles(log_p), r=to.new(r), z_dim=z.n_features, components=components, n=n,
    )  # fmt: skip
    sizes = dict(z=4 * z.size, mu=4 * mu.size, logvar=4 * mu.size, logits=4 * components)
    results = dict(log_p=8 * n, r=4 * r.size)  # a thread has columns of them
    to.emit(
        "mixture",
        n,
        operands,
        [(operands[key], size, 0) for key, size in sizes.items()],
        [(operands[key], size, 0) for key, size in results.items()],
        0.3 * z.size * components,
    )


@rule("mixture_log_prob_backward")
def _mixture_backward(to: Lowering, call: Call) -> None:
    d, z, mu, logvar, logits, r = call.inputs
    dz, dmu, dlogvar, dlogits = call.outputs
    components, n = mu.per_feature, z.per_feature
    new = to.new_by_row if id(mu) in to.names else to.new
    operands = dict(
        d=to.as_doubles(d), z=to.by_feature(z), **_components(to, mu, logvar), r=to.by_feature(r),
        dz=to.new(dz), dmu=new(dmu), dlogvar=new(dlogvar), z_dim=z.n_features,
        components=components, n=n,
    )  # fmt: skip
    shared = dict(d=8 * n, r=4 * r.size) | dict.fromkeys(("mu", "logvar"), 4 * mu.size)
    results = dict.fromkeys(("dmu", "dlogvar"), 4 * mu.size)  # a thread has columns of them
    to.emit(
        "mixture_backward",
        z.n_features,
        operands,
        [(operands["z"], 4 * z.size, 4 * n)]
        + [(operands[key], size, 0) for key, size in shared.items()],
        [(operands["dz"], 4 * z.size, 4 * n)]
        + [(operands[key], size, 0) for key, size in results.items()],
        0.4 * z.size * components,
    )
    if id(logits) not in to.names:  # weights that are not learnt
        return
    operands = dict(
        d=operands["d"], r=operands["r"], logits=_logits(to, logits), out=to.new(dlogits),
        components=components, n=n,
    )  # fmt: skip
    shared = dict(d=8 * n, logits=4 * components)
    own = dict(r=4 * n, out=4)
    to.elementwise("mixture_logits", components, operands, 0.2 * n, own, ("out",), shared)


def _components(to: Lowering, mu: Value, logvar: Value) -> dict[str, Any]:
    """Where the means and log-variances lie, and their strides: parameters lie by row."""
    if id(mu) in to.names:
        places, strides = (to.parameter(mu), to.parameter(logvar)), (mu.n_features, 1)
    else:
        places, strides = (to.by_feature(mu), to.by_feature(logvar)), (1, mu.per_feature)
    names = ("mu", "logvar", "by_component", "by_dimension")
    return dict(zip(names, (*places, *strides), strict=True))


def _logits(to: Lowering, logits: Any) -> Ref:
    """Where the weights' logits lie: parameters, or a constant."""
    if isinstance(logits, Value):
        return to.parameter(logits)
    return to.constant(logits, np.float32)
