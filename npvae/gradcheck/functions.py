"""Functions of one's own: pairs of them, and one that gives its loss and gradients together."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .arguments import Arguments, arrays_of, positional, takes_any_number
from .problem import (
    Array,
    Outputs,
    Problem,
    Values,
    Watch,
    flat,
    forward_is_clean,
    random_weights,
    same,
)


def of_pair(first: Any, second: Any, inputs: Any, rng: np.random.Generator) -> Problem:
    """(forward, backward) where `first` returns outputs and a cache; (f, grad_f) where a number."""
    arguments = Arguments(first, inputs)
    result = first(*arguments.copied(arguments.values).values())
    if isinstance(result, tuple) and len(result) > 1:
        return _of_cached(first, Backward(second, result), arguments, rng)
    if np.size(result) != 1:
        raise ConfigError(
            "the first function of a pair returns (outputs, cache), or one number; got "
            f"an array of shape {np.shape(result)}. Return (outputs, cache), or sum to a scalar."
        )
    return _of_number(first, first, second, arguments)


def of_function(f: Any, inputs: Any) -> Problem:
    """One function that returns (loss, gradients)."""
    arguments = Arguments(f, inputs)
    result = f(*arguments.copied(arguments.values).values())
    if not (isinstance(result, tuple) and len(result) == 2 and np.size(result[0]) == 1):
        raise ConfigError(
            f"a function by itself returns (loss, gradients), the loss a number; got "
            f"{_what(result)}. Return both, or pass a pair (f, grad_f)."
        )
    loss, d = (lambda *given, i=i: f(*given)[i] for i in (0, 1))
    return _of_number(f, loss, d, arguments, lone_is_first=True)


def _of_number(
    named: Any, f: Any, grad_f: Any, arguments: Arguments, lone_is_first: bool = False
) -> Problem:
    """A loss and its gradient, both functions of the arguments."""

    def forward(values: Values) -> list[Array]:
        return [np.asarray(f(*arguments.at(values).values()))]

    def gradient(values: Values, weights: list[Array]) -> dict[str, Any]:
        given = arguments.at(values)
        watched = Watch(problem, arrays_of(given), [])
        d = grad_f(*given.values())
        watched.compare()
        return arguments.gradients(problem, d, lone_is_first)

    outputs = Outputs(forward, gradient, [np.ones(())])
    problem = Problem(
        name_of(named), arguments.values, _on_copies(outputs.loss), _on_copies(outputs.gradient),
        False, functions=(named, named if lone_is_first else grad_f),
    )  # fmt: skip
    forward_is_clean(problem, forward, arguments.values)
    return only_claimed(problem)


def _of_cached(
    first: Any, backward: Backward, arguments: Arguments, rng: np.random.Generator
) -> Problem:
    """A forward that gives outputs and a cache, and the backward of that cache."""

    def run(values: Values) -> tuple[list[Array], Any, dict[str, Any]]:
        given = arguments.at(values)
        *outputs, cache = first(*given.values())
        return flat(outputs), cache, given

    def gradient(values: Values, weights: list[Array]) -> dict[str, Any]:
        _, cache, given = run(values)
        watched = Watch(problem, arrays_of(given), weights)
        d = arguments.gradients(problem, backward(cache, watched.weights))
        watched.compare()
        return d

    outputs = Outputs(lambda values: run(values)[0], gradient, [])
    here = _on_copies(outputs.forward)(arguments.values)
    is_loss = backward.alone or backward.of_loss
    weights = [np.ones(o.shape) for o in here] if is_loss else random_weights(here, rng)
    outputs = outputs._replace(weights=weights)
    problem = Problem(
        name_of(first), arguments.values, _on_copies(outputs.loss), _on_copies(outputs.gradient),
        False, outputs=outputs, functions=(first, backward.function),
    )  # fmt: skip
    forward_is_clean(problem, outputs.forward, arguments.values)
    _cache_is_kept(problem, run, backward, weights)
    return only_claimed(problem)


class Backward:
    """A backward as people write it: (cache, d_outputs), (d_outputs, cache), or (cache) alone.

    Attributes
    ----------
    alone : bool
        Whether it takes no d_outputs: the forward ends in the loss.
    of_loss : bool
        Whether the gradient of the loss may be left out, and is 1 then.
    """

    def __init__(self, function: Callable[..., Any], result: tuple[Any, ...]) -> None:
        self.function = function
        names = [p.name for p in positional(function)]
        due = [p for p in positional(function) if p.default is inspect.Parameter.empty]
        self.cache_last = len(names) > 1 and names[-1] == "cache"
        given = [p.default for p in positional(function) if p not in due]
        self.of_loss = np.size(result[0]) == 1 and given in ([1], [None])
        self.alone = len(due) == len(names) == 1 and not takes_any_number(function)
        if self.alone and np.size(result[0]) != 1:
            raise ConfigError(
                f"{name_of(function)} takes the cache alone, and the output has shape "
                f"{np.shape(result[0])}: let it take (cache, d_output), or let forward end in one "
                "number."
            )

    def __call__(self, cache: Any, weights: list[Array]) -> Any:
        if self.alone:
            return self.function(cache)
        if self.cache_last:
            return self.function(*weights, cache)
        return self.function(cache, *weights)


def _cache_is_kept(problem: Problem, run: Any, backward: Backward, weights: list[Array]) -> None:
    """A backward that destroys its cache is right but once."""
    _, cache, _ = _on_copies(run)(problem.values)
    before = {n: x.copy() for n, x in arrays_of(cache, "cache").items()}
    first = copy.deepcopy(backward(cache, [w.copy() for w in weights]))
    changed = [n for n, x in arrays_of(cache, "cache").items() if not same(x, before.get(n, x))]
    if not changed:
        return
    second = backward(cache, [w.copy() for w in weights])
    if not same(first, second):
        problem.note(
            ", ".join(changed),
            "backward changes it, so that a second backward on the same cache gives other "
            "gradients: work on a copy of it",
            "n/a",
        )


def only_claimed(problem: Problem) -> Problem:
    """The same problem, in those arguments of which somebody claims to know the gradient."""
    if claimed := problem.gradient(problem.values):
        for name in [n for n in problem.values if n not in claimed]:
            problem.note(name, "taken as a constant, as no gradient is given", "n/a")
            del problem.values[name]
    return problem


def _on_copies(function: Callable[[Values], Any]) -> Callable[[Values], Any]:
    """The function, but that what it changes of its arguments is a copy."""
    return lambda values: function({n: x.copy() for n, x in values.items()})


def name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__)).replace("<locals>.", "")


def _what(result: Any) -> str:
    if isinstance(result, tuple):
        return f"a tuple of {len(result)}"
    shape = np.shape(result)
    return f"an array of shape {shape}" if shape else "a number alone"
