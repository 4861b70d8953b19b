"""Three ways to differentiate a function of which one knows only its values.

Kinks are told from a wrong gradient by the values alone: no estimate looks at the gradient that it
is going to judge.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .problem import Problem, Values

Array = np.ndarray
Line = Callable[[float], float]

EPS = float(np.finfo(np.float64).eps)


class Estimate(NamedTuple):
    """A numeric derivative, and by how much it may be off."""

    value: float
    error: float
    """Infinite where there is no derivative, or none to be found."""
    kink: bool = False
    """Whether that is for a kink here, or so near that no step is small enough."""
    reach: float = 0.0
    """Up to this step on either side the line is smooth, as far as round-off lets one see."""


def along(problem: Problem, values: Values, direction: Values) -> Line:
    """The loss on a straight line, as a function of the step t; NaN outside of its domain."""

    def phi(t: float) -> float:
        try:
            moved = {n: values[n] + t * v for n, v in direction.items()}
            return float(problem.loss(values | moved))
        except (ArithmeticError, ValueError):  # as of math.log; here, at t = 0, there was none
            return math.nan

    return phi


def along_entry(problem: Problem, values: Values, argument: str, index: tuple[int, ...]) -> Line:
    """The same along one entry of an argument."""

    def phi(t: float) -> float:
        moved = values[argument].copy()
        moved[index] += t
        try:
            return float(problem.loss(values | {argument: moved}))
        except (ArithmeticError, ValueError):
            return math.nan

    return phi


def round_off(phi: Line) -> float:
    """How far rounding throws phi off: its differences where nothing else is left of it.

    Near 0, phi(h) - phi(-h) is a slope times h and phi(h) + phi(-h) - 2 phi(0) a jump of the slope
    times h plus a curvature times h². Of those at h, h/2 and h/4 these combinations leave nothing.
    Of a phi in float32, which is a staircase, the first step that shows is as high as its rounding.
    """
    here = phi(0.0)
    thrown = [EPS * abs(here)]
    for h in (1e-13, 3e-13, 1e-9):
        up, down = ([phi(sign * h / 2**j) for j in range(3)] for sign in (1, -1))
        odd = [u - d for u, d in zip(up, down, strict=True)]
        even = [u + d - 2 * here for u, d in zip(up, down, strict=True)]
        thrown += [abs(odd[0] - 2 * odd[1]) / 4, abs(even[0] - 6 * even[1] + 8 * even[2]) / 12]
    steps = [abs(phi(h) - phi(-h)) for h in (1e-9, 1e-8, 1e-7, 1e-6)]
    if steps[0] == 0:
        thrown += [step for step in steps if step > 64 * EPS * abs(here)][:1]
    return max((t for t in thrown if math.isfinite(t)), default=0.0)


def central(phi: Line, scale: float = 1.0, noise: float | None = None) -> Estimate:
    """phi'(0) by central differences with Richardson extrapolation.

    With steps h, h/2, h/4, ... two sequences are extrapolated to h = 0, each of the last five:

        (phi(h) - phi(-h)) / 2h        = phi' + c₂ h² + c₄ h⁴ + ...
        (phi(h) + phi(-h) - 2 phi) / h = jump + c₁ h  + c₃ h³ + ...

    The second is right minus left derivative and must vanish. Steps shrink until three
    extrapolations in a row agree to what round-off, `noise` / h, lets them, and two more steps
    confirm it: then they are below the nearest kink. How far an extrapolation is off is seen from
    how far those at smaller steps are from it. An estimate by each single one of its own error
    would not do: where kinks of phi or of phi' lie along the line, the least among many such
    estimates is one that happens to be too small.

    Parameters
    ----------
    scale : float
        On which phi changes; the first step is a tenth of it.
    noise : float, optional
        What rounding throws phi off by, by default `round_off` of phi.

    Source: Richardson 1911; Ridders 1982; Lepski 1991 (comparing with all smaller steps).
    """
    here, h = phi(0.0), 0.1 * scale
    noise = round_off(lambda t: phi(t * scale)) if noise is None else noise
    slopes: list[float] = []
    jumps: list[float] = []
    tried: list[_Tried] = []
    while h > 1e-10 * scale:
        up, down = phi(h), phi(-h)
        stair = max(abs(tried[-1].up - here), abs(tried[-1].down - here)) if tried else 0.0
        if stair and h < 1e-6 * scale and up == here == down:  # as phi in float32 has them
            tried = [t._replace(rounding=max(t.rounding, 4 * stair / t.h)) for t in tried]
            break
        if math.isfinite(up) and math.isfinite(down):
            slopes = _extrapolated(slopes, (up - down) / (2 * h), 2)
            jumps = _extrapolated(jumps, (up + down - 2 * here) / h, 1)
            rounding = 4 * max(noise, EPS * max(abs(up), abs(down))) / h
            tried.append(_Tried(h, up, down, slopes[-1], jumps[-1], rounding))
        else:
            slopes, jumps = [], []
        if _agree(tried[-3:]):
            if _confirmed(phi, tried[-1]):
                break
            tried = []
        h /= 2
    return _best(tried)


class _Tried(NamedTuple):
    """What the extrapolation of steps down to h gave."""

    h: float
    up: float
    down: float
    slope: float
    jump: float
    rounding: float

    def spread(self, smaller: list[_Tried]) -> float:
        return max(abs(self.slope - other.slope) for other in smaller)


def _extrapolated(previous: list[float], newest: float, power: int) -> list[float]:
    """The next row of Richardson's table: the terms in h^power, h^(power + 2), ... go in turn."""
    row = [newest]
    for m, old in enumerate(previous[:4]):
        row.append(row[m] + (row[m] - old) / (2 ** (power + 2 * m) - 1))
    return row


def _agree(last: list[_Tried]) -> bool:
    if len(last) < 3:
        return False
    allowed = 4 * last[-1].rounding
    return max(t.spread(last) + abs(t.jump) / 2 for t in last) <= allowed


def _confirmed(phi: Line, t: _Tried) -> bool:
    """Whether quotients at steps of no simple ratio to the others are what they predict.

    Steps h, h/2, h/4, ... are blind to a periodic phi of which they are whole periods.
    """
    curved = (t.up - t.down) / (2 * t.h) - t.slope
    for share in (0.37, 0.0137):
        quotient = (phi(share * t.h) - phi(-share * t.h)) / (2 * share * t.h)
        if not abs(quotient - t.slope - share**2 * curved) <= 8 * t.rounding / share:
            return False
    return True


def _best(tried: list[_Tried]) -> Estimate:
    best = Estimate(math.nan, math.inf)
    for i, t in enumerate(tried[:-2]):
        error = t.rounding + 2 * t.spread(tried[i + 1 :]) + abs(t.jump) / 2
        if error < best.error or math.isnan(best.value):
            best = Estimate(t.slope, error, reach=4 * t.h)
    kink = any(_persists(t, tried[i + 1 :]) for i, t in enumerate(tried[:-3]))
    if kink or not _agree(tried[-3:]):
        return best._replace(error=math.inf, kink=True)
    return best


def _persists(t: _Tried, smaller: list[_Tried]) -> bool:
    """Whether the jump between left and right derivative is the same at all smaller steps."""
    return abs(t.jump) > 64 * t.rounding and all(
        abs(other.jump - t.jump) <= abs(t.jump) / 4 + 8 * other.rounding for other in smaller
    )


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
        raise TypeError(f"the result is real: {argument} is unused, or its imaginary part dropped")
    return float(np.imag(loss)) / h


def taylor_order(phi: Line, slope: float, noise: float, reach: float) -> float | None:
    """The order at which |phi(h) - phi(0) - h slope| shrinks, where `slope` is the gradient's g·v.

    2 where g is the gradient (Taylor), 1 where it is not: then h (g - ∇L)·v remains; None where
    nothing remains, as for a linear phi. The order is read where h is as small as round-off lets it
    be, since there a small error in g shows, and only up to `reach`, since beyond it a kink's
    remainder, also of order 1, is added.
    """
    here = phi(0.0)
    remainders: list[float] = []
    for h in (2.0**-j for j in range(26, 3, -1)):
        r = abs(phi(h) - here - h * slope)
        if h > reach or len(remainders) == 4:
            break
        if math.isfinite(r) and r > 32 * noise:
            remainders.append(r)
    if len(remainders) < 2:
        return None
    return float(np.median([math.log2(b / a) for a, b in pairwise(remainders)]))
