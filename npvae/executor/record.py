"""Recording a training step: the model's own forward and backward, run once on values.

Whatever can't be recorded (a user's likelihood in plain NumPy, an objective with its own sums) is
found when it touches a value with something else than a kernel, or when it is watched (`rehearsal`)
and does more than call kernels. The innermost part in which that happens is then run by Python,
with arrays in and out, in the middle of the step.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..core import Objective, Part, Terms, children, clone, layout
from ..core.objective import names_of, values_of
from ..core.trees import leaves, refilled
from ..layers.mode import at_epoch, learning
from ..models import Model
from ..objectives import ELBO
from .graph import Gradient, Graph, NotCapturable, Value
from .purity import LookCloser, PurityWatch, attributes, first_difference
from .rehearsal import OBJECTIVE, Rehearsal, randomness_kept

Array = np.ndarray
State = dict[Any, Any]


def record(
    on: Rehearsal,
    x: Array,
    eps: Any,
    context: Array | None = None,
    weights: Array | None = None,
    *,
    learn: bool = True,
    watched: bool = False,
) -> Graph:
    """Record the step of a batch of this shape.

    Parameters
    ----------
    on : Rehearsal
        The model and the objective. What turns out to be Python's to run is entered there.
    x, eps, context, weights : the arrays of one batch, which serve as examples
    learn : bool
        Whether the way back is recorded as well.
    watched : bool
        Whether parts are watched for what they do besides calling kernels.

    Raises
    ------
    NotCapturable
        If not even the model as a whole can be run by Python: it gives something else than arrays.
    """
    watch = PurityWatch() if watched else None
    while True:
        try:
            own = np.random.default_rng(0) if learn else None
            with np.errstate(all="ignore"), learning(own):
                return _Step(on, watch).record(x, eps, context, weights, learn)
        except _Refused as refused:  # noqa: PERF203  (each try learns from the last)
            on.leave_to_python(refused.part, refused.why)
        except LookCloser:
            watch = PurityWatch(closely=True)


def watch(on: Rehearsal, batches: list[tuple[Any, ...]], learn: bool = True) -> None:
    """Find what Python has to run, from recordings of two small batches of the same shape."""
    while True:
        known = len(on.python)
        one, other = (record(on, *batch, learn=learn, watched=True) for batch in batches)
        part = first_difference(one, other)
        if part is not None:
            on.leave_to_python(part, "its calls differ from batch to batch")
        elif len(on.python) == known:
            return


def record_function(
    function: Callable[[Any, Any], Any], model: Model, rows: Array
) -> tuple[Graph, Any]:
    """Record what a function does with a model and rows, which its graph calls "x".

    Returns
    -------
    (graph, result)
        What the function gave stands in `graph.losses`, one after the other, and as it gave it in
        `result`.

    Raises
    ------
    NotCapturable
        If it does more than call kernels.
    """
    on = Rehearsal(model.with_gradients(np.zeros_like(model.flat)), ELBO())
    try:
        with np.errstate(all="ignore"), learning(None):
            return _Step(on, None).record_function(function, rows)
    except _Refused as refused:
        raise NotCapturable(refused.why) from refused


def trace(model: Model, objective: Objective, batch: int) -> Graph:
    """The training step of a model and an objective, to look at: ``print(trace(...))``."""
    on, dtype = Rehearsal(model.with_gradients(np.zeros_like(model.flat)), objective), model.dtype

    def example(rows: int, seed: int) -> tuple[Any, ...]:
        context = np.zeros((rows, model.context_dim), dtype) if model.context_dim else None
        noise = model.draw_noise(rows, objective.n_samples, np.random.default_rng(seed))
        return np.full((rows, model.x_dim), seed, dtype), noise, context

    watch(on, [example(2, 0), example(2, 1)])
    return record(on, *example(batch, 0))


class _Refused(Exception):
    """A part that can't be recorded, the innermost, and why."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(part, why)
        self.part, self.why = part, why


class _Step:
    """One try to record a step."""

    def __init__(self, on: Rehearsal, watch: PurityWatch | None) -> None:
        self.on, self.watch = on, watch
        self.graph = Graph()
        twin = clone(on.copy)
        for name, slot in layout(on.worker).items():
            self.graph.parameters[name] = Value(self.graph, slot.view(on.worker.flat), name)
        for name, slot in layout(twin).items():
            setattr(slot.part, slot.attribute, self.graph.parameters[name])
            setattr(slot.part, "d" + slot.attribute, Gradient(self.graph, name))
        self.owners = {name: id(slot.part) for name, slot in layout(on.worker).items()}
        self.watchers: dict[int, _Watched] = {}
        self.model = self._watched(twin, on.worker, on.copy, "")

    def record(
        self, x: Array, eps: Any, context: Array | None, weights: Array | None, learn: bool
    ) -> Graph:
        noise = (
            [self._given(f"eps.{i}", level) for i, level in enumerate(eps)]
            if isinstance(eps, (list, tuple))
            else self._given("eps", eps)
        )
        beta = self._given("beta", np.float64(1.0))
        rows = self._given("x", x)
        conditions = None if context is None else self._given("context", context)
        with kernels.recording(self.graph.call):
            needs = self.on.objective.needs
            terms, cache = self.model.forward(rows, noise, conditions, needs=needs)
            terms.weights = None if weights is None else self._given("weights", weights)
            losses, d_terms = self._objective(terms, beta)
            if learn:
                self.model.backward(cache, d_terms)
        objective = self.on.objective
        names = names_of(objective, len(self.on.worker.levels))
        self.graph.losses = tuple(values_of(objective, losses, names))
        for watcher in self.watchers.values():
            watcher.check()
        if self.watch is not None:
            self.watch.end()
        return self.graph

    def record_function(
        self, function: Callable[[Any, Any], Any], rows: Array
    ) -> tuple[Graph, Any]:
        given = self._given("x", rows)
        with kernels.recording(self.graph.call):
            result = function(self.model, given)
        self.graph.losses = tuple(leaves(result))
        return self.graph, result

    def _given(self, name: str, array: Any) -> Value:
        self.graph.inputs[name] = Value(self.graph, array, name)
        return self.graph.inputs[name]

    def _watched(self, part: Part, original: Part, rehearsed: Part, name: str) -> _Watched:
        """A watcher in the place of a part, with watchers in the places of all parts in it."""
        if id(part) in self.watchers:
            return self.watchers[id(part)]
        watcher = self.watchers[id(part)] = _Watched(self, part, original, rehearsed, name)
        originals, copies = dict(children(original)), dict(children(rehearsed))
        for attribute, child in list(children(part)):
            path = f"{name}.{attribute}" if name else attribute
            inner = self._watched(child, originals[attribute], copies[attribute], path)
            holder, _, index = attribute.partition(".")
            if index:
                held = list(getattr(part, holder))
                held[int(index)] = inner
                setattr(part, holder, held)
            else:
                setattr(part, holder, inner)
        watcher.begin()
        return watcher

    def _objective(self, terms: Terms, beta: Value) -> tuple[Any, Any]:
        """The objective's losses and the terms' gradients, with beta as what changes by step."""
        on = self.on
        if OBJECTIVE in on.python:
            run_on = {False: on.objective, True: on.objective_copy}

            def run(state: State, *arrays: Any) -> Any:
                given = refilled(terms, iter(arrays))
                return run_on[state["rehearsal"]](given, state["epoch"])

            return self.by_python(type(on.objective).__name__, terms, run, OBJECTIVE)
        twin: Any = copy.copy(on.objective_copy)
        twin.beta = lambda epoch: beta
        seen = None if self.watch is None else attributes(twin)
        with self.recording(OBJECTIVE):
            results = twin(terms, self.graph.epoch)
            if self.watch is not None:
                self.watch.compare(seen, twin)
        return results

    @contextlib.contextmanager
    def recording(self, name: str) -> Iterator[None]:
        """Record what a part calls; what it does besides is its own refusal."""
        self.graph.inside.append(name)
        try:
            began = None if self.watch is None else self.watch.begin()
            yield
            if self.watch is not None:
                self.watch.compare_randomness(began)
        except NotCapturable as refusal:
            raise _Refused(name, str(refusal)) from refusal
        finally:
            self.graph.inside.pop()

    def by_python(self, name: str, arguments: Any, run: Any, part: str) -> Any:
        """Record a call of Python's on a part."""
        self.graph.inside.append(part)
        try:
            with randomness_kept():
                return self.graph.run(name, leaves(arguments), run, self.on.python[part])
        finally:
            self.graph.inside.pop()


class _Watched:
    """A part while a step is recorded; if it can't be, its original is run by Python."""

    def __init__(self, step: _Step, part: Part, original: Part, rehearsed: Part, name: str) -> None:
        vars(self).update(_step=step, _part=part, _name=name, _seen=None, _recorded=False)
        vars(self).update(_run_on={False: original, True: rehearsed})

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The part's own: it is an instance of what the part is one of."""
        return type(self._part)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotCapturable(f"{name} of a part was set by another part")

    def begin(self) -> None:
        """Look at the part's attributes, for `check`."""
        if self._step.watch is not None:
            vars(self)["_seen"] = attributes(self._part)

    def check(self) -> None:
        """Refuse what has other attributes than at first."""
        if self._step.watch is not None and self._name not in self._step.on.python:
            with self._step.recording(self._name):
                self._step.watch.compare(self._seen, self._part)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        if self._name not in self._step.on.python:
            calls = self._step.graph.calls
            mark = len(calls)
            try:
                with self._step.recording(self._name):
                    result = self._part.forward(*inputs, **options)
                vars(self)["_recorded"] = True
                return result
            except _Refused as refused:
                closely = self._step.watch is not None and self._step.watch.closely
                begun = closely or self._recorded  # it has drawn numbers, or given a cache, already
                if begun or refused.part != self._name:
                    raise
                self._step.on.leave_to_python(refused.part, refused.why)
                del calls[mark:]
        run_on, key, given = self._run_on, _Cache(), (inputs, options)

        def run(state: State, *arrays: Any) -> Any:
            arguments, named = refilled(given, iter(arrays))
            with at_epoch(state["epoch"]):
                output, state[key] = run_on[state["rehearsal"]].forward(*arguments, **named)
            return output

        return self._python("forward", given, run), key

    def backward(self, cache: Any, *d_outputs: Any, **options: Any) -> Any:
        if self._name not in self._step.on.python:
            with self._step.recording(self._name):
                return self._part.backward(cache, *d_outputs, **options)
        run_on, given = self._run_on, (d_outputs, options)
        inside = {id(slot.part) for slot in layout(run_on[False]).values()}
        owners = self._step.owners
        self._step.graph.zeroed |= {name for name, part in owners.items() if part in inside}

        def run(state: State, *arrays: Any) -> Any:
            gradients, named = refilled(given, iter(arrays))
            return run_on[state["rehearsal"]].backward(state[cache], *gradients, **named)

        return self._python("backward", given, run)

    def _python(self, method: str, given: Any, run: Any) -> Any:
        name = f"{type(self._part).__name__}.{method}"
        return self._step.by_python(name, given, run, self._name)


class _Cache:
    """The key to what a part's forward kept, where Python runs it."""
