"""check_gradients: hold a hand-derived gradient against up to three numeric ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.checks import number, whole
from ..core.errors import ConfigError, nearest
from ..core.public import public
from .diagnosis import diagnose, shape_fix
from .measure import Index, Measure, Numeric, Point, Slope
from .methods import EPS
from .problem import Problem
from .report import Report, Row, Verdict
from .stages import stage_problems
from .targets import problem_of

Array = np.ndarray

RTOL = {"central": 1e-8, "complex": 1e-11, "taylor": 1e-8}
"""The relative error that each method may find beyond its own: entry by entry, or of a slope."""

TAYLOR_ORDER = 1.9
"""The least order at which the Taylor remainder should shrink."""

ALL_STAGES_RIGHT = (
    "each is right by itself, so that the slip is in what backward does between them: the order, "
    "a gradient that is not handed on, two uses that are not added"
)
ONLY_HERE = (
    "{} entries are off at this very point and right all around it, where the function is smooth: "
    "kinks that cancel each other (relu(x) - relu(-x) at 0), or a value treated apart (x == 0)? "
    "Try inputs off it"
)

FEWEST_ENTRIES, MOST_ENTRIES = 20, 200
LARGE = 50_000
"""Numbers in all inputs of a function of which that many entries are checked in some seconds."""


@public
def check_gradients(
    target: Any,
    inputs: Any = None,
    *,
    objective: Any = None,
    methods: Sequence[str] = ("central", "complex", "taylor"),
    rtol: float | None = None,
    seed: int = 0,
    max_entries: int | None = None,
    stages: Any = None,
) -> Report:
    """Prove, or refute, a hand-derived gradient.

    Kinks (of ReLU, abs, max...) are no hindrance: each method finds them in the function's values
    and measures on a smooth stretch. Where there is none, or rounding hides the gradient, its
    verdict is "inconclusive"; the check then fails unless another method settles the argument.

    Parameters
    ----------
    target : part, model, or pair of functions
        * a `Part` or part class: every parameter and every floating input;
        * a `Model`, with its `objective`: every parameter (a float32 model is checked in float64);
        * ``(forward, backward)`` with ``forward(*inputs) -> outputs, cache`` and
          ``backward(cache, *d_outputs) -> d_inputs``;
          ``backward(d_outputs, cache)`` is known by the name ``cache``, and ``backward(cache)``
          is enough where forward ends in the loss;
        * ``(f, grad_f)`` with ``f(*inputs) -> number`` and ``grad_f(*inputs) -> gradient(s)``;
        * ``f(*inputs) -> (loss, gradients)``, of the first argument, or a tuple of all;
        * an object of any class with ``forward(*inputs) -> outputs`` and ``backward(d_outputs)``,
          whose parameters have gradients beside them: ``W`` with ``dW``, ``params`` with ``grads``.
    inputs : tuple, optional
        What forward takes: arrays, and dicts or lists of arrays, whose gradients look the same or
        have keys with a d in front. A model's are ``(x, eps)`` or ``(x, eps, context)``. Parts and
        models have examples of their own. Integers, and arrays of which no gradient is given
        where gradients are named, are constants.
    objective : optional
        A model's objective, by default ``ELBO()``.
    methods : sequence of {"central", "complex", "taylor"}
        Central differences and complex step measure entry by entry, "taylor" the slope along a
        random direction and the order at which the Taylor remainder shrinks.
    rtol : float, optional
        The relative error allowed, by default `RTOL` per method: of every entry, or of the slope
        against the root of its terms' squares. To it comes only what the method itself can be off
        by: there is no absolute tolerance to hide behind.
    seed : int
        Of the random directions, and of the entries where there are too many to check them all.
    max_entries : int, optional
        How many entries of each argument "central" and "complex" check; by default 200, and down to
        20 where the inputs have more than 50,000 numbers in all. "taylor" has all in one.
    stages : list or dict of pairs (forward, backward), or of classes or objects, optional
        Functions that the target's forward calls: each call is checked by itself as well, at what
        it was given, so that the report names the one that is wrong.

    Returns
    -------
    Report
        ``.ok``, ``.worst``, ``.rows``; a table when printed. It also has a row for every breach of
        the contract: a backward that overwrites instead of adding, a changed input, and the like.
        For functions of your own a wrong gradient is followed through the variables of backward to
        the first wrong value, and small changes of that line are tried until one mends it: your
        functions run often, and must have no side effects.

    Raises
    ------
    ConfigError
        If the target, a method or a stage is none of these, or no argument is a floating array.
    """
    if not methods:
        raise ConfigError(f"methods is empty: name at least one of {', '.join(sorted(RTOL))}.")
    for method in methods:
        if method not in RTOL:
            raise ConfigError(f"there is no method {method!r}{nearest(str(method), RTOL)}")
    if rtol is not None:
        number("rtol", rtol, above=0)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    problem = problem_of(target, inputs, objective, rng)
    if not problem.values:
        raise ConfigError(
            "a gradient check needs a floating array, and got none: integers count as constants. "
            "Pass x.astype(float)."
        )
    limit = None if max_entries is None else whole("max_entries", max_entries)
    with np.errstate(all="ignore"):  # steps may leave the function's domain
        parts = [] if stages is None else stage_problems(stages, problem, rng)
        reports = [
            Report(_Check(p, Measure(p, rng, limit or _entries(p)), rtol).run(methods))
            for p in (problem, *parts)
        ]
    if parts and not reports[0].ok:
        wrong = [p.name for p, report in zip(parts, reports[1:], strict=True) if not report.ok]
        note = ALL_STAGES_RIGHT if not wrong else f"wrong by themselves: {', '.join(wrong)}"
        reports[0].rows.append(Row(problem.name, "stages", "contract", "n/a", note=note))
    return Report([row for report in reports for row in report.rows])


def _entries(problem: Problem) -> int:
    """How many entries of each argument are checked: fewer of a function that takes long."""
    total = sum(value.size for value in problem.values.values())
    return min(MOST_ENTRIES, max(FEWEST_ENTRIES, MOST_ENTRIES * LARGE // max(total, 1)))


class _Check:
    def __init__(self, problem: Problem, measure: Measure, rtol: float | None) -> None:
        self.problem = problem
        self.measure = measure
        self.here = measure.here
        self.rtol = rtol

    def run(self, methods: Sequence[str]) -> list[Row]:
        if not np.isfinite(self.problem.loss(self.here.values)):
            note = "the function is nan or inf at this point: pass inputs inside its domain"
            row = self._row("(outputs)", "contract", "wrong", note)
            return [*self.problem.violations, row]
        rows, usable = [], []
        for argument in self.problem.values:
            if self.here.usable(argument):
                usable.append(argument)
            elif argument in self.here.gradient:
                rows.append(self._unusable(argument))
        for method in methods:
            if method == "taylor":
                rows += [self._taylor(argument) for argument in usable]
            else:
                rows += self._judge(method, self._entrywise(method, usable))
        order = list(self.problem.values)
        rows.sort(key=lambda row: order.index(row.argument))  # stable: methods as they were given
        return [*self.problem.violations, *rows]

    def _row(self, argument: str, method: str, verdict: Verdict, note: str) -> Row:
        return Row(self.problem.name, argument, method, verdict, note=note)

    def _unusable(self, argument: str) -> Row:
        value, d = self.problem.values[argument], self.here.gradient[argument]
        if d is None:
            note = (
                "backward gives None for it: return its gradient; if it is a constant, name it in "
                "the part's `data_inputs`, or let the functions of the pair close over it"
            )
        elif np.shape(d) != value.shape:
            entries = self.measure.entries(argument)
            small = len(entries) == value.size
            numeric = self.measure.entrywise("central", argument, entries, self.here).numeric
            note = shape_fix(np.asarray(d), value.shape, numeric if small else None)
        else:
            broken = np.argwhere(~np.isfinite(d))
            note = f"it is nan or inf in {len(broken)} of {value.size} entries"
            note += f", the first at {broken[0].tolist()}"
        return self._row(argument, "contract", "wrong", note)

    def _entrywise(self, method: str, arguments: list[str]) -> dict[str, Numeric | str]:
        """Every argument's numeric gradient, or why the method does not apply."""
        if method == "complex" and self.problem.not_analytic:
            return dict.fromkeys(arguments, self.problem.not_analytic)
        return {argument: self._numeric_or_reason(method, argument) for argument in arguments}

    def _numeric_or_reason(self, method: str, argument: str) -> Numeric | str:
        entries = self.measure.entries(argument)
        try:
            return self.measure.entrywise(method, argument, entries, self.here)
        except (TypeError, np.exceptions.ComplexWarning) as error:
            if self.problem.trusted_complex or method != "complex":
                raise
            return f"the forward takes no complex input ({error})"

    def _judge(self, method: str, numerics: dict[str, Numeric | str]) -> list[Row]:
        measured = [r for r in numerics.values() if isinstance(r, Numeric)]
        largest = max((_largest(r.numeric) for r in measured), default=0.0)
        rows = []
        for argument, result in numerics.items():
            if isinstance(result, str):
                rows.append(self._row(argument, method, "n/a", result))
                continue
            row = self._compare(method, argument, result, largest, self.here)
            rows.append(self._second_look(row, result, largest))
        return rows

    def _second_look(self, row: Row, result: Numeric, largest: float) -> Row:
        """What is left of a row if kinks have nothing to do with it, nor the method's limits."""
        method, argument = row.method, row.argument
        suspects = self._suspects(method, result, largest)
        blind = result.zeros if method == "complex" else []  # at a kink it sees one side
        if row.error is None or not (suspects or blind):
            return row
        beside = self.measure.off_kinks()
        if beside.usable(argument) and (
            result.moved.any() or self.measure.on_kink(method, argument, (suspects or blind)[:4])
        ):
            result = self.measure.entrywise(
                method, argument, result.entries, beside, moved=suspects or blind
            )
            row = self._compare(method, argument, result, largest, beside)
        elif suspects and self._only_here(method, argument, suspects[:20], largest):
            return replace(row, verdict="inconclusive", note=ONLY_HERE.format(len(suspects)))
        if row.verdict == "wrong" and method == "complex" and not self.problem.trusted_complex:
            return self._distrust(row, result)
        return row

    def _only_here(self, method: str, argument: str, entries: list[Index], largest: float) -> bool:
        near = (
            self.measure.entrywise(method, argument, entries, at)
            for at in self.measure.just_beside()
        )
        return not any(self._suspects(method, result, largest) for result in near)

    def _suspects(self, method: str, result: Numeric, largest: float) -> list[Index]:
        """The entries that seem wrong, in random order."""
        wrong = self._errors(method, result, largest)[0] > (self.rtol or RTOL[method])
        return [tuple(map(int, i)) for i in self.measure.rng.permutation(np.argwhere(wrong))]

    def _errors(self, method: str, result: Numeric, largest: float) -> tuple[Array, Array]:
        """Of each entry, relative to the larger gradient, and what the method itself is off by.

        The error is what goes beyond that: rounding in the gradients themselves is some eps of the
        largest number they are made of.
        """
        own = 4 * result.error + 64 * EPS * largest
        off = np.where(np.isfinite(result.numeric), np.abs(result.analytic - result.numeric), -1.0)
        least = np.maximum(own / (self.rtol or RTOL[method]), np.finfo(np.float64).tiny)
        return off / np.maximum(result.size, least), own

    def _compare(
        self, method: str, argument: str, result: Numeric, largest: float, at: Point
    ) -> Row:
        """The row of an argument, by its worst entry."""
        analytic, numeric = result.analytic, result.numeric
        if analytic.size == 0:
            return self._row(argument, method, "ok", "it is empty")
        checked = np.isfinite(numeric)
        if not checked.any():
            note = "the function is nan or inf around this point: pass inputs inside its domain"
            return self._row(argument, method, "wrong", note)
        rtol = self.rtol or RTOL[method]
        errors, own = self._errors(method, result, largest)
        where = tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
        worst = float(errors[where])
        verdict: Verdict = "ok"
        count = f"of {checked.sum()} entries"
        moved = int(result.moved.sum())
        note = f"{moved} {count} can't be told at this point (a kink?): compared near by"
        note = note if moved else ""
        if worst > rtol:  # without the allowance for the method
            worst = float(abs(analytic[where] - numeric[where]) / result.size[where])
            verdict, note = "wrong", diagnose(self.measure, argument, result, own, at)
        elif undecided := int(result.unresolved(largest).sum()):
            kinks = bool(np.isinf(result.error).any())
            verdict, note = "inconclusive", f"{undecided} {count}: {self._why(kinks)}"
        return Row(
            self.problem.name, argument, method, verdict, worst, rtol, where,
            float(analytic[where]), float(numeric[where]), note,
        )  # fmt: skip

    def _distrust(self, row: Row, result: Numeric) -> Row:
        """Where central differences contradict it, complex step is what fails to apply."""
        at = self.measure.off_kinks() if result.moved.any() else self.here
        other = self.measure.entrywise("central", row.argument, result.entries[:20], at)
        near = np.maximum(1e-6 * np.abs(other.numeric), 10 * other.error + 1e-9)
        off = np.where(other.moved, 0.0, np.abs(result.numeric - other.numeric))
        if not (off > near)[np.isfinite(off)].any():
            return row
        note = "the forward is not analytic (np.abs, np.real, a comparison...)"
        return self._row(row.argument, "complex", "n/a", note)

    def _taylor(self, argument: str) -> Row:
        """Judge up to six random directions: kinks may crowd one of them and leave another.

        A wrong gradient is wrong along nearly every direction, so "wrong" takes two of them.
        """
        found, moved = self._directions(argument, self.here)
        if (
            _majority(found) == "wrong"
            and not moved
            and self.measure.jumps(argument, found[-1][1].v)
        ):
            found, moved = self._directions(argument, self.measure.off_kinks())
        verdict = _majority(found)
        slope = next(s for v, s in reversed(found) if v == verdict)
        note = "the slope can't be told at this point (a kink?): compared near by"
        note = note if moved else ""
        if verdict == "wrong":
            note = (
                f"along a random direction v it gives the slope {slope.claimed:.6g}, where the "
                f"function's is {slope.measured.value:.6g}"
            )
        elif verdict == "inconclusive":
            note = f"along 6 random directions {self._why(slope.measured.kink)}"
        return Row(
            self.problem.name, argument, "taylor", verdict, slope.order, TAYLOR_ORDER, None,
            slope.claimed, slope.measured.value, note,
        )  # fmt: skip

    def _directions(self, argument: str, at: Point) -> tuple[list[tuple[Verdict, Slope]], bool]:
        """What as many directions say as are needed, and whether they were taken off kinks."""
        found = [self._judged(argument, at)]
        while not _clear(found) and len(found) < 6:
            if found[-1][0] == "inconclusive":
                at = self.measure.off_kinks()
            found.append(self._judged(argument, at))
        return found, at is not self.here

    def _judged(self, argument: str, at: Point) -> tuple[Verdict, Slope]:
        slope = self.measure.slope(argument, at)
        if slope.off > slope.own + (self.rtol or RTOL["taylor"]) * slope.size:
            return "wrong", slope
        size = max(slope.claimed, abs(slope.measured.value))
        if slope.own <= max(1e-5 * size, 1e-9 * self.measure.size(at)) or (
            slope.off == size == 0 and not slope.measured.kink
        ):
            return "ok", slope
        return "inconclusive", slope

    def _why(self, kinks: bool) -> str:
        """Why differences of the loss did not settle it, and what might."""
        if kinks:
            return (
                "kinks (or the edge of its domain) lie so close that no step between them is above "
                'rounding: try other inputs, or "complex"'
            )
        return (
            'rounding in the function hides the gradient: try "complex", which does not round, '
            "leave out large constants, or compute in float64 throughout"
        )


def _majority(found: list[tuple[Verdict, Slope]]) -> Verdict:
    ok, wrong = (sum(v == verdict for v, _ in found) for verdict in ("ok", "wrong"))
    return "ok" if ok > wrong else "wrong" if wrong > 1 else "inconclusive"


def _clear(found: list[tuple[Verdict, Slope]]) -> bool:
    """Whether no more directions are needed."""
    verdict, slope = found[-1]
    if verdict == "ok":
        return _majority(found) == "ok" and not (slope.order or math.inf) < TAYLOR_ORDER
    return sum(v == "wrong" for v, _ in found) == 2


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0
