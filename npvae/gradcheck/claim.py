"""What an identity's check found: two numbers, how far apart they may be, and why."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Array = np.ndarray

EPS = float(np.finfo(np.float64).eps)

SIGMAS = 4.0
"""Standard errors that an estimate may be off by: a right one is further in 6 of 100,000 cases."""


@dataclass(frozen=True)
class Claim:
    """One identity, at its worst entry where it was checked on many.

    Attributes
    ----------
    name : str
    measured : float
        What npvae's parts give; NaN where they gave nothing.
    expected : float
        What the theory says.
    allowed : float
        How far `measured` may be from `expected` (or beyond it, for an inequality).
    basis : str
        What `allowed` follows from: rounding, standard errors, or a bound that `note` explains.
    note : str
        One line of explanation.
    relation : {"=", "<=", ">="}
        How `measured` stands to `expected`.
    """

    name: str
    measured: float
    expected: float
    allowed: float
    basis: str
    note: str
    relation: str = "="

    @property
    def off(self) -> float:
        """How far `measured` is on the wrong side of `expected`: 0 where an inequality holds."""
        difference = float(self.measured - self.expected)
        if self.relation == "=":
            return abs(difference)
        return max(difference if self.relation == "<=" else -difference, 0.0)

    @property
    def ok(self) -> bool:
        # NaN is in no relation to anything, so that a NaN anywhere is a failure.
        return math.isfinite(self.measured + self.expected) and self.off <= self.allowed

    def as_dict(self) -> dict[str, Any]:
        """The whole as JSON can hold it: a number that is not finite is None."""
        numbers = {n: v for n, v in asdict(self).items() if isinstance(v, float)}
        finite = {n: v if math.isfinite(v) else None for n, v in numbers.items()}
        return asdict(self) | finite | {"ok": self.ok}


def rounding(size: float | Array, operations: int, condition: float = 1.0) -> float:
    """What float64 may be off by after a chain of operations on numbers of this size.

    Each operation is off by at most half an eps of its result (Higham 2002, section 2.2); a linear
    system multiplies that by its condition number (section 7.1).
    """
    return EPS * operations * condition * float(np.max(np.abs(size)))


def compare(
    name: str,
    measured: Any,
    expected: Any,
    allowed: Any,
    basis: str,
    note: str,
    relation: str = "=",
) -> Claim:
    """The entry of the arrays, broadcast together, that comes nearest to failing or fails worst."""
    m, e, a = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (measured, expected, allowed))
    )
    badness = {"=": np.abs(m - e), "<=": m - e, ">=": e - m}[relation] / np.maximum(a, 1e-300)
    at = np.unravel_index(np.where(np.isnan(badness), np.inf, badness).argmax(), m.shape)
    return Claim(name, float(m[at]), float(e[at]), float(a[at]), basis, note, relation)


def estimate(
    name: str, draws: Array, expected: Any, note: str, variance: Any = None, relation: str = "="
) -> Claim:
    """The mean of independent draws (N, ...) against what it should be, entry by entry.

    `variance` is that of one draw where it is known exactly; otherwise the draws' own.
    """
    mean = draws.mean(0)
    variance = draws.var(0, ddof=1) if variance is None else variance
    sigmas = sigmas_for(mean.size)
    allowed = sigmas * np.sqrt(variance / len(draws))
    return compare(name, mean, expected, allowed, f"{sigmas:.1f} standard errors", note, relation)


def sigmas_for(n: int) -> float:
    """As `SIGMAS`, where the worst of n estimates is judged: n exp(-t²/2) stays the same."""
    return math.sqrt(SIGMAS**2 + 2 * math.log(n))
