"""How the cells of each column are written: as numbers, dates, durations, or text.

A column's own cells decide, and where they can be read in two ways those of the other columns: a
table has one decimal mark, and one order of days and months.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from shlex import quote

import numpy as np

from ..core.errors import DataError
from ..datasets.numerals import are_plain, holds, is_number, is_plain
from .cells import Cells, Unfit, refusal
from .column import mend, say
from .formats import (
    ORDERS,
    PLAIN,
    READINGS,
    Ambiguous,
    DateFormat,
    DurationFormat,
    NumberFormat,
    agree,
    beyond,
    certain,
    dates_as,
    durations_as,
    length,
    numbers_as,
    parts_of,
    reading,
    unit_of,
)
from .kinds import Said
from .limited import LIMIT_RULE, limits_of, with_limits
from .numeric import LARGEST_NUMBER

Array = np.ndarray
Format = NumberFormat | DateFormat | DurationFormat | None
"""None of text."""

MOST_ODD = 10
"""A column with more numbers than this, and more than half, has mistakes rather than labels."""
MOST_LABELS = 20
"""Labels that are taken for a category's even where most of them come only once."""
_FRACTION = re.compile(r"-?[0-9]+\.([0-9]*[1-9])(0*)")
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}(\.[0-9]{3})+")
_ISO = re.compile(r"yyyy-MM-dd([T ]HH:mm(:ss(\.S+)?)?(Z|XXX?)?)?")
_OF_PANDAS = "d' days 'HH:mm:ss"
_COMPACT = re.compile(r"(19|20)[0-9]{6}([0-9]{6})?|(0?[1-9]|1[0-2])\.(19|20)[0-9]{2}")
_DECIMAL = {"decimal-comma": ",", "decimal-point": "."}
_KIND_OF = {**dict.fromkeys(_DECIMAL, "number"), **dict.fromkeys(READINGS, "duration")}
"""The kind of which something can be said; of others it is a date."""
_FIRST = 50
"""Cells that are looked at to see whether a column may hold durations."""


def formats_of(
    table: Mapping[str, Cells], said: Mapping[str, Said], delimiter: str, where: str
) -> dict[str, Format]:
    """The format of every column, by its name.

    Raises
    ------
    DataError
        With the first cell of a column that can be read in two ways, and how to say which.
    """
    found = {name: _found(cells, said.get(name, Said(""))) for name, cells in table.items()}
    decimals, orders = _evidence(found, table)
    unknown_marks = not decimals and delimiter == ";"  # as where decimals have commas
    if not decimals and delimiter == ",":  # where commas part the cells, decimals have points
        decimals = {"decimal-point"}
    formats: dict[str, Format] = {}
    for name, written in found.items():
        ways = written.args if isinstance(written, Ambiguous) else ()
        commas = "decimal-comma" in decimals or unknown_marks
        if commas and written is PLAIN and name not in said:
            ways = tuple(_DECIMAL) if _are_grouped(table[name].known()[0]) else ()
        if ways:
            kind = _KIND_OF.get(ways[0], "date")
            how = {"number": decimals, "date": orders}.get(kind, set()) & set(ways)
            if len(how) != 1:
                raise _which(name, kind, ways, table[name], where)
            formats[name] = _format(table[name], Said(kind, how.pop()))
        elif not isinstance(written, Ambiguous):
            formats[name] = written
    unknown = list(dict.fromkeys(text for cells in table.values() for text in cells.unknown()))
    for name in formats:
        if name not in said or said[name].kind in ("number", "date", "duration"):
            _check(name, formats[name], table[name], unknown, where, name in said)
    return formats


def notes_of(table: Mapping[str, Cells], formats: Mapping[str, Format]) -> list[str]:
    """What is said of cells that are not plain numbers or ISO dates: how one of them is read."""
    alike: dict[str, list[str]] = {}
    for name, written in formats.items():
        if isinstance(written, NumberFormat) and replace(written, low=None, high=None) != PLAIN:
            alike.setdefault(str(written.config), []).append(name)
        elif isinstance(written, DateFormat) and (
            written.other or not _ISO.fullmatch(written.pattern)
        ):
            alike.setdefault(f"{written.pattern} {written.other}", []).append(name)
        elif isinstance(written, DurationFormat) and not written.pattern.startswith(_OF_PANDAS):
            alike.setdefault(str(written.config), []).append(name)
    notes = [
        f"{limits} in {name!r}"
        for name, written in formats.items()
        if isinstance(written, NumberFormat) and (limits := limits_of(written))
    ]
    for names in alike.values():
        written = formats[names[0]]
        if written is None:
            continue
        texts = table[names[0]].known()[0]
        if isinstance(written, DateFormat) and written.other:
            texts = [text for text in texts if not text[:4].isdigit()]
        text = max(texts[:100], key=len)
        number = written.parse(text)
        value = f"{number:.15g}" if isinstance(written, NumberFormat) else written.moment(number)
        value = f"the duration {value}" if isinstance(written, DurationFormat) else value
        more = f" and {len(names) - 3} more columns" if len(names) > 3 else ""
        notes.append(f"{text!r} is read as {value} in {', '.join(map(repr, names[:3]))}{more}")
    return notes


def are_versions(texts: Sequence[str], counts: Array) -> bool:
    """Whether a few numbers are codes: zeros at the end of some, and fewer digits in others."""
    if len(texts) > min(MOST_LABELS, counts.sum() / 5):
        return False
    found = [match for text in texts if (match := _FRACTION.fullmatch(text))]
    return any(match[2] for match in found) and len({len(m[1] + m[2]) for m in found}) > 1


def _found(cells: Cells, said: Said) -> Format | Ambiguous:
    try:
        return _format(cells, said)
    except Ambiguous as ambiguous:
        return ambiguous


def _format(cells: Cells, said: Said) -> Format:
    """The format of one column; raises `Ambiguous` if its cells can be read in two ways."""
    texts, counts = cells.known()
    written: Format = None
    compact = not said.kind and all(map(_COMPACT.fullmatch, texts)) and all(map(reading, texts))
    if texts and said.kind in ("", "duration"):
        written = _as_durations(texts, said)
    if texts and written is None and said.kind in ("", "number", "count") and not compact:
        written = _as_numbers(texts, counts, said)
    if texts and written is None and said.kind in ("", "date"):
        written = _as_dates(texts, said)
    return written


def _check(
    name: str, written: Format, cells: Cells, unknown: Sequence[str], where: str, is_said: bool
) -> None:
    """Raise `DataError` with the first cell that is none in a column of numbers or dates.

    `unknown` are the table's cells that are missing. What is said to be a number may be a code.
    """
    if written is None:
        return
    texts = cells.known()[0]
    fits = is_number if is_said and written is PLAIN else partial(_fits, written)
    odd = [] if written is PLAIN and are_plain(texts) else [t for t in texts if not fits(t)]
    if written is PLAIN:
        seen = set(odd)
        others = (text for text in texts if text not in seen)
        odd += [text for text in others if abs(float(text)) > LARGEST_NUMBER]
    if odd:
        place = f"{where}, {cells.place_of(odd[0])}, column {name!r}"
        rule, fix = _mended(name, written, odd, unknown)
        raise refusal(place, Unfit(rule, fix, odd[0]))


def _as_numbers(texts: Sequence[str], counts: Array, said: Said) -> NumberFormat | None:
    """The format of most of these texts; None where they are no numbers, or codes."""
    limits = {text: found for text in texts if (found := beyond(text))}
    others = np.array([text not in limits for text in texts])
    if limits and (said.kind or others.sum() > MOST_ODD):
        rest = [text for text in texts if text not in limits]
        written = _as_figures(rest, counts[others], said) if rest else None
        if written and (limited := with_limits(written, rest, limits)):
            return limited
    return _as_figures(texts, counts, said)


def _as_figures(texts: Sequence[str], counts: Array, said: Said) -> NumberFormat | None:
    """The same of texts of which none is a limit."""
    decimal = _DECIMAL.get(said.how)
    plain = are_plain(texts)
    if decimal != "," and (plain or all(map(is_number, texts))):
        if not (plain or said.kind):
            return PLAIN if _are_fractions(texts) else None
        if not set("".join(texts)) & set("+eE") or not any(map(parts_of, texts)):
            return PLAIN
        written = numbers_as(texts, counts, ".")
        return written if all(_fits(written, text) for text in texts) else PLAIN
    like = np.array([parts_of(text) is not None for text in texts])
    if not like.any() or not (said.kind or like.sum() > len(texts) / 2):
        return None
    written = numbers_as(
        [t for t, yes in zip(texts, like, strict=True) if yes], counts[like], decimal
    )
    if said.kind:
        return written
    if written.magnitudes:
        return written if _are_sizes(texts, counts, written) else None
    fits = [text for text in texts if _fits(written, text)]
    if len(fits) == len(texts):
        return written if all(holds(written.plain(text)) for text in texts) else None
    if written.unit and all(unit_of(parts) for text in texts if (parts := parts_of(text))):
        return written  # and others of another currency
    return written if len(fits) > max(0 if written.unit else MOST_ODD, len(texts) / 2) else None


def _are_sizes(texts: Sequence[str], counts: Array, written: NumberFormat) -> bool:
    """Whether texts such as 12k and 3.4M are numbers, which are written again as they are."""
    if not all(_fits(written, text) for text in texts):
        return False
    if any(written.write(written.parse(text), None) != text for text in texts):
        return False
    few = len(texts) <= min(MOST_LABELS, counts.sum() / 5)
    return agree(texts, [one.suffix for one in written.magnitudes], written.unit, few)


def _are_fractions(texts: Sequence[str]) -> bool:
    """Whether most are plain numbers with a point, so that a code among them is a mistake."""
    n = sum("." in text and is_plain(text) for text in texts)
    return n > max(MOST_ODD, len(texts) / 2)


def _as_dates(texts: Sequence[str], said: Said) -> DateFormat | None:
    """The format of most of these texts; None where they are no dates."""
    dates = [text for text in texts if any(reading(text, order) for order in ORDERS)]
    if not dates or not (said.kind or len(dates) > len(texts) / 2):
        return None
    return dates_as(dates, said.how or None)


def _as_durations(texts: Sequence[str], said: Said) -> DurationFormat | None:
    """The format of most of these texts; None where they are no durations, or may be others.

    Times of the day are others, and so are texts that would not be written again as they are:
    60 min and 1 h are codes.
    """
    if said.kind:
        return durations_as(texts, said.how or None) if any(map(length, texts)) else None
    if not any(map(length, texts[:_FIRST])):
        return None
    like = [text for text in texts if length(text)]
    if len(like) < len(texts) and len(like) <= max(MOST_ODD, len(texts) / 2):
        return None
    if not certain(like):
        return None
    written = durations_as(like)
    if written.is_clock:
        return written
    same = all(written.write(written.parse(text)) == text for text in like)
    return written if same and len(like) == len(texts) else None


def _fits(written: NumberFormat | DateFormat | DurationFormat, text: str) -> bool:
    if written is PLAIN:
        return is_plain(text)
    try:
        written.parse(text)
    except ValueError:
        return False
    return True


def _mended(
    name: str,
    written: NumberFormat | DateFormat | DurationFormat,
    odd: Sequence[str],
    unknown: Sequence[str],
) -> tuple[str, str]:
    """The rule that odd cells of a column of numbers or dates break, and how to mend them."""
    fix = mend(name, *unknown, *odd)
    if not isinstance(written, NumberFormat):
        if isinstance(written, DateFormat) and not written.has_date and length(odd[0]):
            fix = f"{as_durations(name).replace('if', 'If', 1)}. {fix}"
        kind = "date" if isinstance(written, DateFormat) else "duration"
        return f"every known cell must hold a {kind}, written as {written.pattern}", fix
    if is_number(odd[0]) and written is PLAIN:
        if abs(float(odd[0])) > LARGEST_NUMBER:
            return "every number must be finite, and at most 3.4e38", fix
        return "a number must be no code such as 007", fix
    unit = parts_of(odd[0])
    if written.unit and unit and unit_of(unit) not in ("", written.unit):
        fix = (
            f"Make it one unit, or take the column as text with {say(f'{name}=category')}, or "
            f"leave it out with {quote(f'{name}=skip')}."
        )
        return f"a column of numbers has one unit, and this has {written.unit!r}", fix
    if beyond(odd[0]):
        return LIMIT_RULE, fix
    like = "" if written is PLAIN else f", such as {written.write(1234.5, 2)}"
    return f"every known cell must hold a number{like}", fix


def as_durations(name: str) -> str:
    """How to say that a column's cells are durations, and of which units."""
    ways = (f"{say(f'{name}=duration:{way}')} ({what})" for way, what in READINGS.items())
    return f"if they are durations, say {' or '.join(ways)}"


def _evidence(
    formats: Mapping[str, Format | Ambiguous], table: Mapping[str, Cells]
) -> tuple[set[str], set[str]]:
    """The ways in which decimals and dates are certainly written somewhere."""
    decimals, orders = set(), set()
    for name, written in formats.items():
        if isinstance(written, DateFormat) and not re.search("MMM|yyyy.?MM", written.pattern):
            orders.add(written.order)
        elif written is PLAIN and not are_versions(*table[name].known()):
            points = [text for text in table[name].texts if "." in text]
            if not all(map(_GROUPED.fullmatch, points)):
                decimals.add("decimal-point")
        elif isinstance(written, NumberFormat) and "," in (written.decimal, written.group):
            decimals.add("decimal-comma" if written.decimal == "," else "decimal-point")
    return decimals, orders


def _are_grouped(texts: Iterable[str]) -> bool:
    """Whether points part thousands in all numbers that have any."""
    points = [text for text in texts if "." in text]
    return bool(points) and all(map(_GROUPED.fullmatch, points))


def _which(name: str, kind: str, ways: Sequence[str], cells: Cells, where: str) -> DataError:
    """The error for a column that can be read in two ways."""
    texts = cells.known()[0]
    text = next((text for text in texts if set(text) & set(",./-:")), texts[0])
    what = {
        "number": "the mark can be a decimal mark or part thousands in every cell",
        "date": "day and month can be either way round in every cell"
        if len(ways) == 2
        else "day, month and year can be in more than one order in every cell",
        "duration": " can be ".join(["two figures", " or ".join(READINGS.values())]),
    }[kind]
    options = " or ".join(say(f"{name}={kind}:{way}") for way in ways)
    return DataError(
        f"{where}, {cells.place_of(text)}, column {name!r}: {what}; got {text!r}. "
        f"Say which it is: {options}."
    )
