"""The errors that npvae raises on purpose: one sentence, with the rule, what came, the fix."""

from __future__ import annotations

from collections.abc import Iterable

from .wording import readable


class NpvaeError(Exception):
    """Base of them all; the command line prints its text and exits with 2.

    What it quotes from files can't reach the terminal raw, nor fill it.
    """

    def __str__(self) -> str:
        return readable(super().__str__())


class DataError(NpvaeError, ValueError):
    """Data that can't be read, or that the model can't take."""


class ConfigError(NpvaeError, ValueError):
    """An argument that makes no model, objective or training run."""


class UnknownArgument(ConfigError, TypeError):
    """A keyword that a function does not take; it names the one that is meant."""


class NotFitted(ConfigError, AttributeError):
    """A model that finds its sizes at the first fit is asked for what it does not have yet."""


class ModelFileError(NpvaeError, ValueError):
    """A file that is no npvae model, or is one no longer."""


class MissingDependency(NpvaeError, ImportError):
    """An optional package that the call needs is not installed."""


class NonFiniteLoss(NpvaeError, FloatingPointError):
    """Training met a loss that is NaN or infinite and stopped before the weights took it in."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: which name is meant, if one is close, and which are known."""
    known = sorted(known)
    return f"{closest(name, known) or '.'} Known: {', '.join(known)}."


def closest(name: str, known: Iterable[str]) -> str:
    """The same without those that are known: "" if none is close."""
    import difflib  # here, since it is needed for nothing else

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
