"""The kinds by their names, and what a user can say of a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..core.errors import ConfigError, DataError, nearest
from .column import Column, Constant
from .formats import ORDERS, READINGS
from .labelled import Category, Flag, Ordered
from .numeric import Count, Date, Duration, Number

KINDS: dict[str, type[Column]] = {
    c.kind: c for c in (Number, Date, Duration, Flag, Count, Category, Ordered)
}
"""The kinds that x has."""
_HALF = re.compile("[\ud800-\udfff]")
LABEL, SKIP = "label", "skip"
"""What a column can be besides a kind: the rows' labels, which are not modelled, or left out."""
HOW = {
    "number": ("decimal-point", "decimal-comma"),
    "date": tuple(ORDERS),
    "duration": tuple(READINGS),
}
"""What can be said of the way that a kind's cells are written, as in date:dmy."""


class Said(NamedTuple):
    """What is said of a column: its kind, label or skip, how it is written, or "", and its labels.

    A user says them in words, and a data frame by the types of its columns.
    """

    kind: str
    how: str = ""
    labels: tuple[str, ...] = ()

    @property
    def order(self) -> list[str] | None:
        """The labels in their order, where they are said, as in ordered:low<medium<high."""
        if self.labels:
            return list(self.labels)
        return [label.strip() for label in self.how.split("<")] if "<" in self.how else None


def said_of(kinds: Mapping[str, str], names: Iterable[str], where: str) -> dict[str, Said]:
    """What is said of each of these columns.

    Raises
    ------
    ConfigError
        For a kind that is none.
    DataError
        For a column that is not there.
    """
    said, names = {}, list(names)
    for name, text in kinds.items():
        kind, _, how = str(text).partition(":")
        if kind not in (*KINDS, LABEL, SKIP):
            raise ConfigError(
                f"column {name!r} can't be of the kind {kind!r}"
                f"{nearest(kind, [*KINDS, LABEL, SKIP])}"
            )
        ordered = kind == Ordered.kind and all(map(str.strip, f"<{how}".split("<")[1:]))
        if how and how not in HOW.get(kind, ()) and not ("<" in how and ordered):
            known = [f"{kind}:{how}" for kind, hows in HOW.items() for how in hows]
            known.append("ordered:low<medium<high")
            raise ConfigError(f"column {name!r} can't be {text!r}{nearest(str(text), known)}")
        if name not in names:
            raise DataError(
                f"{where}: a kind can be given to the table's own columns; got {name!r}"
                f"{nearest(name, names)}"
            )
        said[name] = Said(kind, how)
    return said


def column(config: Any) -> Column:
    """The column that a config describes; raises `ConfigError`."""
    try:
        arguments = dict(config)
        kind: Any = {**KINDS, Constant.kind: Constant}[arguments.pop("kind")]
        rebuilt = kind(**arguments)
        if repr(rebuilt.config) == repr(config) and _is_text(rebuilt):
            return rebuilt
        why = "it has other texts"
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        why = str(error)
    raise ConfigError(f"a column is what Column.config gives; got {config!r:.80} ({why:.200}).")


def _is_text(column: Column) -> bool:
    """Whether name and labels can be written: half a character can't."""
    texts = [column.name, *column.labels, *([column.only] if isinstance(column, Constant) else [])]
    return all(isinstance(text, str) and not _HALF.search(text) for text in texts)
