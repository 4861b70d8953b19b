"""Which value in a backward is the first wrong one, where a gradient is made in many steps.

The forward's variables are changed while it runs, so that their gradients are measured like an
argument's. A variable of the backward called dh, d_h, grad_h... claims to be that of h. The first
that is not marks the step with the slip, however many gradients are wrong because of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .arguments import spellings
from .measure import Measure, Point, scale
from .methods import central
from .slips import Evidence
from .variables import Change, Tracer, Variable

Array = np.ndarray

MAX_VERSIONS = 12
"""As many values of one variable are looked at: a loop may give it thousands."""


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
        if not np.isfinite(error):
            return None
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
                found.append((*tried[-1], False))
        return found

    def evidence(self, d: Variable, of: Variable, at_most: int = 60) -> Evidence:
        """The gradient of one variable, entry by entry."""
        numeric, error = np.full(of.value.size, np.nan), np.zeros(of.value.size)
        for i in self.rng.permutation(of.value.size)[:at_most]:
            unit = np.zeros(of.value.size)
            unit[i] = 1.0
            line = self._line(of, unit.reshape(of.value.shape))
            step = float(scale(of.value.ravel()[i]))
            numeric[i], error[i], *_ = central(line, step, self.at.noise)
        numeric, error = numeric.reshape(of.value.shape), error.reshape(of.value.shape)
        size = np.fmax(np.abs(numeric), np.abs(d.value))
        arrays = self.arrays(d)
        alike = {n: x for n, x in arrays.items() if x.shape == of.value.shape}
        lengths = {n for x in arrays.values() for n in (*x.shape, x.size)} - {0, 1}
        return Evidence(
            d.value, numeric, np.maximum(16 * error, 1e-6 * size), of.value,
            float(self.problem.loss(self.at.values)), alike, {}, lengths, arrays,
        )  # fmt: skip

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
    number: int
    """Of `Walk.steps`."""
    is_last: bool
    """Whether what it gives is the gradient of the argument itself."""

    @property
    def d(self) -> Variable:
        return _walk(self.measure, self.measure.here).steps[self.number][0]

    def evidence(self, at: Point) -> Evidence | None:
        """Of this step at any point; None where the backward runs otherwise there."""
        d, of, _ = _walk(self.measure, self.measure.here).steps[self.number]
        walk = _walk(self.measure, at)
        twin_d = next((v for v in walk.backward if v[:1] + v[2:4] == d[:1] + d[2:4]), None)
        twin_of = next((v for v in walk.forward if (v.path, v.event) == (of.path, of.event)), None)
        return walk.evidence(twin_d, twin_of) if twin_d and twin_of else None

    def __str__(self) -> str:
        steps = _walk(self.measure, self.measure.here).steps
        right = list(dict.fromkeys(d.label for d, _, ok in steps[: self.number] if ok))
        text = f"the first wrong value in backward is {self.d.label} ({self.d.source})"
        return f"{text}, after {', '.join(right)}, which are right" if right else text


def wrong_step(measure: Measure, argument: str) -> Step | None:
    """Where a gradient of the argument went wrong, if the backward's variables tell.

    The gradients of other arguments are ends, from which nothing is made.
    """
    if not measure.problem.functions:
        return None
    ends = {_last_name(n) for n in measure.problem.values}
    for number, (_, of, right) in enumerate(_walk(measure, measure.here).steps):
        own = of.name == _last_name(argument)
        if not right and (own or of.name not in ends):
            return Step(measure, number, own)
    return None


def changed_in_place(measure: Measure, argument: str, evidence: Evidence) -> str:
    """What a line changes in place that is needed as it was: a copy makes the gradient right."""
    if not measure.problem.functions:
        return ""
    for v, labels, gradient in _walk(measure, measure.here).in_place():
        d = gradient.get(argument)
        if np.shape(d) == evidence.value.shape and evidence.equals(np.asarray(d)):
            what = ", ".join(labels)
            return f"{v.source} changes {what} in place, which is needed as it was: use a copy"
    return ""


def _walk(measure: Measure, at: Point) -> Walk:
    if id(at) not in measure.memo:
        measure.memo[id(at)] = Walk(measure, at)
    walk: Walk = measure.memo[id(at)]
    return walk


def _last_name(argument: str) -> str:
    """W of ``W``, of ``params['W']`` and of ``layers.0.W``."""
    return re.split(r"[.\[]", argument)[-1].strip("']\"")
