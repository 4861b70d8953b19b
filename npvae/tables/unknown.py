"""Words such as none and NA, which say that a value is not known, or are labels like others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .cells import SPELLINGS, Cells, is_missing
from .column import Column, say, say_missing
from .scales import order_of

MOST_LABELS = 20
_NONE = "none"
_WORDS = frozenset(["na", _NONE])
"""Those that labels of other columns are, as of a continent or a garage."""
_BESIDE = frozenset(["-", "--", ".", "unknown", "not known", "missing", "not stated", "refused"])
"""What stands among a scale's steps and is none: it says itself that a value is not known."""


def keep_steps(table: Mapping[str, Cells]) -> None:
    """Let "none" be a label of the columns whose other labels are steps of a scale with it."""
    for cells in table.values():
        none = [text for text in cells.unknown() if text.casefold() == _NONE]
        if none and cells.missing is None and len(known := cells.known()[0]) <= MOST_LABELS:
            order = order_of([text for text in known if text.casefold() not in _BESIDE] + none)
            if order is not None and order[0] in none:
                cells.missing = [word for word in SPELLINGS if word.casefold() != _NONE]


def notes_of(
    table: Mapping[str, Cells], columns: Iterable[Column], kinds: Iterable[str]
) -> Iterator[str]:
    """What is said of words that are a label here, or might be one.

    Parameters
    ----------
    kinds : the columns of which the user said what they are
    """
    said = set(kinds)
    others = dict.fromkeys(text for cells in table.values() for text in cells.unknown())
    for column in columns:
        labels = list(filter(is_missing, column.labels))
        for label in labels:
            why = "as its kind was said" if column.name in said else "as a step of its scale"
            yield (
                f"{label!r} is a label of {column.name!r}, {why}; "
                f"{say_missing(*others, label)} takes it for not known"
            )
        if not column.labels or column.name in said or labels:
            continue
        cells = table[column.name]
        words = [text for text in cells.unknown() if text.casefold() in _WORDS]
        if words and cells.missing is None:
            yield (
                f"{words[0]!r} in {column.name!r} counts as not known; "
                f"{say(f'{column.name}=category')} takes it for a label"
            )
