"""Codes: by variables of some classes each, and every code for each row."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ..graph import Call
from ..lower import Lowering
from ..operations.declare import OPERATIONS
from .declared import emit, named_arguments, rule
from .dense import repeat


@rule(
    "class_log_probs", "class_log_probs_backward", "gumbel_softmax", "gumbel_softmax_backward",
    "likeliest_class", "categorical_kl", "categorical_kl_backward",
)  # fmt: skip
def _by_variable(to: Lowering, call: Call) -> None:
    """Threads share the variables."""
    given, declared = named_arguments(call), OPERATIONS[call.kernel]
    classes = given.pop("classes")
    constants = [float(v) for v in given.values() if isinstance(v, Real)]
    arrays = [v for v in given.values() if not isinstance(v, Real)]
    operands: dict[str, Any] = dict(zip(declared.reads, arrays, strict=True))
    operands |= dict(zip(declared.writes, call.outputs, strict=True))
    n_items = arrays[-1].n_features // classes
    emit(to, call.kernel, operands | dict(classes=classes), constants, n_items=n_items)


@rule("code_log_prob_backward", "bernoulli_code_log_prob_backward")
def _log_prob_backward(to: Lowering, call: Call) -> None:
    _, d_param = call.outputs
    declared = OPERATIONS[call.kernel]
    operands: dict[str, Any] = dict(zip(declared.reads, call.inputs, strict=True))
    emit(to, call.kernel, operands | dict(zip(declared.writes, (d_param,), strict=True)))


@rule("for_every_row")
def _for_every_row(to: Lowering, call: Call) -> None:
    codes, batch = call.inputs
    held = to.constant(np.repeat(codes.T, batch, axis=1), np.float32)
    repeat(to, "repeat", held, to.new(call.outputs[0]), codes.shape[1], len(codes) * batch)


@rule("shared_by_rows", "shared_by_rows_backward")
def _shared_by_rows(to: Lowering, call: Call) -> None:
    """By feature a sample's numbers lie side by side: each one, or their sum, is a row of one."""
    forward, (out,), given = call.kernel == "shared_by_rows", call.outputs, call.inputs[0]
    one, times = (given, out.shape[1]) if forward else (out, given.shape[1])
    name = "repeat" if forward else "sum_repeats"
    repeat(to, name, to.by_feature(given), to.new(out), one.size, 1, times)


@rule("mean_over_codes", "mean_over_codes_backward")
def _mean_over_codes(to: Lowering, call: Call) -> None:
    given = named_arguments(call)
    names = ("out",) if call.kernel == "mean_over_codes" else ("d_log_px", "d_log_q")
    reads = {name: to.as_doubles(value) for name, value in given.items()}
    writes = {name: to.new_doubles(value) for name, value in zip(names, call.outputs, strict=True)}
    samples, batch = given["log_q"].shape
    to.emit(
        call.kernel,
        1,
        {**reads, **writes, "samples": samples, "batch": batch},
        [(ref, ref.buffer.size, 0) for ref in reads.values()],
        [(ref, ref.buffer.size, 0) for ref in writes.values()],
        5.0 * samples * batch,
    )
