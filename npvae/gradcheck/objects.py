"""Objects of one's own with forward and backward, which keep what they need in themselves."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ConfigError
from .arguments import Arguments, arrays_of, positional, spellings
from .functions import only_claimed
from .problem import (
    Array,
    Outputs,
    Problem,
    Values,
    Watch,
    flat,
    forward_is_clean,
    is_data,
    random_weights,
)


class Place(NamedTuple):
    """Where an object, or what it is made of, keeps something."""

    holder: Any
    key: Any

    def get(self) -> Any:
        return vars(self.holder)[self.key] if _made_of(self.holder) else self.holder[self.key]

    def put(self, value: Any) -> None:
        (vars(self.holder) if _made_of(self.holder) else self.holder)[self.key] = value


def of_object(target: Any, inputs: Any, rng: np.random.Generator) -> Problem:
    """An object whose forward gives outputs and whose backward takes their gradients.

    Its parameters are those arrays that have a gradient beside them once backward has run: W with
    dW, or ``params`` with ``grads``, here or in objects that it is made of. Every call has a fresh
    copy of the object, with gradients of 0.
    """
    arguments = Arguments(target.forward, inputs)
    weights: list[Array] = []
    due = _due(target.backward)
    own, constants = _parameters(target, arguments, due, weights, rng)

    def run(values: Values) -> tuple[Any, list[Array], Any, dict[str, Any]]:
        twin, given = _twin(target, own, values), arguments.at(values)
        return twin, *_forward(twin, given, due), given

    def gradient(values: Values, weights: list[Array]) -> dict[str, Any]:
        twin, _, cache, given = run(values)
        watched = Watch(problem, arrays_of(given), weights)
        d = _backward(twin, due, cache, watched.weights)
        watched.compare(d_outputs="n/a")  # which many a class overwrites, and no harm done
        found = {} if d is None else arguments.gradients(problem, d, lone_is_first=True)
        places = _places(twin)
        return found | {n: places[path].get() for n, path in own.items()}

    outputs = Outputs(lambda values: run(values)[1], gradient, weights)
    values = {n: np.array(_places(target)[n].get(), np.float64) for n in own} | arguments.values
    problem = Problem(
        type(target).__name__, values, outputs.loss, outputs.gradient, False, outputs=outputs,
        functions=(type(target).forward, type(target).backward),
    )  # fmt: skip
    forward_is_clean(problem, outputs.forward, values)
    for name in constants:
        problem.note(name, "taken as a constant, as no array goes with it as dW does with W", "n/a")
    return only_claimed(problem)


def _parameters(
    target: Any,
    arguments: Arguments,
    due: list[str],
    weights: list[Array],
    rng: np.random.Generator,
) -> tuple[dict[str, str], list[str]]:
    """Parameter -> where its gradient is, as one backward shows, and arrays that have none.

    `weights` are drawn for the outputs. Arrays that the run replaces are caches.
    """
    twin = _twin(target, {}, {})
    before = {path: place.get() for path, place in _places(twin).items()}
    outputs, cache = _forward(twin, arguments.at(arguments.values), due)
    takes = set(due) - {"cache"}
    if not takes and outputs[0].size != 1:
        raise ConfigError(
            f"{type(target).__name__}.backward takes nothing, and forward's output has shape "
            f"{outputs[0].shape}: let it take d_output, or let forward end in one number."
        )
    weights += random_weights(outputs, rng) if takes else [np.ones(o.shape) for o in outputs]
    _backward(twin, due, cache, [w.copy() for w in weights])
    after = _places(twin)
    kept = {
        path: x
        for path, x in before.items()
        if isinstance(x, np.ndarray) and not is_data(x) and path in after and after[path].get() is x
    }
    found: dict[str, str] = {}
    for path in sorted(kept, key=lambda path: (path.count("."), path)):
        beside = next((p for p in _beside(path) if p in after), None)
        if beside and all(kept[path] is not kept[other] for other in found):
            found[path] = beside
    gradients = {id(after[path].get()) for path in found.values()}
    known = gradients | {id(kept[path]) for path in found}
    return found, [path for path, x in kept.items() if id(x) not in known]


def _forward(twin: Any, given: dict[str, Any], due: list[str]) -> tuple[list[Array], Any]:
    """The outputs, and the cache where backward asks for one."""
    result = twin.forward(*given.values())
    if "cache" in due and isinstance(result, tuple):
        *outputs, cache = result
        return flat(outputs), cache
    return flat(result), None


def _backward(twin: Any, due: list[str], cache: Any, weights: list[Array]) -> Any:
    if "cache" not in due:
        return twin.backward(*weights[: len(due)])
    return twin.backward(*weights, cache) if due[-1] == "cache" else twin.backward(cache, *weights)


def _due(backward: Any) -> list[str]:
    """What backward must be given: not the 1 of ``backward(dout=1)``."""
    return [p.name for p in positional(backward) if p.default is inspect.Parameter.empty]


def _twin(target: Any, own: dict[str, str], values: Values) -> Any:
    """A copy of the object with these values for parameters, and gradients of 0."""
    twin = copy.deepcopy(target)
    places = _places(twin)
    for name, beside in own.items():
        if isinstance(g := places[beside].get() if beside in places else None, np.ndarray):
            g.fill(0)
        if name in values:
            before = places[name].get()
            for place in places.values():
                if place.get() is before:  # as self.W and self.params[0] may be
                    place.put(values[name].copy())
    return twin


def _made_of(x: Any) -> bool:
    """Whether it is an object of a class of somebody's own."""
    return (
        hasattr(x, "__dict__")
        and not isinstance(x, type)
        and not callable(getattr(x, "__get__", None))
    )


def _places(target: Any) -> dict[str, Place]:
    return dict(_walk(target, "", set()))


def _walk(x: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Place]]:
    """Every place in an object, its lists and dicts, and the objects in them, by its path."""
    if id(x) in seen:
        return
    seen.add(id(x))
    if isinstance(x, dict):
        items = list(x.items())
    elif isinstance(x, list):
        items = list(enumerate(x))
    elif isinstance(x, tuple):
        for i, item in enumerate(x):
            yield from _walk(item, f"{path}{i}.", seen)
        return
    elif _made_of(x):
        items = list(vars(x).items())
    else:
        return
    for key, item in items:
        yield f"{path}{key}", Place(x, key)
        yield from _walk(item, f"{path}{key}.", seen)


def _beside(path: str) -> Iterator[str]:
    """Where the gradient of a parameter may be: dW beside W, or W in grads beside params."""
    where, _, name = path.rpartition(".")
    prefix = f"{where}." if where else ""
    own = [s for s in spellings(name) if s != name]
    yield from (prefix + s for s in own)
    above, _, last = where.rpartition(".")
    for base in (
        {prefix, f"{above}." if above else ""} if last in ("params", "parameters") else {prefix}
    ):
        for grads in ("grads", "gradients", "grad"):
            yield from (f"{base}{grads}.{s}" for s in (*own, name))
