"""What gradients are usually made of: a formula that gives the numeric gradient names itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import NamedTuple

import numpy as np

from .slips import Evidence, Slip, nice, ratio

Array = np.ndarray

MAX_ARRAYS = 40
"""Of more, the last: those nearest to the gradient in question."""

MAX_SIZE = 100_000
"""Of larger ones, all together, no formula is tried: there are thousands."""

PRODUCTS: tuple[tuple[str, Callable[[Array, Array], Array]], ...] = (
    ("{0} * {1}", lambda d, f: d * f),
    ("{0} * (1 - {1}**2)", lambda d, f: d * (1 - f * f)),
    ("{0} * {1} * (1 - {1})", lambda d, f: d * f * (1 - f)),
    ("{0} * ({1} > 0)", lambda d, f: d * (f > 0)),
    ("{0} * exp({1})", lambda d, f: d * np.exp(f)),
    ("{0} * sigmoid({1})", lambda d, f: d / (1 + np.exp(-f))),
    ("{0} / {1}", lambda d, f: d / f),
)
TERMS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("{0}", lambda f: f),
    ("exp({0})", np.exp),
    ("(exp({0}) - 1)", np.expm1),
    ("{0}**2", np.square),
    ("1 / {0}", np.reciprocal),
)


class Formula(NamedTuple):
    """Arrays by name, what is done with them, and how that reads."""

    names: tuple[str, ...]
    apply: Callable[..., Array]
    text: str

    def of(self, e: Evidence) -> Array:
        return np.asarray(self.apply(*(e.arrays[n] for n in self.names)))


def formulas(e: Evidence) -> Iterator[Slip]:
    """What the gradient should be, or lacks, in terms of the arrays at hand."""
    if sum(x.size for x in e.arrays.values()) > MAX_SIZE:
        return
    found = [f for f in _formulas(e) if f.of(e).shape == e.value.shape]
    for f in found:
        yield Slip(f"it should be {f.text}", f.of)
    for f in found:
        if "softmax" not in f.text:
            times = ratio(f.of(e), e.numeric, e.known)
            yield Slip(f"it should be {nice(times)} * {f.text}", _scaled(times, f), fitted=True)
    for f in (*_terms(e), *found):
        term = np.broadcast_to(f.of(e), e.value.shape)
        times = ratio(term, e.numeric - e.analytic, e.known)
        what = f.text if abs(times - 1) < 1e-6 else f"{nice(times)} times {f.text}"
        hint = ""
        if len(f.names) == 1:
            hint = f" (if {f.text} is in it, then with a wrong sign or factor)"
        yield Slip(f"a term is missing: {what}{hint}", _added(times, f), fitted=True)


def _scaled(times: float, f: Formula) -> Callable[[Evidence], Array]:
    return lambda e: times * f.of(e)


def _added(times: float, f: Formula) -> Callable[[Evidence], Array]:
    return lambda e: e.analytic + times * f.of(e)


def _formulas(e: Evidence) -> Iterator[Formula]:
    arrays = dict(list(e.arrays.items())[-MAX_ARRAYS:])
    shape = e.value.shape
    for (d, D), (f, F) in permutations(arrays.items(), 2):
        yield from _matrices(d, D, f, F)
        if D.shape == shape and F.shape in _broadcastable(shape):
            yield from (Formula((d, f), do, text.format(d, f)) for text, do in PRODUCTS)
            yield Formula((d, f), np.subtract, f"({d} - {f})")
            yield from _softmax(d, f, F)
    alike = [n for n, x in arrays.items() if x.shape == shape][-12:]
    for three in permutations(alike, 3):
        yield Formula(three, lambda a, b, c: a * b * c, " * ".join(three))
    for n, x in arrays.items():
        yield from _sums(n, x, shape)


def _matrices(d: str, D: Array, f: str, F: Array) -> Iterator[Formula]:
    """Products of matrices, or of stacks of them."""
    stacked = D.shape[:-2] == F.shape[:-2] or F.ndim == 2 < D.ndim
    if min(D.ndim, F.ndim) < 2 or not stacked:
        return
    turn = ".T" if max(D.ndim, F.ndim) == 2 else ".swapaxes(-1, -2)"
    if D.shape[-1] == F.shape[-2]:
        yield Formula((d, f), np.matmul, f"{d} @ {f}")
    if D.shape[-1] == F.shape[-1]:
        yield Formula((d, f), lambda D, F: D @ F.swapaxes(-1, -2), f"{d} @ {f}{turn}")
    if D.shape[:-1] == F.shape[:-1]:
        yield Formula((d, f), lambda D, F: D.swapaxes(-1, -2) @ F, f"{d}{turn} @ {f}")


def _softmax(d: str, f: str, F: Array) -> Iterator[Formula]:
    """The gradients of softmax and of its logarithm, of which the outputs f are."""
    for axis in range(F.ndim):
        if F.shape[axis] < 2:
            continue
        if np.allclose(F.sum(axis), 1):
            text = f"{f} * ({d} - ({d} * {f}).sum({axis}, keepdims=True)), softmax's whole Jacobian"

            def apply(D: Array, F: Array, axis: int = axis) -> Array:
                return F * (D - (D * F).sum(axis, keepdims=True))

            yield Formula((d, f), apply, text)
        elif (F <= 0).all() and np.allclose(np.exp(F).sum(axis), 1):
            text = f"{d} - exp({f}) * {d}.sum({axis}, keepdims=True), log-softmax's whole Jacobian"

            def log_apply(D: Array, F: Array, axis: int = axis) -> Array:
                return D - np.exp(F) * D.sum(axis, keepdims=True)

            yield Formula((d, f), log_apply, text)


def _sums(n: str, x: Array, shape: tuple[int, ...]) -> Iterator[Formula]:
    for k in range(1, x.ndim + 1):
        for axis in {tuple(range(k)), tuple(range(x.ndim - k, x.ndim))}:
            if np.delete(x.shape, axis).tolist() == list(shape):
                over = axis[0] if len(axis) == 1 else axis
                yield Formula((n,), lambda x, a=axis: x.sum(a), f"{n}.sum({over})")


def _terms(e: Evidence) -> Iterator[Formula]:
    for n, x in e.arrays.items():
        if x.shape in _broadcastable(e.value.shape):
            yield from (Formula((n,), do, text.format(n)) for text, do in TERMS)


def _broadcastable(shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return shape, shape[-1:], (*shape[:-1], 1)
