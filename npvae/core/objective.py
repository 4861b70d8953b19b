"""The contract of an objective."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from .errors import ConfigError
from .losses import LOSSES, kl_of
from .registry import Registered
from .schedules import Constant, Schedule
from .terms import LevelTerms, Terms


class Losses(dict[str, Any]):
    """A batch's losses by name, nats per example: ``losses.rec`` is ``losses["rec"]``.

    ``Losses(loss, rec, kl)`` has the three names that most have; ``Losses(loss, mmd=...)`` others.
    """

    def __init__(self, loss: Any, rec: Any = None, kl: Any = None, **more: Any) -> None:
        named = {"loss": loss, "rec": rec, "kl": kl, **more}
        super().__init__((name, value) for name, value in named.items() if value is not None)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"there is no loss {name!r}; there are {', '.join(self)}")


class Objective(Registered, ABC, abstract=True):
    """Base of the objectives: from a model's terms to losses, and to the gradient of each term.

    Attributes
    ----------
    needs : the terms that a model is asked for
    losses : the names of what is returned; the first is what is minimised
    by_level : whether it also returns the KL of each level, kl_1, kl_2 ..., where there are several
    note : what the losses are, for people, where they are not the ELBO and its two terms
    derivative : whether it gives the derivative of its loss, or what has the same mean
    n_samples : draws of z per row
    beta : schedule, the weight of the KL
    """

    family = "objective"
    losses: ClassVar[tuple[str, ...]] = LOSSES
    by_level: ClassVar[bool] = False
    derivative: ClassVar[bool] = True
    needs: tuple[str, ...] = ("log_px", "kl")
    n_samples: int = 1
    beta: Schedule = Constant(1.0)

    @property
    def note(self) -> str:
        return ""

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        """Objectives of this class by title, on which its gradient is proven; none without one
        that needs no arguments."""
        try:
            return {cls.__name__: cls()}
        except TypeError:
            return {}

    def only_level(self, terms: Terms) -> LevelTerms:
        """The terms of the one latent level; raises `ConfigError` where there are several."""
        if len(terms.levels) != 1:
            raise ConfigError(
                f"{type(self).__name__} is for one latent level; this model has "
                f"{len(terms.levels)}."
            )
        return terms.levels[0]

    @abstractmethod
    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""


def names_of(objective: Any, n_levels: int = 1) -> tuple[str, ...]:
    """The names of an objective's losses; the first is the one that is minimised.

    Those of a model of several latent levels may be more.

    Raises
    ------
    ConfigError
        If they are no names.
    """
    names = getattr(objective, "losses", LOSSES)
    if not isinstance(names, (tuple, list)) or not names or {*map(type, names)} != {str}:
        raise ConfigError(
            f"an objective's losses are names such as {LOSSES}, the first of which is minimised; "
            f"{type(objective).__name__} has {names!r}."
        )
    several = range(1, n_levels + 1) if n_levels > 1 else ()
    by_level = several if getattr(objective, "by_level", False) else ()
    return (*names, *map(kl_of, by_level))


def values_of(objective: Any, losses: Any, names: Sequence[str]) -> list[Any]:
    """What an objective has returned, in the order of the names that it gives its losses.

    Raises
    ------
    ConfigError
        If it returned others.
    """
    if not isinstance(losses, dict) or not set(names) <= set(losses):
        came = ", ".join(map(str, losses)) if isinstance(losses, dict) else type(losses).__name__
        raise ConfigError(
            f"an objective returns nv.Losses of the names that its attribute losses has, here "
            f"{', '.join(names)}; {type(objective).__name__} returned {came}."
        )
    return [losses[name] for name in names]
