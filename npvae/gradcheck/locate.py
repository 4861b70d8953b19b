"""Which value in a backward is the first wrong one, where a gradient is made in many steps.

The forward's variables are changed while it runs, so that their gradients are measured like an
argument's. A variable of the backward called dh, d_h, grad_h... claims to be that of h. The first
that is not marks the step with the slip, however many gradients are wrong because of it.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .arguments import spellings
from .measure import Measure, Point, scale
from .methods import central
from .repair import unwrapped
from .slips import Evidence, lengths_of
from .variables import Change, Tracer, Variable

Array = np.ndarray

MAX_VERSIONS = 8
"""As many values of one variable are looked at: a loop may give it thousands."""

MAX_ENTRIES = 3000
"""Of larger variables the whole gradient is not measured, so that they are not blamed."""


class Walk:
    """A run of the forward and one of the backward at a point, with all of their variables."""

    def __init__(self, measure: Measure, at: Point) -> None:
        self.problem, self.at, self.rng = measure.problem, at, np.random.default_rng(0)
        self.tracer = Tracer(self.problem.functions)
        _, self.forward = self.tracer.record(self._loss)
        _, self.backward = self.tracer.record(self._gradient)
        self._slopes: dict[Any, tuple[Array, float, float]] = {}

    def _loss(self) -> Any:
        return self.problem.loss(self.at.values)

    def _gradient(self) -> Any:
        return self.problem.gradient(self.at.values)

    def targets(self, d: Variable) -> list[Variable]:
        """The variables of the forward whose gradient this one claims to be."""
        named = [v for v in self.forward if d.name in spellings(v.name)[:-1]]
        return [v for v in named if v.value.shape == d.value.shape][-MAX_VERSIONS:]

    def is_gradient(self, d: Variable, of: Variable) -> bool | None:
        """Whether it is, along a random direction; None where that can't be measured."""
        key = of.event, of.path
        if key not in self._slopes:
            v = self.rng.normal(size=of.value.shape) * scale(of.value)
            estimate = central(self._line(of, v), 1.0, self.at.noise)
            self._slopes[key] = v, estimate.value, estimate.error
        v, slope, error = self._slopes[key]
        if not np.isfinite(error) or (abs(slope) <= error and d.value.any()):
            return None  # as where it was changed too late, on a line of many statements
        terms = d.value * v
        near = 4 * error + 1e-6 * max(abs(slope), float(np.linalg.norm(terms)))
        return bool(abs(terms.sum() - slope) <= near)

    @cached_property
    def steps(self) -> list[tuple[Variable, Variable, bool]]:
        """Each gradient that the backward names, in order: its value, that of what, whether right.

        A gradient that is added up has several values, of which one is enough.
        """
        by_path: dict[Any, list[Variable]] = {}
        for d in self.backward:
            if self.targets(d):
                by_path.setdefault(d.path, []).append(d)
        found = []
        for versions in by_path.values():
            tried = [(d, of) for d in versions[-MAX_VERSIONS:] for of in self.targets(d)]
            verdicts = [self.is_gradient(d, of) for d, of in tried]
            if True in verdicts:
                found.append((*tried[verdicts.index(True)], True))
            elif False in verdicts:
                plain = [pair for pair in tried if not pair[1].in_place]
                found.append((*(plain or tried)[-1], False))
        return found

    def evidence(self, d: Variable, of: Variable, at_most: int = 60) -> Evidence:
        """The gradient of one variable, entry by entry."""
        shape, size = of.value.shape, of.value.size
        entries, errors = np.full(size, np.nan), np.zeros(size)
        for i in self.rng.permutation(size)[:at_most]:
            unit = np.zeros(size)
            unit[i] = 1.0
            line = self._line(of, unit.reshape(shape))
            step = float(scale(of.value.ravel()[i]))
            entries[i], errors[i], *_ = central(line, step, self.at.noise)
        numeric, error = entries.reshape(shape), errors.reshape(shape)
        tolerance = np.maximum(16 * error, 1e-6 * np.fmax(np.abs(numeric), np.abs(d.value)))
        arrays = self.arrays(d)
        alike = {n: x for n, x in arrays.items() if x.shape == of.value.shape}
        loss, lengths = float(self._loss()), lengths_of(arrays.values())
        return Evidence(d.value, numeric, tolerance, of.value, loss, alike, {}, lengths, arrays)

    def is_to_blame(self, d: Variable, of: Variable, argument: str, numeric: Array) -> bool:
        """Whether the argument's gradient is right with what this variable should have been."""
        if of.value.size > MAX_ENTRIES:
            return False
        due = np.empty(of.value.shape)
        for index in np.ndindex(of.value.shape):
            unit = np.zeros(of.value.shape)
            unit[index] = 1e-5 * scale(of.value[index])
            line = self._line(of, unit)
            due[index] = (line(1.0) - line(-1.0)) / (2 * unit[index])
        change = Change(d.event, d.path, lambda _: due.copy())
        found: Any = self.tracer.change(self._gradient, [change]).get(argument)
        known = np.isfinite(numeric)
        if np.shape(found) != numeric.shape:
            return False
        off = np.linalg.norm((np.asarray(found) - numeric)[known])
        return bool(off <= 1e-3 * np.linalg.norm(numeric[known]))

    def arrays(self, d: Variable) -> dict[str, Array]:
        """What the backward had at hand when it made this, by name: the last values of each."""
        earlier = [v for v in self.backward if v.event < d.event]
        return {v.label: v.value for v in (*self.forward, *earlier) if v.path != d.path}

    def _line(self, of: Variable, direction: Array) -> Callable[[float], float]:
        def phi(t: float) -> float:
            change = Change(of.event, of.path, lambda x: x + t * direction)
            try:
                return float(self.tracer.change(self._loss, [change]))
            except (ArithmeticError, ValueError):
                return float("nan")

        return phi

    def in_place(self) -> Iterator[tuple[Variable, list[str], dict[str, Any]]]:
        """Each change in place, what it changed, and the gradient if that had been a copy."""
        by_event: dict[int, list[Variable]] = {}
        for v in self.backward:
            if v.in_place:
                by_event.setdefault(v.event, []).append(v)
        for changed in list(by_event.values())[:MAX_VERSIONS]:
            copies = [Change(v.before, v.path, np.copy) for v in changed]
            labels = [v.label for v in changed]
            yield changed[0], labels, self.tracer.change(self._gradient, copies)


class Step(NamedTuple):
    """The first step of a backward that gives a wrong gradient."""

    measure: Measure
    at: Point
    number: int
    """Of `Walk.steps`."""
    is_last: bool
    """Whether what it gives is the gradient of the argument itself."""

    @property
    def d(self) -> Variable:
        return walk(self.measure, self.at).steps[self.number][0]

    @property
    def before(self) -> Variable | None:
        """The last gradient before it, which is right."""
        steps = walk(self.measure, self.at).steps[: self.number]
        right = [d for d, of, ok in steps if ok and of.name not in ends(self.measure)]
        return right[-1] if right else None

    @property
    def lines(self) -> range:
        """Those of the function between the two, in which the slip must be."""
        first = self.d.code.co_firstlineno
        if self.before and self.before.code is self.d.code:
            first = min(self.before.number, self.d.number - 1)
        return range(first + 1, self.d.number + 1)

    def evidence(self, at: Point) -> Evidence | None:
        """Of this step at any point; None where the backward runs otherwise there."""
        d, of, _ = walk(self.measure, self.at).steps[self.number]
        there = walk(self.measure, at)
        twin_d = next((v for v in there.backward if _place(v) == _place(d)), None)
        twin_of = next((v for v in there.forward if _place(v) == _place(of)), None)
        return there.evidence(twin_d, twin_of) if twin_d and twin_of else None

    def __str__(self) -> str:
        text = f"the first wrong value in backward is {self.d.label} ({self.d.source})"
        return f"{text}; {self.before.label} before it is right" if self.before else text


def wrong_step(measure: Measure, argument: str, numeric: Array, at: Point) -> Step | None:
    """Where a gradient of the argument went wrong, if the backward's variables tell.

    The gradients of other arguments are ends, from which nothing is made.
    """
    here = walk(measure, at)
    for number, (d, of, right) in enumerate(here.steps):
        own = of.name == _last_name(argument)
        inner = not own and of.name not in ends(measure)
        if not right and (own or (inner and here.is_to_blame(d, of, argument, numeric))):
            return Step(measure, at, number, own)
    return None


def ends(measure: Measure) -> set[str]:
    """The variables that are arguments."""
    return {_last_name(n) for n in measure.problem.values}


def changed_in_place(measure: Measure, argument: str, evidence: Evidence, at: Point) -> str:
    """What a line changes in place that is needed as it was: a copy makes the gradient right."""
    for v, labels, gradient in walk(measure, at).in_place():
        d: Any = gradient.get(argument)
        if np.shape(d) == evidence.value.shape and evidence.equals(np.asarray(d)):
            what = " and ".join(labels)
            needed = "needed as it was" if len(labels) == 1 else "which are needed as they were"
            return f"{v.source}, changes {what} in place, {needed}: work on a copy"
    return ""


def crowded(functions: Iterable[Any]) -> str:
    """A word on the last line of several statements, the values between which nobody sees."""
    for function in reversed(list(functions)):
        try:
            lines, first = inspect.getsourcelines(unwrapped(function))
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        numbers = [s.lineno for s in ast.walk(tree) if isinstance(s, ast.stmt)]
        numbers = [n for n in numbers if numbers.count(n) > 1]
        if numbers:
            return (
                f"; line {first + max(numbers) - 1} has several statements: with a line for each, "
                "what each gives is looked at"
            )
    return ""


def walk(measure: Measure, at: Point) -> Walk:
    """The walk at a point, which is done once."""
    key = "walk", id(at)
    if key not in measure.memo:
        measure.memo[key] = Walk(measure, at)
    found: Walk = measure.memo[key]
    return found


def _place(v: Variable) -> tuple[Any, ...]:
    return v.path, v.event, v.number


def _last_name(argument: str) -> str:
    """W of ``W``, of ``params['W']`` and of ``layers.0.W``."""
    return re.split(r"[.\[]", argument)[-1].strip("']\"")
