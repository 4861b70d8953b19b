"""Posterior and prior."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Call, NotCapturable, Value
from ..lower import Lowering
from ..memory import Ref
from .common import density, row_sums, rule, scale


@rule("gaussian_heads")
def _heads(to: Lowering, call: Call) -> None:
    stats, low, high = call.inputs
    mu, logvar = call.outputs
    n = stats.rows
    operands = dict(stats=to.features(stats), mu=to.new(mu), logvar=to.new(logvar), n=n)
    own = dict(mu=4 * n, logvar=4 * n)
    shared = dict(stats=4 * stats.size)
    to.elementwise("heads", mu.width, operands, 0.8, own, ("mu", "logvar"), shared, (low, high))


@rule("gaussian_heads_backward")
def _heads_backward(to: Lowering, call: Call) -> None:
    dmu, dlogvar, stats, low, high = call.inputs
    (d_stats,) = call.outputs
    n, z_dim = stats.rows, dmu.width
    d_mu, d_logvar, raw = to.features(dmu), to.features(dlogvar), to.features(stats)
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
        mu=to.features(mu), logvar=to.features(logvar), eps=to.features(eps), z=to.new(z),
        std=to.new(std), samples=eps.rows // mu.rows, batch=mu.rows,
    )  # fmt: skip
    own = dict.fromkeys(("mu", "logvar", "std"), 4 * mu.rows)
    own |= dict(z=4 * eps.rows, eps=4 * eps.rows)
    to.elementwise("reparameterise", mu.width, operands, 0.3, own, ("z", "std"))


@rule("reparameterise_backward")
def _reparameterise_backward(to: Lowering, call: Call) -> None:
    dz, std, eps = call.inputs
    dmu, dlogvar, deps = call.outputs
    if id(deps) in to.last_use:
        raise NotCapturable("the gradient of the noise is asked for")
    operands = dict(
        dz=to.features(dz), std=to.features(std), eps=to.features(eps), dmu=to.new(dmu),
        dlogvar=to.new(dlogvar), samples=dz.rows // std.rows, batch=std.rows,
    )  # fmt: skip
    own = dict.fromkeys(("dmu", "dlogvar", "std"), 4 * std.rows)
    own |= dict(dz=4 * dz.rows, eps=4 * dz.rows)
    cost = 0.2 * dz.rows / std.rows
    to.elementwise("reparameterise_backward", std.width, operands, cost, own, ("dmu", "dlogvar"))


@rule("gaussian_kl")
def _gaussian_kl(to: Lowering, call: Call) -> None:
    mu, logvar = call.inputs
    (kl,) = call.outputs
    operands = dict(mu=to.features(mu), logvar=to.features(logvar), kl=to.new(kl), n=mu.rows)
    own = dict.fromkeys(("mu", "logvar", "kl"), 4 * mu.rows)
    to.elementwise("gaussian_kl", mu.width, operands, 0.3, own, ("kl",))


@rule("gaussian_kl_backward")
def _gaussian_kl_backward(to: Lowering, call: Call) -> None:
    dkl, mu, logvar = call.inputs
    dmu, dlogvar = call.outputs
    operands = dict(
        dkl=to.features(dkl), mu=to.features(mu), logvar=to.features(logvar), dmu=to.new(dmu),
        dlogvar=to.new(dlogvar), n=mu.rows,
    )  # fmt: skip
    own = dict.fromkeys(("dkl", "mu", "logvar", "dmu", "dlogvar"), 4 * mu.rows)
    to.elementwise("gaussian_kl_backward", mu.width, operands, 0.3, own, ("dmu", "dlogvar"))


@rule("gaussian_log_prob")
def _gaussian_log_prob(to: Lowering, call: Call) -> None:
    z, mu, logvar = call.inputs
    (log_q,) = call.outputs
    operands = dict(
        z=to.features(z), mu=to.features(mu), logvar=to.features(logvar),
        samples=z.rows // mu.rows, batch=mu.rows,
    )  # fmt: skip
    own = dict(z=4 * z.rows, mu=4 * mu.rows, logvar=4 * mu.rows)
    partial = density(to, "gaussian_log_prob", z.width, operands, own, z.rows, 0.4)
    row_sums(to, partial, to.new_wide(log_q), z.rows, 0.0, -0.5)


@rule("gaussian_log_prob_backward")
def _gaussian_log_prob_backward(to: Lowering, call: Call) -> None:
    d, z, mu, logvar = call.inputs
    dz, dmu, dlogvar = call.outputs
    weights = to.vector(d)
    operands = dict(
        d=weights, z=to.features(z), mu=to.features(mu), logvar=to.features(logvar),
        dz=to.new(dz), dmu=to.new(dmu), dlogvar=to.new(dlogvar),
        samples=z.rows // mu.rows, batch=mu.rows,
    )  # fmt: skip
    own = dict(z=4 * z.rows, dz=4 * z.rows)
    own |= dict.fromkeys(("mu", "logvar", "dmu", "dlogvar"), 4 * mu.rows)
    outputs = ("dz", "dmu", "dlogvar")
    shared = dict(d=8 * d.size)
    to.elementwise("gaussian_log_prob_backward", z.width, operands, 0.5, own, outputs, shared)


@rule("standard_normal_log_prob")
def _standard(to: Lowering, call: Call) -> None:
    (z,) = call.inputs
    (log_p,) = call.outputs
    operands = dict(z=to.features(z), n=z.rows)
    partial = density(to, "standard_log_prob", z.width, operands, dict(z=4 * z.rows), z.rows, 0.1)
    row_sums(to, partial, to.new_wide(log_p), z.rows, 0.0, -0.5)


@rule("standard_normal_log_prob_backward")
def _standard_backward(to: Lowering, call: Call) -> None:
    d, z = call.inputs
    scale(to, d, z, call.outputs[0], -1.0)


@rule("mixture_log_prob")
def _mixture(to: Lowering, call: Call) -> None:
    z, mu, logvar, logits = call.inputs
    log_p, r = call.outputs
    components, n = mu.rows, z.rows
    operands = dict(
        z=to.features(z), **_components(to, mu, logvar), logits=_logits(to, logits),
        log_p=to.new_wide(log_p), r=to.new(r), z_dim=z.width, components=components, n=n,
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
    components, n = mu.rows, z.rows
    operands = dict(
        d=to.vector(d), z=to.features(z), **_components(to, mu, logvar), r=to.features(r),
        dz=to.new(dz), dmu=to.new(dmu), dlogvar=to.new(dlogvar), z_dim=z.width,
        components=components, n=n,
    )  # fmt: skip
    shared = dict(d=8 * n, r=4 * r.size) | dict.fromkeys(("mu", "logvar"), 4 * mu.size)
    results = dict.fromkeys(("dmu", "dlogvar"), 4 * mu.size)  # a thread has columns of them
    to.emit(
        "mixture_backward",
        z.width,
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
    """Where the means and log-variances lie, and their strides: parameters lie by rows."""
    if id(mu) in to.names:
        places, strides = (to.parameter(mu), to.parameter(logvar)), (mu.width, 1)
    else:
        places, strides = (to.features(mu), to.features(logvar)), (1, mu.rows)
    names = ("mu", "logvar", "by_component", "by_dimension")
    return dict(zip(names, (*places, *strides), strict=True))


def _logits(to: Lowering, logits: Any) -> Ref:
    """Where the weights' logits lie: parameters, or a constant."""
    if isinstance(logits, Value):
        return to.parameter(logits)
    return to.constant(logits, np.float32)
