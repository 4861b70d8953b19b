"""How dates and times are written, and the number of days that each is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple

from .numbers import LONGEST, Ambiguous

ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
"""Which part of a date comes first, by its name in the kinds date:dmy, date:mdy and date:ymd."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_MONTH = {name[:n].lower(): i for i, name in enumerate(_MONTHS, 1) for n in (3, len(name))}
_TEXT = re.compile(
    r"""(?:(?:
      (?P<y>[0-9]{4})(?P<s>[-/.])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})
    | (?P<a>[0-9]{1,2})(?P<t>[-/.])(?P<b>[0-9]{1,2})(?P=t)(?P<z>[0-9]{4}|[0-9]{2})
    | (?P<day>[0-9]{1,2})(?P<u>[ -]|\.\ )(?P<month>[A-Za-z]{3,9})(?P<v>[ -])(?P<year>[0-9]{4})
    | (?P<month2>[A-Za-z]{3,9})\ (?P<day2>[0-9]{1,2})(?P<w>,?\ )(?P<year2>[0-9]{4})
    )(?:(?P<gap>T|,?\ )(?=[0-9])|$))?
    (?:(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})
      (?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?
      (?P<half>\ ?[AaPp][Mm])?(?P<zone>\ ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?
    )?""",
    re.VERBOSE,
)
_TOKEN = re.compile(r"'[^']*'|yyyy|yy|MMMM|MMM|MM?|dd?|HH?|hh?|mm|ss|S+|a|A|XXX|XX|.")
_SECOND = 1_000_000
"""Ticks, which are microseconds."""
_DAY = 86_400 * _SECOND
_FIRST, _LAST = date.min.toordinal(), date.max.toordinal()


class Reading(NamedTuple):
    """What a text says: whole days and ticks in Greenwich, and how it says it."""

    day: int | None
    ticks: int
    zone: int | None
    parts: dict[str, str]


def reading(text: str, order: str = "ymd") -> Reading | None:
    """What a text says if it is a date, a time or both; None of another.

    `order` is that of dates that neither begin with the year nor name the month.
    """
    match = _TEXT.fullmatch(text) if 0 < len(text) <= LONGEST else None
    if match is None:
        return None
    parts = {name: part for name, part in match.groupdict().items() if part is not None}
    try:
        day = _day(parts, order)
        ticks, zone = _time(parts) if "hour" in parts else (0, None)
    except (ValueError, KeyError):
        return None
    if zone is not None and not (day and _FIRST <= day + ticks // _DAY <= _LAST):
        return None
    return Reading(day, ticks, zone, parts)


def _day(parts: dict[str, str], order: str) -> int | None:
    """The day's number in the calendar; None of a time alone; raises ValueError or KeyError."""
    if "y" in parts:
        year, month, day = parts["y"], int(parts["m"]), parts["d"]
    elif "z" in parts:
        year, first, second = parts["z"], parts["a"], parts["b"]
        if len(year) == 2 and parts["t"] != "/" and len(first + second) < 4:
            raise ValueError("a version such as 1.2.10")
        day, month = (first, int(second)) if order == "dmy" else (second, int(first))
        if order == "ymd":
            raise ValueError("the order is not known")
    elif "month" in parts:
        year, month, day = parts["year"], _MONTH[parts["month"].lower()], parts["day"]
    elif "month2" in parts:
        year, month, day = parts["year2"], _MONTH[parts["month2"].lower()], parts["day2"]
    else:
        return None
    century = 0 if len(year) == 4 else 2000 if int(year) < 69 else 1900
    return date(century + int(year), month, int(day)).toordinal()


def _time(parts: dict[str, str]) -> tuple[int, int | None]:
    """Ticks since midnight in Greenwich, and the zone's minutes; raises ValueError."""
    hour, minute = int(parts["hour"]), int(parts["minute"])
    second, fraction = int(parts.get("second", "0")), parts.get("fraction", "")
    if half := parts.get("half", "").strip().lower():
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no time of the day")
    ticks = ((hour * 60 + minute) * 60 + second) * _SECOND + int(fraction.ljust(6, "0"))
    if "zone" not in parts:
        return ticks, None
    zone = 0
    if (name := parts["zone"].strip())[0] in "+-":
        zone = int(name[0] + "1") * (int(name[1:3]) * 60 + int(name[-2:]))
        if abs(zone) > 14 * 60 or int(name[-2:]) > 59:
            raise ValueError(zone)
    return ticks - zone * 60 * _SECOND, zone


class DateFormat:
    """How the dates and times of a column are written.

    Parameters
    ----------
    pattern : str
        Such as "yyyy-MM-ddTHH:mm:ss", "d.M.yyyy" or "MM/dd/yyyy h:mm A": two letters where a figure
        has a 0 before it, S for parts of a second, a or A for am or PM, XXX for +01:00.
    origin : str
        The day, as ISO 8601 has it, from which days are counted.
    zone : int, optional
        Minutes from Greenwich that times are written at; None where the column has no zones.
    """

    def __init__(self, pattern: str, origin: str = "1970-01-01", zone: int | None = None) -> None:
        self.pattern, self.origin, self.zone = pattern, origin, zone
        self._tokens = _TOKEN.findall(pattern)
        letters = "".join(token[0] for token in self._tokens if token[0] != "'")
        self.order = re.sub("[^dmy]", "", re.sub("m", "", letters).lower())
        self.has_date, self.has_time = "y" in letters, "m" in letters
        self._start = date.fromisoformat(origin).toordinal() if self.has_date else 0
        fraction = next((len(token) for token in self._tokens if token[0] == "S"), 0)
        self._step = 10 ** (6 - fraction) if fraction else _SECOND * (
            1 if "s" in letters else 60 if self.has_time else 86_400
        )  # fmt: skip
        if not (self.order in ORDERS if self.has_date else self.has_time):
            raise ValueError(pattern)
        self._zone = None if zone is None else timezone(timedelta(minutes=zone))

    @property
    def config(self) -> dict[str, Any]:
        """What it is rebuilt from."""
        config = {"pattern": self.pattern, "origin": self.origin}
        return config if self.zone is None else {**config, "zone": self.zone}

    def parse(self, text: str) -> float:
        """Days since the origin, of a time alone since midnight; raises ValueError.

        A date may also have its year first, and lack the time.
        """
        read = reading(text, self.order)
        if read is None or (read.day is None) == self.has_date:
            raise ValueError(text)
        if "hour" in read.parts and (
            not self.has_time or (read.zone is None) != (self.zone is None)
        ):
            raise ValueError(text)
        return (read.day or 0) - self._start + read.ticks / _DAY

    def moment(self, number: float) -> date | datetime | time:
        """What a number of days stands for, to the last figure of the pattern."""
        ticks = self._start * _DAY + round(number * _DAY / self._step) * self._step
        ticks += (self.zone or 0) * 60 * _SECOND
        least, end = (_FIRST * _DAY, (_LAST + 1) * _DAY) if self.has_date else (0, _DAY)
        days, rest = divmod(min(max(ticks, least), end - self._step), _DAY)
        moment = datetime.fromordinal(max(days, _FIRST)) + timedelta(microseconds=rest)
        moment = moment.replace(tzinfo=self._zone)
        if not self.has_time:
            return moment.date()
        return moment if self.has_date else moment.timetz()

    def write(self, number: float) -> str:
        """The text of a number of days."""
        moment = self.moment(number)
        return "".join(
            _WRITERS.get(token, partial(_literal, token))(moment) for token in self._tokens
        )


def _literal(token: str, moment: Any) -> str:
    if token[0] == "S" and set(token) == {"S"}:
        return f"{moment.microsecond:06d}"[: len(token)]
    return token.strip("'")


def _offset(moment: Any, colon: str) -> str:
    minutes = int(moment.utcoffset().total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{colon}{abs(minutes) % 60:02d}"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "yyyy": lambda m: f"{m.year:04d}",
    "yy": lambda m: f"{m.year % 100:02d}",
    "MMMM": lambda m: _MONTHS[m.month - 1],
    "MMM": lambda m: _MONTHS[m.month - 1][:3],
    "MM": lambda m: f"{m.month:02d}",
    "M": lambda m: str(m.month),
    "dd": lambda m: f"{m.day:02d}",
    "d": lambda m: str(m.day),
    "HH": lambda m: f"{m.hour:02d}",
    "H": lambda m: str(m.hour),
    "hh": lambda m: f"{(m.hour - 1) % 12 + 1:02d}",
    "h": lambda m: str((m.hour - 1) % 12 + 1),
    "mm": lambda m: f"{m.minute:02d}",
    "ss": lambda m: f"{m.second:02d}",
    "a": lambda m: "am" if m.hour < 12 else "pm",
    "A": lambda m: "AM" if m.hour < 12 else "PM",
    "XXX": lambda m: _offset(m, ":"),
    "XX": lambda m: _offset(m, ""),
}


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
    matches = [match for text in texts if len(text) <= LONGEST and (match := _TEXT.fullmatch(text))]
    orders = [order] if order else _orders(matches)
    read = [one for match in matches if (one := reading(match[0], orders[0]))]
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
    return DateFormat(pattern, origin, zones.most_common(1)[0][0] if zones else None)


def _style(read: Reading) -> tuple[str, ...]:
    """The marks of a date, and which of its parts come first."""
    return tuple(f"{name}{read.parts[name]}" for name in "stuvw" if name in read.parts)


def _orders(matches: Iterable[re.Match[str]]) -> list[str]:
    """The orders that all dates can have; points are set between days and months only."""
    figures = [match for match in matches if match["z"]]
    if not figures:
        return ["ymd"]
    if any(match["t"] == "." for match in figures):
        return ["dmy"]
    first, second = (max(int(match[name]) for match in figures) for name in "ab")
    fits = [order for order, month in (("dmy", second), ("mdy", first)) if month <= 12]
    return fits or ["dmy"]


def _date_pattern(parts: Sequence[dict[str, str]], order: str) -> str:
    of = parts[0]
    if "y" in of:
        return of["s"].join(["yyyy", _padded("M", parts, "m"), _padded("d", parts, "d")])
    if "z" in of:
        day, month = ("a", "b") if order == "dmy" else ("b", "a")
        fields = {day: _padded("d", parts, day), month: _padded("M", parts, month)}
        return of["t"].join([fields["a"], fields["b"], "y" * len(of["z"])])
    name = next((name for name in ("month", "month2") if name in of), None)
    if name is None:
        return ""
    word = "MMM" if all(len(p[name]) == 3 for p in parts) else "MMMM"
    if name == "month":
        return f"{_padded('d', parts, 'day')}{of['u']}{word}{of['v']}yyyy"
    return f"{word} {_padded('d', parts, 'day2')}{of['w']}yyyy"


def _time_pattern(parts: Sequence[dict[str, str]]) -> str:
    if not parts:
        return ""
    gap, half, zone = (
        Counter(p.get(name, "") for p in parts).most_common(1)[0][0]
        for name in ("gap", "half", "zone")
    )
    pattern = gap + _padded("h" if half else "H", parts, "hour") + ":mm"
    if any("second" in p for p in parts):
        pattern += ":ss"
    if digits := max(len(p.get("fraction", "")) for p in parts):
        pattern += "." + "S" * digits
    if half:
        pattern += half[:-2] + ("A" if half[-1] == "M" else "a")
    name = zone.strip()
    if name[:1] in ("+", "-"):
        name = "XXX" if ":" in name else "XX"
    elif name not in ("", "Z"):
        name = f"'{name}'"
    return pattern + zone[: len(zone) - len(zone.lstrip())] + name


def _padded(letter: str, parts: Iterable[dict[str, str]], name: str) -> str:
    """The letter once where some field has one figure, else twice."""
    return letter if any(len(p[name]) == 1 for p in parts) else 2 * letter
