"""The variables of somebody's functions while they run, seen and changed as a debugger does it."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Path = tuple[str, ...]
"""A local variable, or an entry of a local dict or of ``self``."""

MAX_SIZE = 100_000
"""Larger arrays are not followed."""


class Variable(NamedTuple):
    """One value of one variable."""

    path: Path
    value: Array
    event: int
    """The number of the line, counted over all that ran, before which it had this value first."""
    before: int
    """The number of the line that gave it this value."""
    code: CodeType
    number: int
    """Of that line in its file."""
    in_place: bool
    """Whether it is the same array as before, with other contents."""

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def label(self) -> str:
        """How it is written where it is used."""
        if len(self.path) == 1:
            return self.name
        holder = self.path[0]
        return f"self.{self.name}" if holder == "self" else f"{holder}[{self.name!r}]"

    @property
    def source(self) -> str:
        """Where it got its value, to be read."""
        text = linecache.getline(self.code.co_filename, self.number).strip()
        return f"line {self.number}, `{text}`" if text else f"line {self.number}"


class Change(NamedTuple):
    """What is to be put in place of a variable when a line is reached."""

    event: int
    path: Path
    by: Callable[[Array], Array]


class Tracer:
    """Runs functions, and follows those that are written in the same files as some given ones."""

    def __init__(self, functions: tuple[Any, ...]) -> None:
        codes = [code for f in functions if (code := _code(f))]
        self.files = {code.co_filename for code in codes}

    def record(self, function: Callable[[], Any]) -> tuple[Any, list[Variable]]:
        """What the function gives, and every value that a variable had in it, in order."""
        found: list[Variable] = []
        seen: dict[tuple[int, Path], tuple[Array, Array]] = {}  # by frame and variable
        last: dict[int, tuple[int, int]] = {}  # by frame: the event and line that ran

        def at(frame: FrameType, event: int) -> None:
            before, number = last.get(id(frame), (event, frame.f_code.co_firstlineno))
            for path, x in _arrays(frame.f_locals):
                was, copy = seen.get((id(frame), path), (None, x))
                if was is x and np.array_equal(x, copy, equal_nan=True):
                    continue
                seen[id(frame), path] = x, x.copy()
                known = path, x.copy(), event, before, frame.f_code, number
                found.append(Variable(*known, was is x))
            last[id(frame)] = event, frame.f_lineno

        return self._run(function, at), found

    def change(self, function: Callable[[], Any], changes: list[Change]) -> Any:
        """What the function gives when variables are changed on the way."""

        def at(frame: FrameType, event: int) -> None:
            for change in changes:
                if change.event == event:
                    _put(frame, change.path, change.by)

        return self._run(function, at)

    def _run(self, function: Callable[[], Any], at: Callable[[FrameType, int], None]) -> Any:
        count = 0

        def follow(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal count
            if event in ("line", "return"):
                count += 1
                at(frame, count)
            return follow

        def enter(frame: FrameType, event: str, _: Any) -> Any:
            return follow if frame.f_code.co_filename in self.files else None

        before = sys.gettrace()
        sys.settrace(enter)
        try:
            return function()
        finally:
            sys.settrace(before)


def _code(function: Any) -> CodeType | None:
    """The code of a function, of what is wrapped in it, or of an object's own call."""
    function = getattr(function, "__wrapped__", getattr(function, "func", function))
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = type(function).__call__
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _arrays(variables: Any) -> Iterator[tuple[Path, Array]]:
    """The floating arrays among local variables, in local dicts, and in ``self``."""
    for name, x in list(variables.items()):
        inside = x if isinstance(x, dict) else getattr(x, "__dict__", {}) if name == "self" else {}
        for key, item in [((name,), x), *(((name, key), item) for key, item in inside.items())]:
            if (
                isinstance(item, np.ndarray)
                and item.dtype.kind == "f"
                and 0 < item.size < MAX_SIZE
                and all(isinstance(k, str) for k in key)
            ):
                yield key, item


def _put(frame: FrameType, path: Path, by: Callable[[Array], Array]) -> None:
    holder: Any = frame.f_locals
    for key in path[:-1]:
        holder = holder[key]
    if not hasattr(holder, "keys"):
        holder = vars(holder)
    if path[-1] in holder:
        holder[path[-1]] = by(holder[path[-1]])
