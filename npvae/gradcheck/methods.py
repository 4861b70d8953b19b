"""Three ways to differentiate a function of which one knows only its values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .targets import Problem, Values

Array = np.ndarray
Line = Callable[[float], float]

EPS = float(np.finfo(np.float64).eps)


class Estimate(NamedTuple):
    """A numeric derivative, and by how much it may be off: truncation plus round-off."""

    value: float
    truncation: float
    round_off: float
    kink: bool = False
    """Whether left and right derivative differ, so that there is none."""

    @property
    def error(self) -> float:
        return self.truncation + self.round_off


def line(problem: Problem, values: Values, argument: str, index: tuple[int, ...]) -> Line:
    """The loss as a function of the offset t of one entry of one argument."""
    start = values[argument][index]

    def phi(t: float) -> float:
        moved = values[argument].copy()
        moved[index] = start + t
        return float(problem.loss(values | {argument: moved}))

    return phi


def central(phi: Line, scale: float) -> Estimate:
    """phi'(0) by central differences with Richardson extrapolation.

    (phi(h) - phi(-h)) / 2h = phi' + c₂ h² + c₄ h⁴ + ..., so combining steps h, h/2, h/4, ...
    removes one power after the other. What is left is truncation, judged by how much the last
    extrapolation still changed, and round-off, which is eps |phi| / h and grows as h shrinks. The
    pair of step and order with the least sum wins; the first step, `scale` / 10, is shrunk until
    truncation stops being the greater of the two.
    Source: Richardson 1911; Ridders 1982.
    """
    best, here = Estimate(math.nan, math.inf, math.inf), phi(0.0)
    h = 0.1 * scale
    while h > 1e-7 * scale:
        estimate = _extrapolated(phi, here, h)
        if estimate.error < best.error or math.isnan(best.value):
            best = estimate
        if best.truncation <= best.round_off < math.inf:
            break
        h /= 8
    # On a kink the quotients may well converge: those of |t| are 0 at every h.
    return best._replace(kink=best.kink and _has_kink(phi, 1e-5 * scale))


def _extrapolated(phi: Line, here: float, h: float, levels: int = 5) -> Estimate:
    """Ridders' table over `levels` halvings of h; `kink` says that one may be there."""
    best, previous, jumps = Estimate(math.nan, math.inf, math.inf), [0.0], []
    for j in range(levels):
        up, down = phi(h), phi(-h)
        row = [(up - down) / (2 * h)]
        jumps.append(abs(up + down - 2 * here) / h)
        for m in range(1, j + 1):
            row.append(row[m - 1] + (row[m - 1] - previous[m - 1]) / (4**m - 1))
        round_off = 4 * EPS * max(abs(up), abs(down)) / h
        if j > 0 and math.isfinite(row[-1]):
            truncation = max(abs(row[-1] - row[-2]), abs(row[-1] - previous[-1]))
            if truncation + round_off < best.error:
                best = Estimate(row[-1], truncation, round_off)
        previous = row
        h /= 2
    return best._replace(kink=not jumps[-1] < 0.5 * jumps[0])


def _has_kink(phi: Line, h: float) -> bool:
    """Whether the two one-sided slopes keep apart as h shrinks (else they differ by h phi'')."""
    here = phi(0.0)
    jumps = []
    for step in (h, h / 8, h / 64):
        right, left = (phi(step) - here) / step, (here - phi(-step)) / step
        jumps.append(abs(right - left))
    noise = 64 * 16 * EPS * abs(here) / h
    return min(jumps) > 0.5 * max(jumps) and min(jumps) > 4 * noise


def complex_step(problem: Problem, values: Values, argument: str, index: tuple[int, ...]) -> float:
    """Im L(x + ih) / h: no difference is taken, so h can be so small that truncation vanishes.

    Source: Squire & Trapp 1998.
    """
    h = 1e-30
    moved = values[argument].astype(np.complex128)
    moved[index] += 1j * h
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        loss = problem.loss(values | {argument: moved})
    if not np.iscomplexobj(loss):
        raise TypeError("the result is real: the imaginary part was dropped on the way")
    return float(np.imag(loss)) / h


class TaylorResult(NamedTuple):
    """The observed order of the remainder; `order` is None where there is no remainder at all."""

    order: float | None
    slope: float
    quotient: float
    kink: bool


def taylor(problem: Problem, values: Values, direction: Values, slope: float) -> TaylorResult:
    """The order at which |L(x + hv) - L(x) - h g·v| shrinks along the direction v.

    2 where g is the gradient (Taylor), 1 where it is not: then h (g - ∇L)·v remains. The order is
    read where h is as small as round-off lets it be: there a small error in g shows, and there the
    line has left behind the kinks that it crosses (in a ReLU network of usual size, one at nearly
    every larger step). So round-off is measured, at steps of which nothing else is left, instead of
    bounded: the bound is a hundred times as large and hides just these steps.
    `slope` is g·v.
    """

    def phi(h: float) -> float:
        return float(problem.loss(values | {n: values[n] + h * v for n, v in direction.items()}))

    def remainder(h: float) -> float:
        return abs(phi(h) - here - h * slope)

    here = phi(0.0)
    noise = max(EPS * abs(here), EPS * abs(slope), *(remainder(2.0**-j) for j in range(34, 40)))
    remainders: list[float] = []
    for h in (2.0**-j for j in range(24, 3, -1)):
        r = remainder(h)
        if math.isfinite(r) and r > 32 * noise:
            remainders.append(r)
        if len(remainders) == 4:
            break
    quotient = (phi(2.0**-12) - phi(-(2.0**-12))) / 2.0**-11
    if len(remainders) < 2:
        return TaylorResult(None, slope, quotient, False)
    order = float(np.median([math.log2(b / a) for a, b in pairwise(remainders)]))
    return TaylorResult(order, slope, quotient, order < 1.9 and _has_kink(phi, 1e-5))
