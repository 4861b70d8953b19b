"""Recording a training step: the model's own forward and backward, run once on values.

Whatever can't be recorded (a user's likelihood in plain NumPy, an objective with its own sums) is
found when it touches a value with something else than a kernel. The innermost part in which that
happens becomes one call of Python's, with arrays in and out, in the middle of the step.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import kernels
from ..core import Objective, Part, Terms, bind, children, clone, layout
from ..core.losses import LOSSES
from ..core.schedules import Constant
from ..core.trees import leaves, refilled
from ..models import Model
from .graph import Call, Gradient, Graph, NotCapturable, Value

Array = np.ndarray
State = dict[Any, Any]


def record(
    worker: Model,
    objective: Objective,
    x: Array,
    eps: Any,
    context: Array | None,
    rehearsal: Model,
    rehearsed_objective: Objective,
    learn: bool = True,
    weights: Array | None = None,
) -> Graph:
    """Record the step of a batch of this shape.

    Parameters
    ----------
    worker : Model
        Bound to its gradients, as `with_gradients` gives it; Python's calls run on its parts.
    objective : Objective
    x, eps, context, weights : the arrays of one batch, which serve as examples
    rehearsal, rehearsed_objective
        What Python's calls are made on while the step is recorded, see `rehearsed`.
    learn : bool
        Whether the way back is recorded as well.

    Raises
    ------
    NotCapturable
        If the model does other array work than its parts' kernels.
    """
    if not _is_pure(worker):
        raise NotCapturable(f"{type(worker).__name__} may do more than its parts' kernels")
    graph = Graph()
    twin = clone(worker)
    for name, slot in layout(worker).items():
        graph.parameters[name] = Value(graph, slot.view(worker.flat), name)
        graph.owners[name] = id(slot.part)
    for name, slot in layout(twin).items():
        setattr(slot.part, slot.attribute, graph.parameters[name])
        setattr(slot.part, "d" + slot.attribute, Gradient(graph, name))
    _watch(twin, worker, rehearsal, graph)

    def given(name: str, array: Any) -> Value:
        graph.inputs[name] = Value(graph, array, name)
        return graph.inputs[name]

    noise = (
        [given(f"eps.{i}", level) for i, level in enumerate(eps)]
        if isinstance(eps, (list, tuple))
        else given("eps", eps)
    )
    beta = given("beta", np.float64(1.0))
    rows = given("x", x)
    conditions = None if context is None else given("context", context)
    with kernels.recording(graph.call):
        terms, cache = twin.forward(rows, noise, conditions, needs=objective.needs)
        terms.weights = None if weights is None else given("weights", weights)
        losses, d_terms = _objective(objective, rehearsed_objective, terms, beta, graph)
        if learn:
            twin.backward(cache, d_terms)
    graph.losses = tuple(losses[name] for name in getattr(objective, "losses", LOSSES))
    return graph


def trace(model: Model, objective: Objective, batch: int) -> Graph:
    """The training step of a model and an objective, to look at: ``print(trace(...))``."""
    worker, objective, _ = rehearsed(model, objective)
    x = np.zeros((batch, model.x_dim), model.flat.dtype)
    context = np.zeros((batch, model.context_dim), x.dtype) if model.context_dim else None
    eps = model.draw_noise(batch, objective.n_samples, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        return record(worker, objective, x, eps, context, worker, objective)


def rehearsed(worker: Model, objective: Objective) -> tuple[Model, Objective, Array]:
    """Copies for trying steps out, at a beta of ½, and the gradient that the model's copy adds to.

    What is ours never changes by being called, but what is a user's may count its calls.

    Raises
    ------
    NotCapturable
        If what a user's part or objective holds can't be copied: an open file, say.
    """
    gradient = np.zeros_like(worker.flat)
    twin = worker.with_gradients(gradient)
    parts: list[Part] = [twin]
    for part in parts:
        parts.extend(child for _, child in children(part) if child not in parts)
    # Parts and parameters are the twin's own already.
    own: list[Any] = [
        *parts,
        *bind(twin, worker.flat).values(),
        *bind(twin, gradient, "d").values(),
    ]
    memo = {id(thing): thing for thing in own}
    try:
        for part in parts:
            if not _is_pure(part):
                vars(part).update(copy.deepcopy(vars(part), memo))
        copied: Any = copy.deepcopy(objective)
        copied.beta = Constant(0.5)  # 0, where warm-ups begin, and 1 would hide mistakes
        return twin, copied, gradient
    except Exception as error:  # whatever a class's own way of copying raises
        raise NotCapturable(f"a user's part or objective can't be copied: {error}") from error


def _is_pure(thing: Any) -> bool:
    """Whether what it computes depends on its inputs and parameters alone.

    That holds for all that npvae defines. A user's class may count its calls or draw numbers, which
    a recording would freeze, so it says ``capturable = True`` where it is as pure.
    """
    ours = type(thing).__module__.partition(".")[0] == "npvae"
    return ours or bool(getattr(thing, "capturable", False))


def _watch(twin: Part, worker: Part, rehearsal: Part, graph: Graph) -> None:
    """Put a watcher in the place of every part that `twin` holds."""
    watchers: dict[int, _Watched] = {}

    def watched(part: Part, original: Part, rehearsed: Part) -> _Watched:
        if id(part) not in watchers:
            watchers[id(part)] = _Watched(part, original, rehearsed, graph)
            visit(part, original, rehearsed)
        return watchers[id(part)]

    def visit(part: Part, original: Part, rehearsed: Part) -> None:
        originals, copies = dict(children(original)), dict(children(rehearsed))
        for attribute, child in list(children(part)):
            name, _, index = attribute.partition(".")
            watcher = watched(child, originals[attribute], copies[attribute])
            if index:
                held = list(getattr(part, name))
                held[int(index)] = watcher
                setattr(part, name, held)
            else:
                setattr(part, name, watcher)

    visit(twin, worker, rehearsal)


class _Watched:
    """A part while a step is recorded; if it can't be, its original is run by Python."""

    def __init__(self, part: Part, original: Part, rehearsed: Part, graph: Graph) -> None:
        self._part, self._graph = part, graph
        self._run_on = {False: original, True: rehearsed}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        mark = self._graph.mark()
        if _is_pure(self._part):
            try:
                return self._part.forward(*inputs, **options)
            except NotCapturable:
                self._graph.rewind(mark)
        run_on, cache = self._run_on, _Cache()

        def run(state: State, arrays: list[Any]) -> list[Any]:
            output, state[cache] = run_on[state["rehearsal"]].forward(*arrays, **options)
            cache.several = isinstance(output, tuple)
            return list(output) if cache.several else [output]

        outputs = _python(self._graph, f"{self._part.name}.forward", run, inputs)
        return outputs if cache.several else outputs[0], cache

    def backward(self, cache: Any, *d_outputs: Any, **options: Any) -> Any:
        if not isinstance(cache, _Cache):
            return self._part.backward(cache, *d_outputs, **options)
        run_on, several = self._run_on, False
        kept: list[bool] = []
        inside = {id(slot.part) for slot in layout(run_on[False]).values()}
        self._graph.zeroed |= {n for n, part in self._graph.owners.items() if part in inside}

        def run(state: State, arrays: list[Any]) -> list[Any]:
            nonlocal several
            part = run_on[state["rehearsal"]]
            d_inputs = part.backward(state[cache], *arrays, **options)
            several = isinstance(d_inputs, tuple)
            d_inputs = d_inputs if several else (d_inputs,)
            kept[:] = [d is not None for d in d_inputs]
            return [d for d in d_inputs if d is not None]

        found = iter(_python(self._graph, f"{self._part.name}.backward", run, d_outputs))
        results = tuple(next(found) if is_kept else None for is_kept in kept)
        return results if several else results[0]


class _Cache:
    """The key to what a part's forward kept, where Python runs it."""

    several = False


def _objective(
    objective: Objective, rehearsed: Objective, terms: Terms, beta: Value, graph: Graph
) -> tuple[dict[str, Any], Terms]:
    """The objective's call, with beta as what changes from step to step."""
    mark = graph.mark()
    if _is_pure(objective):
        twin: Any = copy.copy(objective)
        twin.beta = lambda epoch: beta
        try:
            return twin(terms, graph.epoch)
        except NotCapturable:
            graph.rewind(mark)
    run_on = {False: objective, True: rehearsed}
    result: list[Terms] = []
    names = getattr(objective, "losses", LOSSES)

    def run(state: State, arrays: list[Any]) -> list[Any]:
        given = refilled(terms, iter(arrays))
        losses, d_terms = run_on[state["rehearsal"]](given, state["epoch"])
        result[:] = [d_terms]
        return [*(np.float64(losses[name]) for name in names), *leaves(d_terms)]

    outputs = _python(graph, "objective", run, tuple(leaves(terms)))
    n = len(names)
    return dict(zip(names, outputs[:n], strict=True)), refilled(result[0], iter(outputs[n:]))


def _python(graph: Graph, name: str, run: Any, inputs: tuple[Any, ...]) -> tuple[Value, ...]:
    """Record a call of Python's, and run it for its examples."""
    arrays = [a.example if isinstance(a, Value) else a for a in inputs]
    with kernels.recording(None):
        results = run(graph.state, arrays)
    outputs = tuple(Value(graph, result, name) for result in results)
    graph.calls.append(Call(name, inputs, outputs, run))
    return outputs
