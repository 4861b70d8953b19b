"""The settings of a training run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.objective import names_of
from ..core.registry import plain
from ..core.schedules import schedule
from ..objectives import as_objective
from ..optim import Adam


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is to do, whatever its model and its data; checked when it is made.

    The attributes are the arguments of `fit` of the same names. The objective is kept and not
    copied: what a callback changes in it counts from the next epoch on.

    Attributes
    ----------
    n_levels : how many latent levels the model has, each with a loss of its own if several
    configs : dict, for a checkpoint what objective and optimiser are as the run begins

    Raises
    ------
    ConfigError
        If one is out of its range, or two contradict each other.
    """

    configs: dict[str, Any] = field(init=False, default_factory=dict)

    objective: Any
    optimiser: Any
    epochs: int
    batch_size: int
    lr: Any
    seed: int
    threads: int | None
    binarise: bool
    hide: float
    batch_transform: Any = None
    callbacks: Any
    checkpoint: Any
    resume: bool
    progress: bool | None
    n_levels: int = 1

    def __post_init__(self) -> None:
        checked = {
            "objective": as_objective(self.objective),
            "optimiser": Adam() if self.optimiser is None else self.optimiser,
            "epochs": whole("epochs", self.epochs, least=0),
            "batch_size": whole("batch_size", self.batch_size),
            "lr": schedule("lr", self.lr),
            "seed": whole("seed", self.seed, least=0),
            "threads": None if self.threads is None else whole("threads", self.threads),
            "hide": number("hide", self.hide, least=0),
            "callbacks": _callables(self.callbacks),
        }
        if self.checkpoint is not None:
            os.fspath(self.checkpoint)  # a path, though it may become another one
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.checkpoint is not None:
            configs = {name: _config(getattr(self, name)) for name in ("objective", "optimiser")}
            object.__setattr__(self, "configs", configs)
        if not (self.batch_transform is None or callable(self.batch_transform)):
            raise ConfigError(
                "batch_transform is a function of (x, rng); got "
                f"{self.batch_transform!r:.60}. Give one such as nv.Flip((28, 28))."
            )
        if self.hide >= 1:
            raise ConfigError(f"hide is the share of entries to hide, below 1; got {self.hide:g}.")
        if self.resume and self.checkpoint is None:
            raise ConfigError("resume=True goes on from a checkpoint; pass checkpoint= as well.")

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of the objective's losses; the first is the one that is minimised."""
        return names_of(self.objective, self.n_levels)


def _callables(callbacks: Any) -> tuple[Any, ...]:
    """The callbacks; raises ConfigError where one can't be called, or is a class."""
    several = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    lone = several and not isinstance(callbacks, Iterable)
    wrong = [c for c in several if lone or isinstance(c, type) or not callable(c)]
    if wrong:
        came = f"the class {wrong[0].__name__}" if isinstance(wrong[0], type) else repr(wrong[0])
        raise ConfigError(
            f"callbacks is a list of functions of (model, record); got {came:.80}. Pass a list "
            "of objects such as callbacks=[nv.EarlyStopping(patience=5)]."
        )
    return several


def _config(thing: Any) -> Any:
    """An object's config, or in angle brackets the name of one that has none."""
    try:
        config = plain(thing)
    except AttributeError as error:
        raise ConfigError(
            f"a checkpoint keeps the arguments of {type(thing).__name__}, which its constructor "
            f"has to keep as attributes of the same names; {error}."
        ) from error
    return f"<{type(thing).__name__}>" if config is thing else config
