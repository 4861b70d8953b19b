"""Durations as text, such as 36:15:00, 1 day 02:00:00, 2h 30m and PT36H15M, and how many days.

Nothing is said here of months and years, which are not of one length.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from .numbers import LONGEST, Ambiguous

_WORDS = {
    "w": "w wk wks week weeks woche wochen semaine semaines semana semanas settimana settimane",
    "d": "d day days tag tage tagen jour jours j día días dia dias giorno giorni dag dagen",
    "h": "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur uren",
    "m": "m min mins minute minutes minuten minuto minutos minuti minuut",
    "s": "s sec secs second seconds sek sekunde sekunden seconde secondes segundo segundos secondi "
         "seconden",
}  # fmt: skip
"""The units' names, without the point that they may have behind them."""
_TICKS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000,
          "s": 1_000_000}  # fmt: skip
"""Microseconds of a unit."""
_DAY = _TICKS["d"]
_MOST = _DAY * 999_999_999
_HOURS = 24
"""So many are no time of the day."""
READINGS = {"hm": "hours and minutes", "ms": "minutes and seconds"}
"""What 36:15 can be, by its name in the kinds duration:hm and duration:ms."""


def _named(unit: str, figures: str = "[0-9]{1,9}") -> str:
    words = "|".join(sorted(_WORDS[unit].split(), key=len, reverse=True))
    return (
        rf"(?:(?P<{unit}>{figures})(?P<{unit}_word>\ ?(?:{words})\.?)"
        rf"(?P<{unit}_gap>(?:,?\ (?:and\ |und\ |et\ |y\ |e\ |en\ )?)?))?"
    )


_WORDED = re.compile(
    "(?P<sign>[-−+]?)" + "".join(map(_named, "wdhm")) + _named("s", "[0-9]{1,9}(?:[.,][0-9]+)?"),
    re.VERBOSE | re.IGNORECASE,
)
_ISO = re.compile(
    r"(?P<sign>[-−+]?)P(?=[0-9T])(?:(?P<w>[0-9]{1,9})(?P<w_word>W))?(?:(?P<d>[0-9]{1,9})(?P<d_word>D))?"
    r"(?:T(?=[0-9])(?:(?P<h>[0-9]{1,9})(?P<h_word>H))?(?:(?P<m>[0-9]{1,9})(?P<m_word>M))?"
    r"(?:(?P<s>[0-9]{1,9}(?:[.,][0-9]+)?)(?P<s_word>S))?)?"
)
_CLOCK = re.compile(
    rf"""(?P<sign>[-−+]?)
    (?:(?P<d>[0-9]{{1,9}})(?:(?P<d_word>\ ?(?:{_WORDS["d"].replace(" ", "|")}))(?P<d_gap>,?\ |$)
       |(?P<bare>[\ .])(?=[0-9]{{2}}:[0-9]{{2}}:))(?P<rest>[-+]?))?
    (?:(?P<h>[0-9]{{1,7}})(?P<mark>[:h])(?P<m>[0-9]{{2}})
       (?::(?P<s>[0-9]{{2}}))?(?:(?P<point>[.,])(?P<fraction>[0-9]{{1,9}}))?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_PIECE = re.compile(r"(w|dd?|HH?|mm?|ss?)(?:([.,])(S+))?((?:'[^']*'|[^A-Za-z'])*)")


class Piece(NamedTuple):
    """A number of one unit, and what stands behind it: its name, and a gap before the next."""

    unit: str
    figures: str
    word: str
    gap: str


class Length(NamedTuple):
    """What a text says: microseconds, and how it says them.

    `style` is "clock", "words" or "iso", `rest` the sign between days and time.
    """

    ticks: int
    style: str
    sign: str
    rest: str
    pieces: tuple[Piece, ...]


def length(text: str, two: str = "hm") -> Length | None:
    """What a text says if it is a duration; None of another.

    `two` says what two figures with a colon are, of `READINGS`.
    """
    if not 1 < len(text) <= LONGEST:
        return None
    if (match := _CLOCK.fullmatch(text)) and (match["h"] or match["d_word"]):
        style, pieces, rest = "clock", _on_clock(match, two), match["rest"] or ""
    elif match := _WORDED.fullmatch(text):
        style, pieces, rest = "words", _in_words(match), ""
    elif match := _ISO.fullmatch(text):
        style, pieces, rest = "iso", _in_words(match), ""
    else:
        return None
    if not pieces or (style == "clock" and not _fit(pieces)):
        return None
    ticks = [_TICKS[p.unit] * int(p.figures.replace(",", ".").partition(".")[0]) for p in pieces]
    after = pieces[-1].figures.replace(",", ".").partition(".")[2]
    ticks[-1] += int(after.ljust(6, "0")[:6]) if pieces[-1].unit == "s" else 0
    sign = "-" if match["sign"] in ("-", "−") else match["sign"]
    whole, parts = (ticks[0], sum(ticks[1:])) if pieces[0].unit == "d" else (0, sum(ticks))
    floors = rest == "+" or "," in pieces[0].gap
    signs = (sign == "-", rest == "-" or (sign == "-" and not floors))
    total = whole * (-1 if signs[0] else 1) + parts * (-1 if signs[1] else 1)
    return Length(total, style, sign, rest, pieces) if abs(total) <= _MOST else None


def _on_clock(match: re.Match[str], two: str) -> tuple[Piece, ...]:
    pieces = []
    if match["d"]:
        gap = match["d_gap"] or match["bare"] or ""
        pieces.append(Piece("d", match["d"], match["d_word"] or "", gap))
    if match["h"]:
        mark, fraction = match["mark"], match["point"] + match["fraction"] if match["point"] else ""
        figures = [match["h"], match["m"], match["s"]] if match["s"] else [match["h"], match["m"]]
        units = "hms" if match["s"] else "ms" if (fraction or two == "ms") and mark == ":" else "hm"
        figures[-1] += fraction
        gaps = [*[mark, ":"][: len(units) - 1], ""]
        pieces += [Piece(u, f, "", gap) for u, f, gap in zip(units, figures, gaps, strict=True)]
    return tuple(pieces)


def _in_words(match: re.Match[str]) -> tuple[Piece, ...]:
    found = match.groupdict()
    return tuple(
        Piece(unit, found[unit], found[f"{unit}_word"], found.get(f"{unit}_gap") or "")
        for unit in _TICKS
        if found[unit] is not None
    )


def _fit(pieces: Sequence[Piece]) -> bool:
    """Whether minutes and seconds of a clock are below 60, and no part of an hour is written."""
    later = [piece for i, piece in enumerate(pieces) if i and piece.unit in "ms"]
    whole = all(piece.figures.isdigit() for piece in pieces if piece.unit != "s")
    return whole and all(float(p.figures.replace(",", ".")) < 60 for p in later)


class DurationFormat:
    """How the durations of a column are written: `is_clock` where colons part the units.

    Parameters
    ----------
    pattern : str
        Such as "H:mm:ss", "d' days 'HH:mm:ss", "H'h 'm'm'" or "'P'd'D'H'H'm'M's'S'": two letters
        where a figure has a 0 before it, S for parts of a second, + before all where it is written,
        and of "'day|days '" the first word behind 1.
    short : str
        The units, of "wdhms", that are left out where they are 0: of a clock those before others.
    negative : str
        How minus is written: "-"; "--", again before the time; or "+" and ",", of which the day is
        that before, and the time counts from there, as in "-1 days +22:30:00".
    """

    def __init__(self, pattern: str, short: str = "", negative: str = "-") -> None:
        self.pattern, self.short, self.negative = pattern, short, negative
        start = re.match(r"\+?(?:'[^']*')?", pattern)
        self._plus = "+" if pattern[:1] == "+" else ""
        self._before = start[0].strip("'+") if start else ""
        found = list(_PIECE.finditer(pattern, start.end() if start else 0))
        joined = (start[0] if start else "") + "".join(match[0] for match in found)
        self._pieces = [(m[1], m[2] or "", len(m[3] or ""), _read(m[4])) for m in found]
        self._units = "".join(match[1][0].lower() for match in found)
        order = [unit for unit in _TICKS if unit in self._units]
        if joined != pattern or not found or list(self._units) != order or len(pattern) > LONGEST:
            raise ValueError(f"no duration is written as {pattern!r:.60}")
        if any(m[3] and m[1][0] != "s" for m in found) or self._pieces[-1][2] > 9:
            raise ValueError(f"no duration is written as {pattern!r:.60}")
        floors = negative in ("+", ",")
        if set(short) - set(self._units) or negative not in ("-", "--", "+", ","):
            raise ValueError(f"no duration is written as {pattern!r:.60}, {short!r}, {negative!r}")
        if floors and self._units[0] != "d":
            raise ValueError(f"no duration is written as {pattern!r:.60}, {short!r}, {negative!r}")
        self.is_clock = ":" in pattern
        self._step = max(1, _TICKS[self._units[-1]] // 10 ** self._pieces[-1][2])

    @property
    def config(self) -> dict[str, Any]:
        """What it is rebuilt from."""
        config = {"pattern": self.pattern, "short": self.short, "negative": self.negative}
        default = {"short": "", "negative": "-"}
        return {name: value for name, value in config.items() if default.get(name) != value}

    def parse(self, text: str) -> float:
        """Days; raises ValueError."""
        found = length(text, "ms" if "h" not in self._units or "h" in self.short else "hm")
        if found is None:
            raise ValueError(text)
        return found.ticks / _DAY

    def moment(self, number: float) -> timedelta:
        """What a number of days stands for, to the last figure of the pattern."""
        return timedelta(microseconds=self._ticks(number))

    def write(self, number: float) -> str:
        """The text of a number of days."""
        ticks, sign, later = self._ticks(number), self._plus, ""
        if ticks < 0 and self.negative in ("+", ","):
            sign, later = "", "+" if self.negative == "+" else ""
        elif ticks < 0:
            ticks, sign, later = -ticks, "-", "-" if self.negative == "--" else ""
        counts = []
        for unit in self._units:
            size = 1 if unit == self._units[-1] and unit == "s" else _TICKS[unit]
            count, ticks = divmod(ticks, size)
            counts.append(count)
        written = self._written(counts, later)
        return sign + self._before + written.rstrip(", ")

    def _ticks(self, number: float) -> int:
        return round(min(max(number * _DAY, -_MOST), _MOST) / self._step) * self._step

    def _written(self, counts: Sequence[int], later: str) -> str:
        texts: list[str] = []
        for i, (unit, count) in enumerate(zip(self._units, counts, strict=True)):
            if not count and self._is_left_out(i, bool(texts)):
                continue
            mark = later if texts and self._units[i - 1] == "d" else ""
            if self._before == "P" and unit in "hms" and not any("T" in text for text in texts):
                mark = "T"
            texts.append(mark + self._part(i, count, bool(texts)))
        return "".join(texts)

    def _is_left_out(self, i: int, follows: bool) -> bool:
        """Whether a part that is 0 is not written."""
        is_only = i == len(self._pieces) - 1 and not follows
        return self._units[i] in self.short and not is_only and not (self.is_clock and follows)

    def _part(self, i: int, count: int, follows: bool) -> str:
        token, point, digits, behind = self._pieces[i]
        fraction = ""
        if token[0] == "s":
            count, rest = divmod(count, _TICKS["s"])
            fraction = point + f"{rest:06d}"[:digits].ljust(digits, "0") if digits else ""
            if digits and not self.is_clock:
                fraction = fraction.rstrip("0").rstrip(point)
        pads = len(token) == 2 or (self.is_clock and follows and token[0] in "ms")
        one, _, many = behind.partition("|")
        return (
            f"{count:0{2 if pads else 1}d}{fraction}{one if abs(count) == 1 or not many else many}"
        )


def _read(behind: str) -> str:
    """What a pattern has behind a unit's letters, without the quotes."""
    return behind.replace("'", "")


def durations_as(texts: Iterable[str], two: str | None = None) -> DurationFormat:
    """The format that most of a column's different texts have.

    Parameters
    ----------
    texts : iterable of str
    two : "hm" or "ms", optional
        What two figures with a colon are, where it is known.

    Raises
    ------
    Ambiguous
        If they can be hours and minutes, or minutes and seconds.
    ValueError
        If none is a duration.
    """
    texts = list(texts)
    found = [one for text in texts if (one := length(text))]
    if not found:
        raise ValueError("no durations")
    two = two or _two(found)
    found = [one for text in texts if (one := length(text, two))]
    style = Counter(one.style for one in found).most_common(1)[0][0]
    found = [one for one in found if one.style == style]
    pieces = [piece for one in found for piece in one.pieces]
    units = [unit for unit in _TICKS if any(piece.unit == unit for piece in pieces)]
    some = [[piece.unit for piece in one.pieces] for one in found]
    if style == "clock":  # seconds that are 0 are written where others are
        some = [units[units.index(own[0]) :] for own in some]
    short = "".join(unit for unit in units if any(unit not in own for own in some))
    pattern = "+" if any(one.sign == "+" for one in found) else ""
    pattern += "'P'" if style == "iso" else ""
    for i, unit in enumerate(units):
        of_unit = [piece for piece in pieces if piece.unit == unit]
        pattern += _token(unit, of_unit, style) + _behind(of_unit, i == len(units) - 1)
    return DurationFormat(pattern, short, _negative(found))


def certain(texts: Iterable[str]) -> bool:
    """Whether some of these texts are durations and nothing else, as no time of the day is."""
    found = [one for text in texts if (one := length(text))]
    clocks = [one for one in found if one.style == "clock"]
    parts = {len(one.pieces) for one in clocks}
    return any(
        one.style == "iso"
        or (one.style == "words" and (len(one.pieces) > 1 or len(one.pieces[0].word.strip()) > 3))
        or (one.style == "clock" and _is_certain(one, parts == {2}))
        for one in found
    )


def _is_certain(clock: Length, two: bool) -> bool:
    first, last = clock.pieces[0], clock.pieces[-1]
    if clock.sign == "-" or first.unit == "d" or first.gap.lower() == "h":
        return True
    return not last.figures.isdigit() or (not two and int(first.figures) >= _HOURS)


def _two(found: Iterable[Length]) -> str:
    """What two figures with a colon are; raises Ambiguous."""
    clocks = [one.pieces for one in found if one.style == "clock" and len(one.pieces) > 1]
    pairs = [pieces for pieces in clocks if [p.unit for p in pieces] == ["h", "m"]]
    pairs = [pieces for pieces in pairs if pieces[0].gap == ":"]
    if not pairs:
        return "hm"
    if len(pairs) == len(clocks):
        raise Ambiguous(*READINGS)
    return "ms" if max(int(pieces[0].figures) for pieces in pairs) < 60 else "hm"


def _token(unit: str, pieces: Sequence[Piece], style: str) -> str:
    """The letters of a unit: two where its figures have a 0 before them, and S behind a mark."""
    wholes, fractions = zip(*(_parted(piece.figures) for piece in pieces), strict=True)
    letter = "H" if unit == "h" else unit
    pads = (style == "clock" and unit != "d") or any(len(w) > 1 and w[0] == "0" for w in wholes)
    token = 2 * letter if pads and unit != "w" and min(map(len, wholes)) > 1 else letter
    longest = max(fractions, key=len)
    return token + longest[:1] + "S" * (len(longest) - 1)


def _parted(figures: str) -> tuple[str, str]:
    whole = re.match("[0-9]+", figures)
    return (whole[0], figures[whole.end() :]) if whole else ("", "")


def _behind(pieces: Sequence[Piece], last: bool) -> str:
    """The words behind a unit's figures and the gap, as a pattern has them."""
    gaps = Counter(piece.gap for piece in pieces if piece.gap)
    gap = gaps.most_common(1)[0][0] if gaps and not last else ""
    words = Counter(piece.word for piece in pieces)
    many = Counter(p.word for p in pieces if int(_parted(p.figures)[0]) != 1) or words
    one = Counter(p.word for p in pieces if int(_parted(p.figures)[0]) == 1) or many
    one_text, text = (count.most_common(1)[0][0] + gap for count in (one, many))
    text = text if one_text == text else f"{one_text}|{text}"
    return f"'{text}'" if any(map(str.isalpha, text)) else text


def _negative(found: Sequence[Length]) -> str:
    signs: Counter[str] = Counter()
    for one in found:
        if one.sign == "-":
            floors = "," if "," in one.pieces[0].gap else "-"
            signs[{"+": "+", "-": "--"}.get(one.rest, floors)] += 1
    return signs.most_common(1)[0][0] if signs else "-"
