"""Arrays in dataclasses, lists and tuples, taken out and put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """The arrays in a tree of dataclasses, lists and tuples, in order; None and bools are none."""
    if is_dataclass(tree):
        return leaves([getattr(tree, field.name) for field in fields(tree)])
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [] if tree is None or isinstance(tree, bool) else [tree]


def refilled(tree: Any, arrays: Iterator[Any]) -> Any:
    """The same tree with other leaves, as `leaves` orders them."""
    if is_dataclass(tree) and not isinstance(tree, type):
        values = {f.name: refilled(getattr(tree, f.name), arrays) for f in fields(tree)}
        return type(tree)(**values)
    if isinstance(tree, (list, tuple)):
        return type(tree)(refilled(item, arrays) for item in tree)
    return tree if tree is None or isinstance(tree, bool) else next(arrays)
