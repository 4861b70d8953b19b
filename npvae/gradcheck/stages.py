"""The stages of a network, each checked by itself at the values that it had in the whole."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .functions import name_of, of_pair
from .objects import of_object
from .problem import Problem
from .repair import unwrapped

MAX_CALLS = 10
"""As many calls of one stage are checked: a loop may make thousands."""


def stage_problems(stages: Any, whole: Problem, rng: np.random.Generator) -> list[Problem]:
    """A problem for each call of a stage that the whole makes."""
    named = _named(stages)
    calls: dict[CodeType, list[tuple[Any, ...]]] = {_code(s): [] for s in named.values()}
    _watch(calls, lambda: whole.loss(whole.values))
    problems = []
    for name, stage in named.items():
        own = [c for c in calls[_code(stage)] if _is_pair(stage) or isinstance(c[0], _class(stage))]
        if not own:
            raise ConfigError(
                f"the stage {name!r} is never called: name in stages= what forward itself calls."
            )
        for number, given in enumerate(own[:MAX_CALLS], 1):
            problem = _problem(stage, given, rng)
            problem.name = name if len(own) == 1 else f"{name}, call {number}"
            problems.append(problem)
    return problems


def _named(stages: Any) -> dict[str, Any]:
    """The stages by name: of a dict its keys, else what forward or the class is called."""
    if isinstance(stages, Mapping):
        named = dict(stages)
    elif isinstance(stages, Sequence) and not isinstance(stages, str):
        named = {}
        for stage in stages:
            named[name_of(stage[0] if _is_pair(stage) else _class(stage))] = stage
    else:
        raise ConfigError(
            "stages= takes pairs (forward, backward), in a list or in a dict with their names; got "
            f"{type(stages).__name__}."
        )
    for name, stage in named.items():
        if not _is_pair(stage) and not all(hasattr(stage, m) for m in ("forward", "backward")):
            raise ConfigError(
                f"the stage {name!r} is a {type(stage).__name__}: pass a pair (forward, backward), "
                "or a class or object that has both."
            )
    return named


def _is_pair(stage: Any) -> bool:
    return isinstance(stage, (tuple, list)) and len(stage) == 2 and all(map(callable, stage))


def _code(stage: Any) -> CodeType:
    forward = stage[0] if _is_pair(stage) else stage.forward
    code = getattr(unwrapped(forward), "__code__", None)
    if code is None:
        raise ConfigError(
            f"{name_of(forward)} is no Python function, whose calls could be seen: wrap it in one."
        )
    found: CodeType = code
    return found


def _class(stage: Any) -> type:
    return stage if isinstance(stage, type) else type(stage)


def _problem(stage: Any, given: tuple[Any, ...], rng: np.random.Generator) -> Problem:
    if _is_pair(stage):
        return of_pair(stage[0], stage[1], given, rng)
    return of_object(given[0], given[1:], rng)


def _watch(calls: dict[CodeType, list[tuple[Any, ...]]], function: Callable[[], Any]) -> None:
    """Run a function, and note what these codes are called with."""

    def see(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code in calls:
            names = code.co_varnames[: code.co_argcount + bool(code.co_flags & 4)]
            given = [frame.f_locals[n] for n in names]
            if code.co_flags & 4:  # *args
                given[-1:] = given[-1]
            calls[code].append(copy.deepcopy(tuple(given)))

    before = sys.gettrace()
    sys.settrace(see)
    try:
        function()
    finally:
        sys.settrace(before)
