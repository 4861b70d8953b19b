"""Which pattern the dates and times of a column have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from .dates import SINCE, TEXT, DateFormat, Reading, reading
from .names import names_like, weekdays_like
from .numbers import LONGEST, Ambiguous

_LATEST = 2039
_EARLIEST = 1900
"""The years that a column's years of two figures reach to, if they can."""


def dates_as(texts: Iterable[str], order: str | None = None) -> DateFormat:
    """The format that most of a column's different texts have.

    Parameters
    ----------
    texts : iterable of str
    order : "dmy", "mdy" or "ymd", optional
        That of dates that are figures alone, where it is known.

    Raises
    ------
    Ambiguous
        If day and month can be either way round in all of them.
    ValueError
        If none is a date.
    """
    matches = [match for text in texts if len(text) <= LONGEST and (match := TEXT.fullmatch(text))]
    orders = [order] if order else _by_weekday(matches, _orders(matches))
    since = _since(matches, orders[0])
    read = [one for match in matches if (one := reading(match[0], orders[0], since))]
    style, n = Counter(map(_style, read)).most_common(1)[0] if read else ("", 0)
    if not n:
        raise ValueError("no dates")
    if len(orders) > 1:
        raise Ambiguous(*orders)
    read = [one for one in read if _style(one) == style]
    parts = [one.parts for one in read]
    timed = [one for one in read if "hour" in one.parts]
    days = [one.day for one in read if one.day is not None]
    origin = date.fromordinal(min(days)).isoformat() if days else "1970-01-01"
    zones = Counter(one.zone for one in timed)
    pattern = _date_pattern(parts, orders[0]) + _time_pattern([one.parts for one in timed])
    zone = zones.most_common(1)[0][0] if zones else None
    figures = any(match["z"] for match in matches) and "y" in parts[0] and orders[0] != "ymd"
    other = orders[0] if figures else None
    names = _names(parts, "MMMM" not in pattern)
    return DateFormat(pattern, origin, zone, since, names, other, _weekdays(read))


def _style(read: Reading) -> tuple[str, ...]:
    """The marks of a date, and which of its parts come first."""
    marks = ("after", "s", "t", "u", "v", "w", "e", "f", "g", "h", "i", "j", "k", "l", "n", "y8",
             "gap8", "dot", "dot2")  # fmt: skip
    found = (name for name in marks if name in read.parts)
    return tuple(name if name == "y8" else f"{name}{read.parts[name]}" for name in found)


def _orders(matches: Iterable[re.Match[str]]) -> list[str]:
    """The orders that all dates can have; points are set between days and months only.

    Years of two figures are rather those that lie closer together than the days of a month.
    """
    figures = [match for match in matches if match["z"]]
    if not figures:
        return ["ymd"]
    if any(match["t"][0] == "." for match in figures):
        return ["dmy"]
    first, second = (max(int(match[name]) for match in figures) for name in "ab")
    fits = [order for order, month in (("dmy", second), ("mdy", first)) if month <= 12]
    if all(len(match["a"]) == len(match["z"]) == 2 for match in figures) and second <= 12:
        spread, other = (_windows({int(match[name]) for match in figures})[0][2] for name in "az")
        if max(int(match["z"]) for match in figures) > 31 or 2 * other <= spread:
            return fits or ["dmy"]
        fits = ["ymd"] if first > 31 or 2 * spread <= other else [*fits, "ymd"]
    return fits or ["dmy"]


def _by_weekday(matches: Iterable[re.Match[str]], orders: list[str]) -> list[str]:
    """The orders in which dates fall on the weekdays that they name."""
    named = [match[0] for match in matches if match["weekday"]]
    if not named or len(orders) < 2:
        return orders
    fits = {order: sum(reading(text, order) is not None for text in named) for order in orders}
    return [order for order in orders if fits[order] == max(fits.values())]


def _since(matches: Iterable[re.Match[str]], order: str) -> int:
    """The first of the hundred years that a column's years of two figures stand for.

    That of POSIX, unless it would reach beyond `_LATEST`: births in 45 and 99 are of one century.
    """
    field = "a" if order == "ymd" else "z"
    years = {
        int(match[field] if match["z"] else match["year"] or match["y5"])
        for match in matches
        if len(match["z"] or match["year"] or match["y5"] or "") == 2
    }
    if not any(_LATEST - 2000 < year < SINCE - 1900 for year in years):
        return SINCE
    for _, first, spread in _windows(years):
        start = first + (2000 if 2000 + first + spread <= _LATEST else 1900)
        start -= 100 if start + spread > _LATEST else 0
        if start >= _EARLIEST:
            return start - (99 - spread) // 2
    return _LATEST - 99


def _windows(years: set[int]) -> list[tuple[int, int, int]]:
    """Gaps between years of two figures, the widest first: its size, the year after, the spread."""
    ordered = sorted(years)
    pairs = zip([ordered[-1], *ordered], ordered, strict=False)
    gaps = [((after - before) % 100 or 100, after) for before, after in pairs]
    return [(gap, after, 100 - gap) for gap, after in sorted(gaps, reverse=True)]


def _date_pattern(parts: Sequence[dict[str, str]], order: str) -> str:
    of = parts[0]
    if "weekday" in of:
        words = [p["weekday"].removesuffix(".") for p in parts]
        rest = [{name: part for name, part in p.items() if name != "weekday"} for p in parts]
        word = "EEE" if all(len(word) <= 3 for word in words) else "EEEE"
        return f"{word}{of['after']}{_date_pattern(rest, order)}"
    if "y9" in of:
        return f"YYYY{_quoted(of['l'])}ww" + (f"{of['n']}u" if "d9" in of else "")
    if "y10" in of:
        return f"{_padded('M', parts, 'm6')}{of['h']}yyyy"
    if "y" in of:
        fields = ["yyyy", _padded("M", parts, "m"), _padded("d", parts, "d")]
        return of["s"].join(fields) + of.get("dot", "")
    if "y8" in of:
        return "yyyyMMdd"
    if "y3" in of:
        month, day = _padded("M", parts, "m3"), _padded("d", parts, "d3")
        return f"yyyy'{of['e']}'{month}'{of['f']}'{day}'日'"
    if "y4" in of:
        return f"yyyy{of['g']}MM"
    if "y6" in of:
        return f"yyyy'{of['j']}'Q"
    if "y7" in of:
        return f"'Q'Q'{of['k']}'yyyy"
    if "z" in of:
        day, month, year = {"dmy": ("a", "b", "z"), "mdy": ("b", "a", "z")}.get(
            order, ("z", "b", "a")
        )
        found = {day: _padded("d", parts, day), month: _padded("M", parts, month)}
        found[year] = "y" * len(of[year])
        return of["t"].join([found["a"], found["b"], found["z"]]) + of.get("dot2", "")
    name = next((name for name in ("month", "month2", "month5") if name in of), None)
    if name is None:
        return ""
    word = "MMM" if all(len(p[name].removesuffix(".")) <= 4 for p in parts) else "MMMM"
    if name == "month":
        year, ends = "y" * len(of["year"]), {p.get("nth") for p in parts} - {None}
        day = "de" if ends == {"er"} else "do" if ends else _padded("d", parts, "day")
        return f"{day}{_quoted(of['u'])}{word}{_quoted(of['v'])}{year}"
    if name == "month5":
        mark = "''" if of["i"] == "'" else of["i"]
        return f"{word}{mark}{'y' * len(of['y5'])}"
    day = "do" if any("nth2" in p for p in parts) else _padded("d", parts, "day2")
    return f"{word} {day}{of['w']}yyyy"


def _names(parts: Sequence[dict[str, str]], short: bool) -> tuple[str, ...] | None:
    """The months' names as the column has them; None where it names none."""
    names = ("month", "month2", "month5")
    found = Counter(p[name] for p in parts for name in names if name in p)
    return names_like([name for name, _ in reversed(found.most_common())], short) if found else None


def _weekdays(read: Iterable[Reading]) -> tuple[str, ...] | None:
    """The weekdays' names as the column has them; None where it names none."""
    known = {
        (one.day - 1) % 7 + 1: one.parts["weekday"]
        for one in read
        if "weekday" in one.parts and one.day
    }
    return weekdays_like(known) if known else None


def _time_pattern(parts: Sequence[dict[str, str]]) -> str:
    if not parts:
        return ""
    gap, half, zone = (
        Counter(p.get(name, "") for p in parts).most_common(1)[0][0]
        for name in ("gap", "half", "zone")
    )
    colon = ":"
    if "hour8" in parts[0]:
        gap, colon = f"'{parts[0]['gap8']}'" if parts[0]["gap8"] else "", ""
    pattern = gap + _padded("h" if half else "H", parts, "hour") + f"{colon}mm"
    if any("second" in p for p in parts):
        pattern += f"{colon}ss"
    if digits := max(len(p.get("fraction", "")) for p in parts):
        pattern += next(p["mark"] for p in parts if "mark" in p) + "S" * digits
    if half:
        word = half.strip()
        pattern += half[: -len(word)] + ("bB" if "." in word else "aA")[word[0] in "AP"]
    name = zone.strip()
    if name[:1] in ("+", "-"):
        name = "XXX" if ":" in name else "XX"
    elif name not in ("", "Z"):
        name = _quoted(name)
    clock = "' Uhr'" if any("clock" in p for p in parts) else ""
    return pattern + zone[: len(zone) - len(zone.lstrip())] + name + clock


def _quoted(mark: str) -> str:
    """A mark as a pattern has it: letters in quotes."""
    return f"'{mark}'" if any(map(str.isalpha, mark)) else mark


def _padded(letter: str, parts: Iterable[dict[str, str]], name: str) -> str:
    """The letter once where some field has one figure, else twice."""
    return letter if any(len(p[name]) == 1 for p in parts) else 2 * letter
