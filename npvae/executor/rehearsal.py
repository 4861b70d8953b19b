"""Copies of a model and an objective, on which steps are recorded and tried out."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import Objective, Part, bind, children
from ..core.schedules import Constant
from ..models import Model
from .graph import NotCapturable, never_changes
from .purity import NOT_LOOKED_AT, attributes

Array = np.ndarray

OBJECTIVE = "the objective"
"""Its name beside those of the model's parts; the model itself is ""."""


class Rehearsal:
    """What is recorded and tried out before training: copies, as a user's parts may count calls.

    Parameters
    ----------
    worker : Model
        Bound to its gradients, as `with_gradients` gives it.
    objective : Objective

    Attributes
    ----------
    copy, objective_copy
        The copies. The objective's has a beta of ½: 0, where warm-ups begin, and 1 would hide
        mistakes.
    gradient : (n_params,) array that the model's copy adds to
    python : dict of str
        The parts that Python runs in each step, by name, and why: those that say
        ``capturable = False`` at first, and others as they are found.

    Raises
    ------
    NotCapturable
        If what a part or the objective holds can't be copied: an open file, say.
    """

    def __init__(self, worker: Model, objective: Objective) -> None:
        self.worker, self.objective = worker, objective
        self.gradient = np.zeros_like(worker.flat)
        self.copy = worker.with_gradients(self.gradient)
        self.parts = named_parts(worker)
        try:
            _hold(_own_attributes(self.copy, self.gradient))
            copied: Any = copy.deepcopy(objective)
            copied.beta = Constant(0.5)
            self.objective_copy = copied
            self._first = self._copied()
        except Exception as error:  # whatever a class's own way of copying raises
            raise NotCapturable(f"a part or the objective can't be copied: {error}") from error
        named = {**self.parts, OBJECTIVE: objective}
        refuse = (name for name, thing in named.items() if not getattr(thing, "capturable", True))
        self.python = dict.fromkeys(refuse, "it has capturable = False")

    def reset(self) -> None:
        """Give the copies the state that they were made with."""
        _hold(self._first)
        self._first = self._copied()

    def _copied(self) -> list[tuple[Any, dict[str, Any]]]:
        """What the copies hold, in copies of its own."""
        objective = self.objective_copy, vars(copy.deepcopy(self.objective_copy))
        return [*_own_attributes(self.copy, self.gradient), objective]

    def leave_to_python(self, part: str, why: str) -> None:
        """Have a part run by Python from now on, or what it is in if it is already."""
        while part in self.python:
            if part in ("", OBJECTIVE):
                raise NotCapturable(f"{part or 'the model'} can't be run by Python either: {why}")
            part = part.rpartition(".")[0]
            while part not in self.parts:
                part = part.rpartition(".")[0]
        self.python[part] = why

    def settings(self) -> list[Any]:
        """What recordings have in them of the parts' and the objective's attributes, to compare.

        A callback may change them between two epochs. What Python runs finds its own as they are.
        """
        found = [attributes(part) for name, part in self.parts.items() if self._is_recorded(name)]
        whole = OBJECTIVE not in self.python
        seen = attributes(self.objective)
        return [*found, seen if whole else [seen.get(name) for name in ("n_samples", "needs")]]

    def _is_recorded(self, part: str) -> bool:
        return not any(name in ("", part) or part.startswith(f"{name}.") for name in self.python)


def named_parts(root: Part) -> dict[str, Part]:
    """The model and all parts in it, each by the first of its names."""
    found: dict[str, Part] = {"": root}
    known = {id(root)}

    def visit(part: Part, prefix: str) -> None:
        for attribute, child in children(part):
            if id(child) not in known:
                known.add(id(child))
                found[prefix + attribute] = child
                visit(child, f"{prefix}{attribute}.")

    visit(root, "")
    return found


def _own_attributes(model: Model, gradient: Array) -> list[tuple[Part, dict[str, Any]]]:
    """For each part of a copied model attributes of its own: what others hold too, copied."""
    parts = list(named_parts(model).values())
    # Parts and parameters are the copy's own already.
    own: list[Any] = [model.flat, gradient, *parts]
    own += [*bind(model, model.flat).values(), *bind(model, gradient, "d").values()]
    memo = {id(thing): thing for thing in own}
    for part in parts:
        for name, value in vars(part).items():
            constant = isinstance(value, np.ndarray) and never_changes(value)
            if constant or name in NOT_LOOKED_AT:
                memo[id(value)] = value
    return [(part, copy.deepcopy(vars(part), memo)) for part in parts]


def _hold(kept: list[tuple[Any, dict[str, Any]]]) -> None:
    """Give things these attributes and no others."""
    for thing, held in kept:
        vars(thing).clear()
        vars(thing).update(held)


@contextlib.contextmanager
def randomness_kept() -> Iterator[None]:
    """Leave NumPy's and Python's global random numbers where they were."""
    states = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
