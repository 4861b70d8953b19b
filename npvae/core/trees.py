"""Arrays in dataclasses, dicts, lists and tuples, taken out and put back."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """The arrays in a tree of dataclasses, dicts, lists and tuples, in order.

    So are numbers, and all else that is no such tree, but for None and bools.
    """
    if _is_tree(tree):
        return [leaf for item in _items(tree) for leaf in leaves(item)]
    return [] if tree is None or isinstance(tree, bool) else [tree]


def refilled(tree: Any, arrays: Iterator[Any]) -> Any:
    """The same tree with other leaves, as `leaves` orders them."""
    if not _is_tree(tree):
        return tree if tree is None or isinstance(tree, bool) else next(arrays)
    items, kind = [refilled(item, arrays) for item in _items(tree)], type(tree)
    if isinstance(tree, dict):
        made = copy.copy(tree)
        made.update(zip(tree, items, strict=True))
        return made
    if is_dataclass(tree):
        names = (field.name for field in fields(tree))
        return kind(**dict(zip(names, items, strict=True)))
    return getattr(kind, "_make", kind)(items)  # of named tuples


def _is_tree(tree: Any) -> bool:
    return isinstance(tree, (dict, list, tuple)) or (
        is_dataclass(tree) and not isinstance(tree, type)
    )


def _items(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    if isinstance(tree, (list, tuple)):
        return list(tree)
    return [getattr(tree, field.name) for field in fields(tree)]
