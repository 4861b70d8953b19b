"""check_gradients: hold a hand-derived gradient against up to three numeric ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..checks import number, whole
from ..errors import ConfigError, nearest
from .diagnosis import diagnose, shape_fix
from .methods import EPS, Estimate, central, complex_step, line, taylor
from .report import Report, Row
from .targets import Problem, Values, problem_of

Array = np.ndarray

RTOL = {"central": 1e-8, "complex": 1e-11}
"""The relative error that each method may find, entry by entry, beyond its own round-off."""

TAYLOR_ORDER = 1.9
"""The least order at which the Taylor remainder must shrink."""


def check_gradients(
    target: Any,
    inputs: Any = None,
    *,
    objective: Any = None,
    methods: Sequence[str] = ("central", "complex", "taylor"),
    rtol: float | None = None,
    seed: int = 0,
    max_entries: int = 200,
) -> Report:
    """Prove, or refute, a hand-derived gradient.

    Parameters
    ----------
    target : part, model, or pair of functions
        * a `Part` or part class: every parameter and every floating input;
        * a `Model`, with its `objective`: every parameter (a float32 model is checked in float64);
        * ``(forward, backward)`` with ``forward(*inputs) -> outputs, cache`` and
          ``backward(cache, *d_outputs) -> d_inputs``;
        * ``(f, grad_f)`` with ``f(*inputs) -> number`` and ``grad_f(*inputs) -> gradient(s)``.
    inputs : tuple of arrays, optional
        What forward takes; a model's are ``(x, eps)`` or ``(x, eps, context)``. Parts and models
        have examples of their own. Integer inputs are constants.
    objective : optional
        A model's objective, by default ``ELBO()``.
    methods : sequence of {"central", "complex", "taylor"}
    rtol : float, optional
        The relative error allowed in every entry, by default `RTOL` per method. To it comes only
        what the method itself can be off by: there is no absolute tolerance to hide behind.
    seed : int
        Of the random directions, and of the entries where there are too many to check them all.
    max_entries : int
        How many entries of each argument "central" and "complex" check.

    Returns
    -------
    Report
        ``.ok``, ``.worst``, ``.rows``; a table when printed. It also has a row for every breach of
        the contract: a backward that overwrites instead of adding, a changed input, and the like.

    Raises
    ------
    ConfigError
        If the target or a method is none of these.
    """
    for method in methods:
        if method not in ("central", "complex", "taylor"):
            raise ConfigError(
                f"there is no method {method!r}. {nearest(str(method), (*RTOL, 'taylor'))}"
            )
    if rtol is not None:
        number("rtol", rtol, above=0)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    problem = problem_of(target, inputs, objective, rng)
    return Report(_Check(problem, rtol, rng, whole("max_entries", max_entries)).run(methods))


class _Numeric(NamedTuple):
    """One argument's numeric gradient, beside the analytic one at the same points."""

    numeric: Array
    error: Array
    analytic: Array
    moved: int


class _Check:
    def __init__(
        self, problem: Problem, rtol: float | None, rng: np.random.Generator, max_entries: int
    ) -> None:
        self.problem = problem
        self.rtol = rtol
        self.rng = rng
        self.max_entries = max_entries
        self.gradient = problem.gradient(problem.values)
        self._elsewhere: tuple[Values, dict[str, Any]] | None = None

    def run(self, methods: Sequence[str]) -> list[Row]:
        rows, usable = [], []
        for argument, value in self.problem.values.items():
            d = self.gradient.get(argument)
            if d is not None and np.shape(d) == value.shape and np.isfinite(d).all():
                usable.append(argument)
            elif argument in self.gradient:
                rows.append(self._unusable(argument, d))
        found = {m: self._entrywise(m, usable) for m in methods if m != "taylor"}
        for method, numerics in found.items():
            rows += self._judge(method, numerics, found.get("central", {}))
        if "taylor" in methods:
            rows += [self._taylor(argument) for argument in usable]
        order = list(self.problem.values)
        rows.sort(key=lambda row: order.index(row.argument))
        return [*self.problem.violations, *rows]

    def _unusable(self, argument: str, d: Any) -> Row:
        value = self.problem.values[argument]
        if d is None:
            note = "backward gives None: name it in `data_inputs` if it needs no gradient"
        elif np.shape(d) != value.shape:
            small = value.size <= self.max_entries
            numeric = self._numeric("central", argument).numeric if small else None
            note = shape_fix(np.asarray(d), value.shape, numeric)
        else:
            note = "it is not finite"
        return Row(self.problem.name, argument, "contract", False, note=note)

    def _entrywise(self, method: str, arguments: list[str]) -> dict[str, _Numeric | str]:
        """Every argument's numeric gradient, or why the method does not apply."""
        if method == "complex":
            reason = self.problem.not_analytic
            if kernels.eager() != "numpy":
                reason = "compiled kernels take no complex arrays"
            if reason:
                return dict.fromkeys(arguments, reason)
        results: dict[str, _Numeric | str] = {}
        for argument in arguments:
            results[argument] = self._numeric_or_reason(method, argument)
        return results

    def _numeric_or_reason(self, method: str, argument: str) -> _Numeric | str:
        try:
            return self._numeric(method, argument)
        except (TypeError, np.exceptions.ComplexWarning) as error:
            if self.problem.trusted_complex or method != "complex":
                raise
            return f"the forward takes no complex input ({error})"

    def _numeric(self, method: str, argument: str) -> _Numeric:
        value = self.problem.values[argument]
        analytic = np.array(self.gradient.get(argument, np.nan), np.float64)
        if analytic.shape != value.shape:
            analytic = np.full(value.shape, np.nan)
        numeric, error = np.full(value.shape, np.nan), np.zeros(value.shape)
        moved = 0
        for index in self._entries(value.shape):
            if method == "complex":
                numeric[index] = complex_step(self.problem, self.problem.values, argument, index)
                continue
            estimate = self._central(self.problem.values, argument, index)
            if estimate.kink:
                moved += 1
                values, gradient = self._moved()
                estimate = self._central(values, argument, index)
                analytic[index] = np.asarray(gradient[argument])[index]
            numeric[index], error[index] = estimate.value, estimate.error
        return _Numeric(numeric, error, analytic, moved)

    def _central(self, values: Values, argument: str, index: tuple[int, ...]) -> Estimate:
        scale = max(abs(float(values[argument][index])), 0.1)
        return central(line(self.problem, values, argument, index), scale)

    def _moved(self) -> tuple[Values, dict[str, Any]]:
        """A point near by, off the kink, with the analytic gradient there."""
        if self._elsewhere is None:
            values = {
                n: v + 0.01 * self.rng.choice([-1.0, 1.0], v.shape) * (1 + self.rng.random(v.shape))
                for n, v in self.problem.values.items()
            }
            self._elsewhere = values, self.problem.gradient(values)
        return self._elsewhere

    def _entries(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        size = int(np.prod(shape))
        chosen = np.arange(size)
        if size > self.max_entries:
            chosen = np.sort(self.rng.choice(size, self.max_entries, replace=False))
        return [tuple(int(i) for i in np.unravel_index(c, shape)) for c in chosen]

    def _judge(
        self,
        method: str,
        numerics: dict[str, _Numeric | str],
        central_ones: dict[str, _Numeric | str],
    ) -> list[Row]:
        rtol = self.rtol or RTOL[method]
        measured = {n: r for n, r in numerics.items() if isinstance(r, _Numeric)}
        # Rounding in the gradients themselves: some eps of the largest number they are made of.
        rounding = 64 * EPS * max((_largest(r.numeric) for r in measured.values()), default=0.0)
        rows = []
        for argument, result in numerics.items():
            if isinstance(result, str):
                rows.append(Row(self.problem.name, argument, method, True, note=result))
                continue
            row = self._compare(method, argument, result, rtol, rounding, measured)
            if not row.ok and method == "complex" and not self.problem.trusted_complex:
                row = self._distrust(row, argument, result, central_ones.get(argument))
            rows.append(row)
        return rows

    def _compare(
        self,
        method: str,
        argument: str,
        result: _Numeric,
        rtol: float,
        rounding: float,
        measured: dict[str, _Numeric],
    ) -> Row:
        """The worst entry, by its error relative to the larger gradient beyond the method's own."""
        analytic, numeric = result.analytic, result.numeric
        if analytic.size == 0:
            return Row(self.problem.name, argument, method, True, note="it is empty")
        own = result.error + rounding
        checked = np.isfinite(numeric)
        if not checked.any():
            note = "the loss is not finite around this point"
            return Row(self.problem.name, argument, method, False, note=note)
        off = np.where(checked, np.abs(analytic - numeric), 0.0)
        size = np.maximum(np.abs(analytic), np.where(checked, np.abs(numeric), 0.0))
        errors = off / np.maximum(size, np.maximum(own / rtol, np.finfo(np.float64).tiny))
        where = tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
        worst = float(errors[where])
        note = f"{result.moved} entries lay on a kink and were moved" if result.moved else ""
        if worst > rtol:
            others = {n: r.numeric for n, r in measured.items() if n != argument}
            note = diagnose(
                analytic, numeric, np.maximum(10 * own, 1e-6 * size), self.problem.values, others
            )
            worst = float(off[where] / size[where])  # without the allowance for the method
        return Row(
            self.problem.name, argument, method, worst <= rtol, worst, rtol, where,
            float(analytic[where]), float(numeric[where]), note,
        )  # fmt: skip

    def _distrust(
        self, row: Row, argument: str, result: _Numeric, other: _Numeric | str | None
    ) -> Row:
        """Where central differences confirm the gradient, complex step is what fails to apply."""
        if not isinstance(other, _Numeric):
            return row
        near = np.maximum(1e-6 * np.abs(other.numeric), 10 * other.error + 1e-9)
        checked = np.isfinite(other.numeric)
        if (np.abs(other.analytic - other.numeric)[checked] > near[checked]).any():
            return row
        note = "the forward is not analytic (np.abs, np.real, a comparison...): it can't be used"
        return Row(self.problem.name, argument, "complex", True, note=note)

    def _taylor(self, argument: str) -> Row:
        values, gradient = self.problem.values, self.gradient
        found = []
        for _ in range(6):  # a direction may cross a kink at any step; a wrong slope is so in all
            v = self.rng.normal(size=values[argument].shape) * np.maximum(
                abs(values[argument]), 0.1
            )
            slope = float(np.vdot(gradient[argument], v))
            found.append(taylor(self.problem, values, {argument: v}, slope))
            if found[-1].order is None or abs(found[-1].order - 2) < 0.1:
                break
            if found[-1].kink:
                values, gradient = self._moved()
        result = min(found, key=lambda r: 0.0 if r.order is None else abs(r.order - 2))
        ok = result.order is None or result.order >= TAYLOR_ORDER
        note = "" if ok else "the remainder shrinks as if the slope along a direction were wrong"
        return Row(
            self.problem.name, argument, "taylor", ok, result.order, TAYLOR_ORDER, None,
            result.slope, result.quotient, note,
        )  # fmt: skip


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0
