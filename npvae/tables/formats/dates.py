"""Dates and times as text, and the number of days that each is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple

from .names import MONTHS, WEEKDAYS, ZONES, month_of, weekdays_of
from .numbers import LONGEST

_OF_PARTS = ("ym", "my", "y")
"""The orders of dates that are months, quarters or weeks alone."""
_MONTHS = ("y4", "y5", "y6", "y7", "y10")
_WEEKS = ("y9",)
ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
"""Which part of a date comes first, by its name in the kinds date:dmy, date:mdy and date:ymd."""
TEXT = re.compile(
    rf"""(?:(?P<weekday>[^\W\d_]{{2,10}}\.?)(?P<after>,?\ ))?(?:(?:
      (?P<y>[0-9]{{4}})(?P<s>[-/]|\.\ ?)(?P<m>[0-9]{{1,2}})(?P=s)(?P<d>[0-9]{{1,2}})
      (?P<dot>\.(?=\ |$))?
    | (?P<y8>(?:19|20)[0-9]{{2}})(?P<m8>[0-9]{{2}})(?P<d8>[0-9]{{2}})
      (?:(?P<gap8>T?)(?P<hour8>[0-9]{{2}})(?P<minute8>[0-9]{{2}})(?P<second8>[0-9]{{2}})(?P<zone8>Z)?)?
    | (?P<y9>(?:19|20)[0-9]{{2}})(?P<l>-?W)(?P<w9>[0-9]{{2}})(?:(?P<n>-?)(?P<d9>[1-7]))?
    | (?P<a>[0-9]{{1,2}})(?P<t>[-/]|\.\ ?)(?P<b>[0-9]{{1,2}})(?P=t)(?P<z>[0-9]{{4}}|[0-9]{{2}})
      (?P<dot2>\.(?=\ |$))?
    | (?P<day>[0-9]{{1,2}})(?P<nth>st|nd|rd|th|er)?(?P<u>[ /-]?|\.\ |\ de\ )
      (?P<month>[^\W\d_]{{3,12}}\.?)
      (?P<v>[ /-]?|\ de\ )(?P<year>[0-9]{{4}}|[0-9]{{2}})
    | (?P<month2>[^\W\d_]{{3,12}}\.?)\ (?P<day2>[0-9]{{1,2}})(?P<nth2>st|nd|rd|th)?(?P<w>,?\ )
      (?P<year2>[0-9]{{4}})
    | (?P<y3>[0-9]{{4}})(?P<e>年\ ?)(?P<m3>[0-9]{{1,2}})(?P<f>月\ ?)(?P<d3>[0-9]{{1,2}})日
    | (?P<y4>(?:19|20)[0-9]{{2}})(?P<g>[-/])(?P<m4>[0-9]{{2}})
    | (?P<month5>[^\W\d_]{{3,12}}\.?)(?P<i>[ /'-])(?P<y5>(?:19|20)[0-9]{{2}}|[0-9]{{2}})
    | (?P<m6>[0-9]{{1,2}})(?P<h>[/.-])(?P<y10>(?:19|20)[0-9]{{2}})
    | (?P<y6>(?:19|20)[0-9]{{2}})(?P<j>[ -]?Q)(?P<q6>[1-4])
    | Q(?P<q7>[1-4])(?P<k>[ /-])(?P<y7>(?:19|20)[0-9]{{2}})
    )(?:(?P<gap>T|,?\ |:)(?=[0-9])|$))?
    (?:(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}})
      (?::(?P<second>[0-9]{{2}})(?:(?P<mark>[.,])(?P<fraction>[0-9]{{1,9}}))?)?
      (?P<half>[\ \u202f\u00a0]?[AaPp]\.?[Mm]\.?)?
      (?P<zone>\ ?(?:{"|".join(sorted(ZONES, key=len, reverse=True))}|[+-][0-9]{{2}}:?[0-9]{{2}}))?
      (?P<clock>\ Uhr)?
    )?""",
    re.VERBOSE,
)
_TOKEN = re.compile(
    r"'[^']*'|yyyy|yy|YYYY|ww|MMMM|MMM|MM?|Q|EEEE?|do|de|dd?|u|HH?|hh?|mm|ss|S+|a|A|b|B|XXX|XX|."
)
_SECOND = 1_000_000
"""Ticks, which are microseconds."""
_DAY = 86_400 * _SECOND
_FIRST, _LAST = date.min.toordinal(), date.max.toordinal()
SINCE = 1969
"""The first of the hundred years that two figures stand for, as in POSIX."""


class Reading(NamedTuple):
    """What a text says: whole days and ticks in Greenwich, and how it says it."""

    day: int | None
    ticks: int
    zone: int | None
    parts: dict[str, str]


def reading(text: str, order: str | None = None, since: int = SINCE) -> Reading | None:
    """What a text says if it is a date, a time or both; None of another.

    Parameters
    ----------
    text : str
    order : "dmy", "mdy" or "ymd", optional
        That of dates that neither begin with four figures nor name the month.
    since : int
        The first of the hundred years that two figures stand for.
    """
    match = TEXT.fullmatch(text) if 0 < len(text) <= LONGEST else None
    if match is None:
        return None
    parts = {name: part for name, part in match.groupdict().items() if part is not None}
    if ("dot" in parts and parts["s"][0] != ".") or ("dot2" in parts and parts["t"][0] != "."):
        return None
    if "hour8" in parts:  # 20241231T235959
        names = ("hour", "minute", "second", "zone")
        parts |= {name: parts[f"{name}8"] for name in names if f"{name}8" in parts}
    try:
        day = _day(parts, order, since)
        ticks, zone = _time(parts) if "hour" in parts else (0, None)
    except (ValueError, KeyError):
        return None
    if "weekday" in parts and (
        day is None or _isoweekday(day) not in weekdays_of(parts["weekday"])
    ):
        return None
    if zone is not None and not (day and _FIRST <= day + ticks // _DAY <= _LAST):
        return None
    return Reading(day, ticks, zone, parts)


def _day(parts: dict[str, str], order: str | None, since: int) -> int | None:
    """The day's number in the calendar; None of a time alone; raises ValueError or KeyError."""
    if "z" in parts:
        year, month, day = _in_order(parts, order)
    elif "month" in parts:
        year, month, day = parts["year"], month_of(parts["month"]), parts["day"]
    elif "month2" in parts:
        year, month, day = parts["year2"], month_of(parts["month2"]), parts["day2"]
    elif "y" in parts:
        year, month, day = parts["y"], int(parts["m"]), parts["d"]
    elif "y8" in parts:
        year, month, day = parts["y8"], int(parts["m8"]), parts["d8"]
    elif "y3" in parts:
        year, month, day = parts["y3"], int(parts["m3"]), parts["d3"]
    elif "y9" in parts:
        day_of_week = int(parts.get("d9", "1"))
        return date.fromisocalendar(int(parts["y9"]), int(parts["w9"]), day_of_week).toordinal()
    elif is_part(parts):
        year, month, day = *_month(parts), "1"
    else:
        return None
    of_hundred = int(year) if len(year) == 4 else since + (int(year) - since) % 100
    return date(of_hundred, month, int(day)).toordinal()


def is_part(parts: dict[str, str]) -> bool:
    """Whether these are the parts of a month, a quarter or a week of a year."""
    return not parts.keys().isdisjoint(_MONTHS) or ("y9" in parts and "d9" not in parts)


def _isoweekday(day: int) -> int:
    """1 to 7 of a day of the calendar."""
    return (day - 1) % 7 + 1


def _month(parts: dict[str, str]) -> tuple[str, int]:
    """Year and first month; raises ValueError or KeyError."""
    if "hour" in parts:
        raise ValueError("the time of a month")
    if "y4" in parts:
        return parts["y4"], int(parts["m4"])
    if "y5" in parts:
        return parts["y5"], month_of(parts["month5"])
    if "y10" in parts:
        return parts["y10"], int(parts["m6"])
    quarter = int(parts.get("q6") or parts["q7"])
    return parts.get("y6") or parts["y7"], 3 * quarter - 2


def _in_order(parts: dict[str, str], order: str | None) -> tuple[str, int, str]:
    """Year, month and day of a date of figures alone; raises ValueError."""
    first, second, third = parts["a"], parts["b"], parts["z"]
    if len(third) == 2 and parts["t"] != "/" and len(first + second) < 4:
        raise ValueError("a version such as 1.2.10")
    if order == "ymd" and len(first) == len(third) == 2:
        return first, int(second), third
    if order not in ("dmy", "mdy"):
        raise ValueError("the order is not known")
    day, month = (first, second) if order == "dmy" else (second, first)
    return third, int(month), day


def _time(parts: dict[str, str]) -> tuple[int, int | None]:
    """Ticks since midnight in Greenwich, and the zone's minutes; raises ValueError."""
    hour, minute = int(parts["hour"]), int(parts["minute"])
    second, fraction = int(parts.get("second", "0")), parts.get("fraction", "")
    if half := parts.get("half", "").strip().lower():
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no time of the day")
    ticks = ((hour * 60 + minute) * 60 + second) * _SECOND + int(fraction.ljust(6, "0")[:6])
    if "zone" not in parts:
        return ticks, None
    name = parts["zone"].strip()
    if (zone := ZONES.get(name)) is None:
        zone = int(name[0] + "1") * (int(name[1:3]) * 60 + int(name[-2:]))
        if abs(zone) > 14 * 60 or int(name[-2:]) > 59:
            raise ValueError(zone)
    return ticks - zone * 60 * _SECOND, zone


class DateFormat:
    """How the dates and times of a column are written.

    Parameters
    ----------
    pattern : str
        Such as "yyyy-MM-ddTHH:mm:ss", "d.M.yyyy", "MM/dd/yyyy h:mm A" or "yyyy'Q'Q": two letters
        where a figure has a 0 before it, Q for a quarter of a year, YYYY, ww and u for the year of
        a week, the week and its day, EEE for a weekday, do for 1st, de for 1er, S for parts of a
        second, a, A, b or B for am, AM, a.m. or A.M., XXX for +01:00.
    origin : str
        The day, as ISO 8601 has it, from which days are counted.
    zone : int, optional
        Minutes from Greenwich that times are written at; None where the column has no zones.
    since : int
        The first of the hundred years that two figures stand for.
    names : sequence of 12 str, optional
        The months' names, in English by default.
    other : "dmy" or "mdy", optional
        The order of dates of figures that stand among those that begin with the year.
    weekdays : sequence of 7 str, optional
        The weekdays' names, Monday first, in English by default.
    """

    def __init__(
        self,
        pattern: str,
        origin: str = "1970-01-01",
        zone: int | None = None,
        since: int = SINCE,
        names: Sequence[str] | None = None,
        other: str | None = None,
        weekdays: Sequence[str] | None = None,
    ) -> None:
        self.pattern, self.origin, self.zone, self.since = pattern, origin, zone, since
        self.other = other
        self.names = _default_names(pattern) if names is None else tuple(names)
        self.weekdays = _default_weekdays(pattern) if weekdays is None else tuple(weekdays)
        self._tokens = _TOKEN.findall(pattern)
        letters = "".join(token[0] for token in self._tokens if token[0] != "'")
        self.order = re.sub("[^dmy]", "", re.sub("m", "", letters).replace("Q", "m").lower())
        self.has_date, self.has_time = "y" in letters.lower(), "m" in letters
        self._start = date.fromisoformat(origin).toordinal() if self.has_date else 0
        fraction = next((len(token) for token in self._tokens if token[0] == "S"), 0)
        self._step = 10 ** max(0, 6 - fraction) if fraction else _SECOND * (
            1 if "s" in letters else 60 if self.has_time else 86_400
        )  # fmt: skip
        first, last = (since, since + 99) if "yy" in self._tokens else (1, 9999)
        self._first, self._last = date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal()
        orders = (*ORDERS, *_OF_PARTS)
        whole = self.order != "y" or "ww" in self._tokens
        named = whole and len(self.names) == 12 and len(self.weekdays) == 7
        if not (self.order in orders if self.has_date else self.has_time) or not named:
            raise ValueError(f"no date is written as {pattern!r:.60}")
        if other not in (None, "dmy", "mdy"):
            raise ValueError(f"no date is written in the order {other!r:.20}")
        if len(pattern) > LONGEST or fraction > 9 or type(zone) not in (int, type(None)):
            raise ValueError(f"no date is written as {pattern!r:.60} in the zone {zone!r:.20}")
        self._zone = None if zone is None else timezone(timedelta(minutes=zone))

    @property
    def config(self) -> dict[str, Any]:
        """What it is rebuilt from."""
        config: dict[str, Any] = {"pattern": self.pattern, "origin": self.origin}
        if self.zone is not None:
            config["zone"] = self.zone
        if self.since != SINCE:
            config["since"] = self.since
        if self.names != _default_names(self.pattern):
            config["names"] = list(self.names)
        if self.other is not None:
            config["other"] = self.other
        if self.weekdays != _default_weekdays(self.pattern):
            config["weekdays"] = list(self.weekdays)
        return config

    def parse(self, text: str) -> float:
        """Days since the origin, of a time alone since midnight; raises ValueError.

        A date may also have its year first, in four figures, and lack the time. So may the first
        day of a month, a quarter or a week, as workbooks have them.
        """
        order = self.other if "yyyy" in self._tokens and self.order == "ymd" else self.order
        read = reading(text, order, self.since)
        if read is None or (read.day is None) == self.has_date:
            raise ValueError(text)
        if self.order in _OF_PARTS and "y" in read.parts and "hour" not in read.parts:
            number = float((read.day or 0) - self._start)
            if self.parse(self.write(number)) != number:
                raise ValueError(text)
            return number
        is_day_of_week = "u" in self._tokens
        if is_part(read.parts) != (self.order in _OF_PARTS and not is_day_of_week):
            raise ValueError(text)
        if ("y9" in read.parts) != ("ww" in self._tokens):
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
        least, end = (self._first * _DAY, (self._last + 1) * _DAY) if self.has_date else (0, _DAY)
        days, rest = divmod(min(max(ticks, least), end - self._step), _DAY)
        moment = datetime.fromordinal(max(days, _FIRST)) + timedelta(microseconds=rest)
        moment = moment.replace(tzinfo=self._zone)
        if not self.has_time:
            return moment.date()
        return moment if self.has_date else moment.timetz()

    def write(self, number: float) -> str:
        """The text of a number of days."""
        moment = self.moment(number)
        return "".join(self._part(token, moment) for token in self._tokens)

    def _part(self, token: str, moment: Any) -> str:
        if token in _NAMED:
            return self.names[moment.month - 1]
        if token[:3] == "EEE":
            return self.weekdays[moment.isoweekday() - 1]
        if token in _WRITERS:
            return _WRITERS[token](moment)
        if token[0] == "S":
            return f"{moment.microsecond:06d}"[: len(token)].ljust(len(token), "0")
        return token.strip("'")


def _default_names(pattern: str) -> tuple[str, ...]:
    return MONTHS[0] if "MMMM" in pattern else tuple(name[:3] for name in MONTHS[0])


def _default_weekdays(pattern: str) -> tuple[str, ...]:
    return WEEKDAYS[0] if "EEEE" in pattern else tuple(name[:3] for name in WEEKDAYS[0])


def _nth(day: int) -> str:
    """1st, 2nd, 3rd, 4th, ..."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{day}{'th' if day in (11, 12, 13) else ends.get(day % 10, 'th')}"


def _offset(moment: Any, colon: str) -> str:
    minutes = int(moment.utcoffset().total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{colon}{abs(minutes) % 60:02d}"


def _half(moment: Any) -> str:
    return "am" if moment.hour < 12 else "pm"


_NAMED = ("MMM", "MMMM")
_WRITERS: dict[str, Callable[[Any], str]] = {
    "yyyy": lambda m: f"{m.year:04d}",
    "yy": lambda m: f"{m.year % 100:02d}",
    "MM": lambda m: f"{m.month:02d}",
    "M": lambda m: str(m.month),
    "Q": lambda m: str((m.month + 2) // 3),
    "YYYY": lambda m: f"{m.isocalendar()[0]:04d}",
    "ww": lambda m: f"{m.isocalendar()[1]:02d}",
    "u": lambda m: str(m.isoweekday()),
    "do": lambda m: _nth(m.day),
    "de": lambda m: "1er" if m.day == 1 else str(m.day),
    "dd": lambda m: f"{m.day:02d}",
    "d": lambda m: str(m.day),
    "HH": lambda m: f"{m.hour:02d}",
    "H": lambda m: str(m.hour),
    "hh": lambda m: f"{(m.hour - 1) % 12 + 1:02d}",
    "h": lambda m: str((m.hour - 1) % 12 + 1),
    "mm": lambda m: f"{m.minute:02d}",
    "ss": lambda m: f"{m.second:02d}",
    "a": _half,
    "A": lambda m: _half(m).upper(),
    "b": lambda m: f"{_half(m)[0]}.m.",
    "B": lambda m: f"{_half(m)[0].upper()}.M.",
    "XXX": lambda m: _offset(m, ":"),
    "XX": lambda m: _offset(m, ""),
}
