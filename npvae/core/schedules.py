"""Schedules: numbers that change with the epoch, for beta and for the learning rate.

The epoch is a float that grows step by step (2.5 is the middle of the third epoch), so that a
schedule means the same at any batch size. Any function of one float serves as well; outside of
training, where there is no epoch, it is called with infinity and should give its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .checks import number
from .errors import ConfigError
from .registry import Registered, resolve

Schedule = Callable[[float], float]


class Constant(Registered):
    """The same value at every epoch."""

    family = "schedule"

    def __init__(self, value: float) -> None:
        self.value = value

    @property
    def config(self) -> float:
        """The number alone, which `schedule` takes as well."""
        return self.value

    def __call__(self, epoch: float) -> float:
        return self.value


class Linear(Registered):
    """From `start` to `stop` in a straight line over the first `epochs`, then `stop`.

    ``ELBO(beta=Linear(0, 1, epochs=20))`` is KL warm-up (Bowman et al. 2016; Sønderby et al. 2016).
    """

    family = "schedule"

    def __init__(self, start: float, stop: float, epochs: float) -> None:
        self.start, self.stop, self.epochs = _ends(start, stop, epochs)

    def __call__(self, epoch: float) -> float:
        done = min(epoch / self.epochs, 1.0)
        return self.start + (self.stop - self.start) * done


class Cosine(Registered):
    """From `start` to `stop` along half a cosine over the first `epochs`, then `stop`.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """

    family = "schedule"

    def __init__(self, start: float, stop: float, epochs: float) -> None:
        self.start, self.stop, self.epochs = _ends(start, stop, epochs)

    def __call__(self, epoch: float) -> float:
        done = min(epoch / self.epochs, 1.0)
        return self.stop + (self.start - self.stop) * 0.5 * (1 + math.cos(math.pi * done))


class Cyclical(Registered):
    """From `start` to `stop` anew in every cycle of so many `epochs`: up in a straight line over
    the share `rising` of it, then `stop`.

    Source: Fu et al. 2019, equation 6.
    """

    family = "schedule"

    def __init__(self, start: float, stop: float, epochs: float, rising: float = 0.5) -> None:
        self.start, self.stop, self.epochs = _ends(start, stop, epochs)
        self.rising = number("rising, the share of a cycle,", rising, above=0)
        if self.rising > 1:
            raise ConfigError(f"rising is a share of the cycle, up to 1; got {rising!r}.")

    def __call__(self, epoch: float) -> float:
        phase = 1.0 if math.isinf(epoch) else epoch % self.epochs / self.epochs
        return self.start + (self.stop - self.start) * min(phase / self.rising, 1.0)


def warm_up(schedule: Any) -> float:
    """How many epochs a schedule of npvae's takes to its end the first time; 0 of any other."""
    if isinstance(schedule, Cyclical):
        return schedule.epochs * schedule.rising
    return schedule.epochs if isinstance(schedule, (Linear, Cosine)) else 0.0


def _ends(start: float, stop: float, epochs: float) -> tuple[float, float, float]:
    return (
        number("a schedule's start", start, least=0),
        number("a schedule's stop", stop, least=0),
        number("a schedule's length in epochs", epochs, above=0),
    )


def schedule(what: str, value: Any) -> Schedule:
    """A number as a constant schedule, a schedule or its config as a schedule.

    `what` names it in the error.
    """
    if callable(value):
        return value
    if isinstance(value, dict) or (isinstance(value, str) and value[:1].isalpha()):
        try:
            return resolve("schedule", value)
        except ConfigError as error:
            raise ConfigError(f"{what} takes a number or a schedule: {error}") from error
    return Constant(number(what, value, least=0))
