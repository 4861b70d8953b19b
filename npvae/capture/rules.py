"""How each kernel's call becomes operations: one rule a kernel, in the order of `reference.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..kernels.native.elementwise import KINDS
from .graph import Call, NotCapturable, Value
from .lower import RULES, Lowering
from .memory import Buffer, Ref

PER_FLOP = 1 / 200
"""Nanoseconds, about: what decides how many threads are worth while needs no more."""

_COSTS = dict.fromkeys(KINDS, 0.08) | {"tanh": 0.4, "sigmoid": 0.3, "softplus": 0.4, "elu": 0.3}
_COSTS |= {"gelu": 5.0, "silu": 0.3}


def _rule(*kernels: str) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        RULES.update(dict.fromkeys(kernels, function))
        return function

    return enter


def _product(
    to: Lowering, a: Ref, a_size: int, a_row: int, a_k: int, b: Ref, c: Ref, m: int, n: int, k: int
) -> None:
    """C (m, n) = A (m, k) B (k, n), B and C with their columns side by side."""
    whole = a_row == 1  # A transposed: a thread's columns of it are no contiguous share
    to.emit(
        "product",
        m,
        dict(a=a, a_row=a_row, a_k=a_k, b=b, b_k=n, c=c, c_row=n, n=n, k=k),
        [(a, a_size, 0 if whole else 4 * a_row), (b, 4 * k * n, 0)],
        [(c, 4 * m * n, 4 * n)],
        2.0 * m * n * k * PER_FLOP,
    )


@_rule("linear")
def _linear(to: Lowering, call: Call) -> None:
    x, weight = call.inputs
    (y,) = call.outputs
    wide, narrow = weight.shape
    b = to.features(x)
    c = to.new(y)
    _product(to, to.parameter(weight), 4 * wide * narrow, narrow, 1, b, c, wide, x.rows, narrow)


@_rule("linear_dx")
def _linear_dx(to: Lowering, call: Call) -> None:
    dy, weight = call.inputs
    (dx,) = call.outputs
    wide, narrow = weight.shape
    b = to.features(dy)
    c = to.new(dx)
    _product(to, to.parameter(weight), 4 * wide * narrow, 1, narrow, b, c, narrow, dy.rows, wide)


@_rule("linear_dw")
def _linear_dw(to: Lowering, call: Call) -> None:
    dy, x = call.inputs
    (dw,) = call.outputs
    a, b = to.features(dy), to.rows(x)
    c = to.new(dw)
    _product(to, a, 4 * dy.size, dy.rows, 1, b, c, dy.width, x.width, dy.rows)


@_rule("add")
def _add(to: Lowering, call: Call) -> None:
    a, b = call.inputs
    (total,) = call.outputs
    # Not told by the type: what Python gives may be float64, and then is what comes of it.
    if any(isinstance(v, Value) and id(v.base) in to.wide for v in (a, b)):
        out = to.new_wide(total)
        to.add("add_doubles", to.vector(a), to.vector(b), out, 1, total.size)
    else:
        first, second = to.features(a), to.features(b)
        to.add("add", first, second, to.new(total, dying=a), total.width, total.rows)


@_rule("concat")
def _concat(to: Lowering, call: Call) -> None:
    a, c = call.inputs
    (y,) = call.outputs
    first, second, out = to.features(a), to.features(c), to.new(y)
    n, times = a.rows, a.rows // c.rows
    _repeat(to, "repeat", first, out, a.width, n, 1, 4 * n, 4 * n)
    rest = Ref(out.buffer, out.offset + 4 * a.size)
    _repeat(to, "repeat", second, rest, c.width, c.rows, times, 4 * c.rows, 4 * n)


@_rule("concat_backward")
def _concat_backward(to: Lowering, call: Call) -> None:
    dy, a_width, _ = call.inputs
    da, dc = call.outputs
    source = to.features(dy)
    _repeat(to, "repeat", source, to.new(da), a_width, dy.rows, 1, 4 * dy.rows, 4 * dy.rows)
    rest = Ref(source.buffer, source.offset + 4 * a_width * dy.rows)
    times = dy.rows // dc.rows
    _repeat(to, "sum_repeats", rest, to.new(dc), dc.width, dc.rows, times, 4 * dy.rows, 4 * dc.rows)


def _repeat(
    to: Lowering, name: str, source: Ref, out: Ref, rows: int, n: int, times: int, read: int,
    written: int,
) -> None:  # fmt: skip
    operands = dict(source=source, out=out, n=n, times=times)
    to.elementwise(name, rows, operands, 0.1, dict(source=read, out=written), ("out",))


@_rule(*(f"bias_{kind}" for kind in KINDS))
def _activate(to: Lowering, call: Call) -> None:
    a, b, *constant = call.inputs
    kind, h = call.kernel.removeprefix("bias_"), call.outputs[0]
    into = to.features(a)
    row = 4 * a.rows
    own = dict(a=row, h=row)
    s: Any = 0
    if len(call.outputs) == 2:
        s, own["s"] = to.new(call.outputs[1]), row
    out = to.new(h, dying=a)
    operands = dict(kind=KINDS.index(kind), a=into, b=to.parameter(b), h=out, s=s, n=a.rows)
    outputs = ("h", "s") if s else ("h",)
    to.elementwise(
        "activate", a.width, operands, _COSTS[kind], own | dict(b=4), outputs, constants=constant
    )


@_rule(*(f"bias_{kind}_backward" for kind in KINDS))
def _activate_backward(to: Lowering, call: Call) -> None:
    dh, *rest = call.inputs
    da, db = call.outputs
    kind = call.kernel.removeprefix("bias_").removesuffix("_backward")
    kept = rest.pop(0) if rest and isinstance(rest[0], Value) else dh
    row = 4 * dh.rows
    d, k = to.features(dh), to.features(kept)
    out, sums = to.new(da, dying=dh), to.new(db)
    operands = dict(kind=KINDS.index(kind), dh=d, kept=k, da=out, db=sums, n=dh.rows)
    own = dict(dh=row, kept=row, da=row, db=4)
    to.elementwise(
        "activate_backward", dh.width, operands, _COSTS[kind], own, ("da", "db"), constants=rest
    )


def _density(to: Lowering, name: str, rows: int, operands: dict[str, Any], own: dict[str, int],
             n: int, cost: float, constants: Any = ()) -> Ref:  # fmt: skip
    """An operation that leaves each thread's sums over its features; returns where they are."""
    partial = Ref(Buffer(8 * n * to.threads))
    operands = operands | dict(partial=partial)
    places = {key: operands[key] for key in own}
    outputs = {"r"} & set(own)
    reads = [(p, rows * own[key], own[key]) for key, p in places.items() if key not in outputs]
    writes = [(places[key], rows * own[key], own[key]) for key in outputs]
    writes.append((partial, partial.buffer.size, 0))  # a row for each thread, no share of the rows
    to.emit(name, rows, operands, reads, writes, cost * rows * n, constants)
    return partial


def _row_sums(to: Lowering, partial: Ref, out: Ref, n: int, constant: float, factor: float) -> None:
    to.emit(
        "row_sums",
        1,
        dict(partial=partial, parts=0, out=out, n=n),
        [(partial, partial.buffer.size, 0)],
        [(out, 8 * n, 0)],
        constants=(constant, factor),
    )


@_rule("bernoulli")
def _bernoulli(to: Lowering, call: Call) -> None:
    logits, x = call.inputs
    log_px, r = call.outputs
    theta, data = to.features(logits), to.features(x)
    out = to.new(r, dying=logits)
    operands = dict(logits=theta, x=data, r=out, samples=logits.rows // x.rows, batch=x.rows)
    own = dict(logits=4 * logits.rows, x=4 * x.rows, r=4 * logits.rows)
    partial = _density(to, "bernoulli", logits.width, operands, own, logits.rows, 0.5)
    _row_sums(to, partial, to.new_wide(log_px), logits.rows, 0.0, 1.0)


@_rule("gaussian", "gaussian_learnt")
def _gaussian(to: Lowering, call: Call) -> None:
    mean, x, scale = call.inputs
    learnt = call.kernel == "gaussian_learnt"
    log_px, r = call.outputs[:2]
    theta, data = to.features(mean), to.features(x)
    out = to.new(r, dying=mean)
    log_scale: Any = to.parameter(scale) if learnt else 0
    operands = dict(
        mean=theta, x=data, r=out, samples=mean.rows // x.rows, batch=x.rows, log_scale=log_scale
    )
    own = dict(mean=4 * mean.rows, x=4 * x.rows, r=4 * mean.rows)
    n, width = mean.rows, mean.width
    inverse = () if learnt else (1 / scale,)
    partial = _density(to, "gaussian", width, operands, own, n, 0.15, inverse)
    density = to.new_wide(log_px)
    if not learnt:
        constant = -width * (math.log(scale) + 0.5 * math.log(2 * math.pi))
        _row_sums(to, partial, density, n, constant, -0.5)
        return
    slope = to.new_wide(call.outputs[2])
    to.emit(
        "gaussian_learnt_sums",
        1,
        dict(
            partial=partial, parts=0, log_px=density, slope=slope, n=n, width=width,
            log_scale=log_scale,
        ),
        [(partial, partial.buffer.size, 0), (log_scale, 4, 0)],
        [(density, 8 * n, 0), (slope, 8 * n, 0)],
    )  # fmt: skip


@_rule("gaussian_learnt_backward")
def _gaussian_learnt_backward(to: Lowering, call: Call) -> None:
    d, r, slope = call.inputs
    dmean, d_log_scale = call.outputs
    _scale(to, d, r, dmean, 1.0)
    weights, slopes, out = to.vector(d), to.vector(slope), to.new(d_log_scale)
    n = d.size
    to.emit(
        "dot",
        1,
        dict(a=weights, b=slopes, out=out, n=n),
        [(weights, 8 * n, 0), (slopes, 8 * n, 0)],
        [(out, 4, 0)],
    )


@_rule("scale_rows")
def _scale_rows(to: Lowering, call: Call) -> None:
    d, r = call.inputs
    _scale(to, d, r, call.outputs[0], 1.0)


@_rule("standard_normal_log_prob_backward")
def _standard_backward(to: Lowering, call: Call) -> None:
    d, z = call.inputs
    _scale(to, d, z, call.outputs[0], -1.0)


def _scale(to: Lowering, d: Value, r: Value, scaled: Value, factor: float) -> None:
    weights, source = to.vector(d), to.features(r)
    n = r.rows
    to.elementwise(
        "scale_rows",
        r.width,
        dict(d=weights, r=source, out=to.new(scaled, dying=r), n=n),
        0.1,
        dict(r=4 * n, out=4 * n),
        ("out",),
        dict(d=8 * n),
        (factor,),
    )


@_rule("gaussian_heads")
def _heads(to: Lowering, call: Call) -> None:
    stats, low, high = call.inputs
    mu, logvar = call.outputs
    n = stats.rows
    operands = dict(stats=to.features(stats), mu=to.new(mu), logvar=to.new(logvar), n=n)
    own = dict(mu=4 * n, logvar=4 * n)
    shared = dict(stats=4 * stats.size)
    to.elementwise("heads", mu.width, operands, 0.8, own, ("mu", "logvar"), shared, (low, high))


@_rule("gaussian_heads_backward")
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


@_rule("reparameterise")
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


@_rule("reparameterise_backward")
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


@_rule("gaussian_kl")
def _gaussian_kl(to: Lowering, call: Call) -> None:
    mu, logvar = call.inputs
    (kl,) = call.outputs
    operands = dict(mu=to.features(mu), logvar=to.features(logvar), kl=to.new(kl), n=mu.rows)
    own = dict.fromkeys(("mu", "logvar", "kl"), 4 * mu.rows)
    to.elementwise("gaussian_kl", mu.width, operands, 0.3, own, ("kl",))


@_rule("gaussian_kl_backward")
def _gaussian_kl_backward(to: Lowering, call: Call) -> None:
    dkl, mu, logvar = call.inputs
    dmu, dlogvar = call.outputs
    operands = dict(
        dkl=to.features(dkl), mu=to.features(mu), logvar=to.features(logvar), dmu=to.new(dmu),
        dlogvar=to.new(dlogvar), n=mu.rows,
    )  # fmt: skip
    own = dict.fromkeys(("dkl", "mu", "logvar", "dmu", "dlogvar"), 4 * mu.rows)
    to.elementwise("gaussian_kl_backward", mu.width, operands, 0.3, own, ("dmu", "dlogvar"))


@_rule("gaussian_log_prob")
def _gaussian_log_prob(to: Lowering, call: Call) -> None:
    z, mu, logvar = call.inputs
    (log_q,) = call.outputs
    operands = dict(
        z=to.features(z), mu=to.features(mu), logvar=to.features(logvar),
        samples=z.rows // mu.rows, batch=mu.rows,
    )  # fmt: skip
    own = dict(z=4 * z.rows, mu=4 * mu.rows, logvar=4 * mu.rows)
    partial = _density(to, "gaussian_log_prob", z.width, operands, own, z.rows, 0.4)
    _row_sums(to, partial, to.new_wide(log_q), z.rows, 0.0, -0.5)


@_rule("gaussian_log_prob_backward")
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


@_rule("standard_normal_log_prob")
def _standard(to: Lowering, call: Call) -> None:
    (z,) = call.inputs
    (log_p,) = call.outputs
    operands = dict(z=to.features(z), n=z.rows)
    partial = _density(to, "standard_log_prob", z.width, operands, dict(z=4 * z.rows), z.rows, 0.1)
    _row_sums(to, partial, to.new_wide(log_p), z.rows, 0.0, -0.5)


@_rule("mean_loss")
def _mean_loss(to: Lowering, call: Call) -> None:
    (log_px,) = call.inputs
    rec, d = call.outputs
    density, out, slope = to.vector(log_px), to.new_wide(rec), to.new_wide(d)
    n = log_px.size
    to.emit(
        "mean_loss",
        1,
        dict(log_px=density, d_log_px=slope, rec=out, n=n),
        [(density, 8 * n, 0)],
        [(slope, 8 * n, 0), (out, 8, 0)],
    )


@_rule("kl_loss")
def _kl_loss(to: Lowering, call: Call) -> None:
    kl, beta, free_bits = call.inputs
    to.needs_the_schedule(beta)
    total, d_kl = call.outputs
    source, out, slope = to.features(kl), to.new_wide(total), to.new(d_kl)
    to.emit(
        "kl_loss",
        1,
        dict(kl=source, d_kl=slope, out=out, z_dim=kl.width, n=kl.rows),
        [(source, 4 * kl.size, 0)],
        [(slope, 4 * kl.size, 0), (out, 8, 0)],
        constants=(free_bits,),
    )


@_rule("weighted_loss")
def _weighted_loss(to: Lowering, call: Call) -> None:
    rec, kl, beta = call.inputs
    to.needs_the_schedule(beta)
    first, second, out = to.vector(rec), to.vector(kl), to.new_wide(call.outputs[0])
    to.emit(
        "weighted_loss",
        1,
        dict(rec=first, kl=second, out=out),
        [(first, 8, 0), (second, 8, 0)],
        [(out, 8, 0)],
    )


@_rule("iwae")
def _iwae(to: Lowering, call: Call) -> None:
    names = ("loss", "rec", "kl", "d_log_px", "d_log_qz")
    reads = {
        key: to.vector(v)
        for key, v in zip(("log_px", "log_pz", "log_qz"), call.inputs, strict=True)
    }
    writes = {key: to.new_wide(v) for key, v in zip(names, call.outputs, strict=True)}
    samples, batch = call.inputs[0].shape
    to.emit(
        "iwae",
        1,
        dict(**reads, **writes, samples=samples, batch=batch),
        [(ref, ref.buffer.size, 0) for ref in reads.values()],
        [(ref, ref.buffer.size, 0) for ref in writes.values()],
    )
