"""What functions of one's own take and give back: arrays, and dicts and lists of arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .problem import Problem, Values, is_data


class Arguments:
    """The arguments of a function, with their arrays as named leaves.

    Attributes
    ----------
    trees : dict
        The arguments by name.
    leaves : dict
        What they are made of: ``params['W']`` of an argument ``params`` that is a dict.
    values : dict of ndarray
        The floating leaves, in float64.
    """

    def __init__(self, function: Callable[..., Any], inputs: Any) -> None:
        if inputs is None:
            raise ConfigError("pass inputs= with what the function is to be checked at.")
        trees = _one_for_each(function, inputs)
        self.trees = dict(zip(argument_names(function, len(trees)), trees, strict=True))
        self.leaves = _leaves_of(self.trees)
        self.values: Values = {
            n: np.array(x, np.float64) for n, x in self.leaves.items() if not is_data(x)
        }

    def at(self, values: Values) -> dict[str, Any]:
        """The arguments with these values for leaves; constants are copies, as nobody owns them."""
        constants = {
            n: x.copy() if isinstance(x, np.ndarray) else x
            for n, x in self.leaves.items()
            if n not in values
        }
        leaves = constants | values
        return {name: _refilled(tree, name, leaves) for name, tree in self.trees.items()}

    def copied(self, values: Values) -> dict[str, Any]:
        """The same of copies, which a function may change."""
        return self.at({n: x.copy() for n, x in values.items()})

    def gradients(self, problem: Problem, given: Any, lone_is_first: bool = False) -> Values:
        """The gradient of each leaf; leaves of which none was claimed are not in it.

        `given` is a tuple with one for each argument, a dict with names of arguments, or what an
        argument that is a dict or list looks like. Names in a dict may have a d in front.
        """
        if isinstance(given, dict):
            named = self._by_name(problem, given)
        else:
            named = self._in_order(problem, given, lone_is_first)
        found = {n: d for name, d in named.items() for n, d in _split(self.trees[name], name, d)}
        return {n: d for n, d in found.items() if n in self.values}

    def _by_name(self, problem: Problem, given: dict[Any, Any]) -> dict[str, Any]:
        dicts = {name: tree for name, tree in self.trees.items() if isinstance(tree, dict)}
        for name, tree in dicts.items():
            if not _strange(given, tree):
                return {name: given}
        # The names that are meant are those of which the fewest are strange.
        meant = min((*dicts.values(), self.trees), key=lambda names: len(_strange(given, names)))
        if strange := _strange(given, meant):
            due = ", ".join(map(repr, meant))
            problem.note(
                "(all inputs)",
                f"the gradients have the key {strange[0]!r}, which is none of {due}: name each "
                "gradient as its array, or with a d in front",
            )
            return {}
        return {n: entry(given, n) for n in self.trees if entry(given, n, given) is not given}

    def _in_order(self, problem: Problem, given: Any, lone_is_first: bool) -> dict[str, Any]:
        names, first = list(self.trees), next(iter(self.trees.values()))
        if not isinstance(given, (tuple, list)) or (
            is_tree(first) and len(first) == len(given) != len(names)
        ):
            given = (given,)
        if len(given) == 1 and lone_is_first:
            names = names[:1]
        return problem.paired(names, given)


def argument_names(function: Callable[..., Any], n: int) -> list[str]:
    """Those of n positional arguments."""
    names = [p.name for p in positional(function)]
    return [names[i] if i < len(names) else f"input {i}" for i in range(n)]


def positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that can be given by position, as far as the function tells."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def takes_any_number(function: Callable[..., Any]) -> bool:
    """Whether it has a parameter like *args."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind is p.VAR_POSITIONAL for p in parameters)


def arrays_of(tree: Any, name: str = "") -> dict[str, np.ndarray]:
    """The arrays in a dict of arguments, or in anything that has a name, each by its path."""
    leaves = _leaves_of({name: tree} if name else tree)
    return {path: x for path, x in leaves.items() if isinstance(x, np.ndarray)}


def is_tree(x: Any) -> bool:
    """Whether it is a dict, or a list or tuple that holds arrays: numbers alone are an array."""
    if isinstance(x, (list, tuple)):
        return any(isinstance(item, np.ndarray) or is_tree(item) for item in x)
    return isinstance(x, dict)


def entry(d: Any, key: Any, default: Any = None) -> Any:
    """What a dict has under a key, or under the key with a d or the like in front."""
    return next((d[k] for k in spellings(key) if k in d), default)


def spellings(key: Any) -> tuple[Any, ...]:
    """A name, and what its gradient may be called."""
    if not isinstance(key, str):
        return (key,)
    return (
        f"d{key}", f"d_{key}", f"grad_{key}", f"{key}_grad", f"g_{key}", f"{key}_gradient", key
    )  # fmt: skip


def _one_for_each(function: Callable[..., Any], inputs: Any) -> tuple[Any, ...]:
    """The arguments in `inputs`, which may also be the only argument itself."""
    if not isinstance(inputs, (tuple, list)):
        return (inputs,)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return tuple(inputs)
    if len(inputs) != 1 == len(signature.parameters) == len(positional(function)):
        return (inputs,)
    try:
        signature.bind(*inputs)
    except TypeError:
        name = getattr(function, "__name__", "the function")
        raise ConfigError(
            f"{name} takes {signature}, and inputs= has {len(inputs)}: pass one for each."
        ) from None
    return tuple(inputs)


def _leaves_of(trees: dict[str, Any]) -> dict[str, Any]:
    return {path: x for name, tree in trees.items() for path, x in _leaves(tree, name)}


def _items(tree: Any) -> Iterator[tuple[Any, Any]]:
    return iter(tree.items() if isinstance(tree, dict) else enumerate(tree))


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not is_tree(tree):
        yield path, tree
        return
    for key, child in _items(tree):
        yield from _leaves(child, f"{path}[{key!r}]")


def _refilled(tree: Any, path: str, leaves: dict[str, Any]) -> Any:
    if not is_tree(tree):
        return leaves[path]
    filled = {key: _refilled(child, f"{path}[{key!r}]", leaves) for key, child in _items(tree)}
    return filled if isinstance(tree, dict) else type(tree)(filled.values())


def _split(tree: Any, path: str, d: Any) -> Iterator[tuple[str, Any]]:
    """The gradients of a tree's leaves: None where there is none."""
    if not is_tree(tree):
        yield path, d
        return
    for key, child in _items(tree):
        if isinstance(d, dict):
            below = entry(d, key)
        else:
            below = d[key] if isinstance(d, (list, tuple)) and len(d) == len(tree) else None
        yield from _split(child, f"{path}[{key!r}]", below)


def _strange(given: dict[Any, Any], tree: dict[Any, Any]) -> list[Any]:
    """The keys of gradients that go with none of the tree's."""
    known = {spelling for key in tree for spelling in spellings(key)}
    return [key for key in given if key not in known]
