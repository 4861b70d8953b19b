"""How numbers are written: marks, currency, percent, signs, exponents, magnitudes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import category

from .limits import Limit, limit_from, same_text
from .magnitudes import (
    METRES,
    Magnitude,
    figures_of,
    magnitudes_from,
    magnitudes_of,
    power_of,
    suffix_of,
)

BLANKS = " \u00a0\u202f\u2009"
APOSTROPHES = "'’"
_CODES = """
    AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MAD
    MXN MYR NGN NOK NZD PEN PHP PKR PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR
    US$ A$ C$ CA$ AU$ NZ$ HK$ S$ R$ kr kr. Kr zł Kč Ft lei 円 元 원 Rs Rs. Fr. SFr. Rp RM TL
"""
CURRENCIES = frozenset(_CODES.split())
PERCENT = frozenset("%‰")
_UNIT_SIGNS = """
    kg g mg µg μg ng lb lbs oz t km m cm mm µm μm nm mi ft yd l ml dl cl °C °F ° h min ms kWh MWh kW
    MW mV Hz kHz MHz GHz bar mbar Pa hPa kPa mmHg bpm rpm km/h mph m/s mg/dl mg/dL g/dl g/dL g/l g/L
    mg/l mg/L mmol/l mmol/L µmol/l µmol/L U/l U/L ppm m² km² m³ ha kcal kJ kB KB MB GB TB dB px pt
"""
UNITS = frozenset(_UNIT_SIGNS.split())
"""Signs of units that no other signs are likely to be."""
_PIECES = "day week month mo year yr hr hour unit pc Stk Tag"
_PER = UNITS | set(_PIECES.split())
LONGEST = 64
"""Characters of a text that is no prose."""
_MINUS = "-−–"
_SIGNS = "+" + _MINUS
_NUMBER = re.compile(
    rf"(?P<head>(?:[^0-9.,]|(?<=[A-Za-z])\.)*)(?P<body>[0-9](?:[0-9.,{BLANKS}{APOSTROPHES}]*[0-9])?|[.,][0-9]+)"
    r"(?P<exponent>[eE][+-]?[0-9]{1,3})?(?P<tail>[^0-9]*)"
)
_POWER = re.compile("([eE][+]?0{1,3})?")
_LAKH = re.compile(r"[0-9]{1,2}[^0-9][0-9]{2}[^0-9][0-9]")


class Ambiguous(ValueError):
    """Cells that can be read in two ways; the texts of the two options that say which."""


class Parts(NamedTuple):
    """The pieces of a number's text, which put together are the text."""

    head: str
    body: str
    exponent: str
    suffix: str
    tail: str


def parts_of(text: str) -> Parts | None:
    """The pieces of a text that can be a number; None of another."""
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    head, tail, exponent = match["head"], match["tail"], match["exponent"] or ""
    suffix = "" if exponent else _suffix(head, tail)
    if surroundings(head, tail[len(suffix) :]) is None:
        return None
    if match["body"].isdigit() and not set(tail).isdisjoint(_MINUS):
        return None  # 2- is a mark, 2.50- money
    return Parts(head, match["body"], exponent, suffix, tail[len(suffix) :])


def _suffix(head: str, tail: str) -> str:
    """The magnitude at the beginning of a tail, if no unit is meant, or ""."""
    suffix = suffix_of(tail)
    unit = (surroundings(head, tail[len(suffix) :]) or Surroundings("", "")).unit
    is_money = unit not in UNITS and unit not in PERCENT and unit != ""
    if suffix == METRES and is_money:
        return suffix
    return suffix if (is_money or not unit) and surroundings(head, tail) is None else ""


def unit_of(parts: Parts) -> str:
    """The currency, unit or percent sign, or ""."""
    return (surroundings(parts.head, parts.tail) or Surroundings("", "")).unit


class Surroundings(NamedTuple):
    """What stands around a number's figures: the sign, "" without one, and the unit."""

    sign: str
    unit: str


@lru_cache(1 << 10)
def surroundings(head: str, tail: str) -> Surroundings | None:
    """What head and tail mean; None if they belong to no number."""
    before, after = head.strip(), tail.strip()
    negative = "(" in before[:1] + before[-1:] and ")" in after[:1] + after[-1:]
    if negative:  # (5 €), and $(5) too
        before, after = before.replace("(", "", 1).strip(), after.replace(")", "", 1).strip()
    signs = [char for char in before if char in _SIGNS]
    signs += [char for char in after if char in _MINUS]
    before, after = before.strip(_SIGNS + BLANKS), after.strip(_MINUS + BLANKS)
    is_rate = before and after.startswith("/")  # $20/h
    unit = before + after if is_rate else before or after
    if (
        len(signs) + negative > 1
        or (before and after and not is_rate)
        or (unit and not _is_unit(unit))
    ):
        return None
    if head[-1:].isalpha() or before in UNITS:  # TL1 is a code, TL 1 is money
        return None
    sign = "-" if negative else signs[0] if signs else ""
    return Surroundings("-" if sign and sign in _MINUS else sign, unit)


def _is_unit(text: str) -> bool:
    if text in PERCENT or text in CURRENCIES or text in UNITS:
        return True
    if "/" in text:
        what, per = text.split("/", 1)
        return per in _PER and "/" not in what and _is_unit(what)
    return len(text) == 1 and category(text) == "Sc"


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : str
        The decimal mark.
    group : str
        What parts thousands, or "".
    positive, negative : str
        How a number is written, {} being the figures: "-{}", "({} €)".
    exponent : str
        That of scientific notation, as 0 has it: "E+00"; or "".
    lakh : bool
        Whether thousands are parted by two figures: 12,34,567.
    magnitudes : tuple of Magnitude
        Those of which the numbers are, from the least on, where they are: 870, 12k, 3.4M.
    low, high : Limit, optional
        What stands for all numbers below or above the others: <0.5, >100.
    """

    decimal: str = "."
    group: str = ""
    positive: str = "{}"
    negative: str = "-{}"
    exponent: str = ""
    lakh: bool = False
    magnitudes: tuple[Magnitude, ...] = ()
    low: Limit | None = None
    high: Limit | None = None

    def parse(self, text: str) -> float:
        """The number that a text stands for; raises ValueError.

        A sign and a currency may stand elsewhere, or not at all; the marks may not.
        """
        for limit in (self.low, self.high):
            if limit and same_text(text) == same_text(limit.text):
                return limit.number
        pieces = parts_of(text)
        if pieces is None:
            raise ValueError(text)
        sign, unit = surroundings(pieces.head, pieces.tail) or ("", "")
        if unit != self.unit and (unit or self.unit in PERCENT):
            raise ValueError(text)
        if not _figures(self.decimal, self.group).fullmatch(pieces.body):
            raise ValueError(text)
        powers = [one.power for one in self.magnitudes] or [0]
        if power_of(pieces.suffix) not in powers:
            raise ValueError(text)
        number = float(self.plain(text))
        return -number if sign == "-" else number

    def write(self, number: float, decimals: int | None) -> str:
        """The text of a number, with so many decimals, or as many as it takes."""
        half = 0.0 if decimals is None else 0.5 * 10.0**-decimals
        if self.low and number <= self.low.number + half:
            return self.low.text
        if self.high and number >= self.high.number - half:
            return self.high.text
        size, exponent = abs(number), ""
        if self.magnitudes:
            figures, magnitude = figures_of(size, self.magnitudes)
            exponent = magnitude.suffix
        elif self.exponent and decimals is not None:
            figures, _, power = f"{size:.{decimals}e}".partition("e")
            exponent = self._power(int(power))
        else:
            figures = repr(size) if decimals is None else f"{size:,.{decimals}f}"
            figures = _by_two(figures) if self.lakh else figures
        template = self.negative if number < 0 and _is_nonzero(figures) else self.positive
        if not _is_nonzero(figures):
            template = template.replace("+", "")
        marks = str.maketrans({",": self.group, ".": self.decimal})
        figures = figures.translate(marks) + exponent
        return template.replace("{}", figures)

    def decimals(self, text: str) -> int:
        """How many figures stand after the decimal mark."""
        if self is PLAIN:
            return len(text.partition(".")[2])
        pieces = parts_of(text)
        return len(pieces.body.partition(self.decimal)[2]) if pieces else 0

    def plain(self, text: str) -> str:
        """A text that `parse` takes, as Python writes it: without unit and sign."""
        pieces = parts_of(text)
        if pieces is None:
            return text
        power = power_of(pieces.suffix)
        return self._plain(pieces.body) + (f"e{power}" if power else pieces.exponent)

    def nearest(self, number: float) -> float:
        """The number that stands there when a number is written in its magnitude."""
        figures, magnitude = figures_of(abs(number), self.magnitudes)
        return math.copysign(float(f"{figures.replace(',', '')}e{magnitude.power}"), number)

    @property
    def unit(self) -> str:
        """The currency, unit or percent sign, or ""."""
        head, _, tail = self.positive.partition("{}")
        return (surroundings(head, tail) or Surroundings("", "")).unit

    @property
    def config(self) -> dict[str, Any]:
        """The attributes that differ from those of a plain number."""
        default = {f.name: f.default for f in fields(self)}
        config = {name: value for name, value in asdict(self).items() if value != default[name]}
        for name in ("low", "high"):
            if name in config:
                config[name] = list(config[name])
        if self.magnitudes:
            config["magnitudes"] = [list(magnitude) for magnitude in self.magnitudes]
        return config

    def _plain(self, body: str) -> str:
        if self.group:
            for mark in _alike(self.group):
                body = body.replace(mark, "")
        return body.replace(self.decimal, ".")

    def _power(self, power: int) -> str:
        letter, digits = self.exponent[0], self.exponent.lstrip("eE+")
        plus = "+" if "+" in self.exponent else ""
        return f"{letter}{'-' if power < 0 else plus}{abs(power):0{len(digits)}d}"


PLAIN = NumberFormat()


def number_format(config: dict[str, Any] | None) -> NumberFormat:
    """The format that a config describes; raises TypeError or ValueError."""
    if not config:
        return PLAIN
    magnitudes = magnitudes_from(config.get("magnitudes", ()))
    low, high = limit_from(config.get("low")), limit_from(config.get("high"))
    made = NumberFormat(**{**config, "magnitudes": magnitudes, "low": low, "high": high})
    marks = len(made.decimal) == 1 and len(made.group) <= 1 and made.decimal != made.group
    templates = all(
        t.count("{}") == 1 and len(t) <= LONGEST for t in (made.positive, made.negative)
    )
    if made.config != config or not (marks and templates and _POWER.fullmatch(made.exponent)):
        raise ValueError(f"no number is written as {made}")
    return made


def numbers_as(texts: Sequence[str], counts: Any, decimal: str | None = None) -> NumberFormat:
    """The format that most of a column's different texts have.

    Parameters
    ----------
    texts : sequence of str
    counts : (N,) int array
        In how many rows each is.
    decimal : "." or ",", optional
        The decimal mark, where it is known.

    Raises
    ------
    Ambiguous
        If commas can be decimal marks or part thousands: 94,075 is 94.075 or 94075.
    ValueError
        If none is a number.
    """
    found: list[tuple[Parts, Surroundings, int]] = []
    for text, count in zip(texts, counts, strict=True):
        if (parts := parts_of(text)) and (around := surroundings(parts.head, parts.tail)):
            found.append((parts, around, int(count)))
    units = Counter(around.unit for _, around, _ in found)
    unit = max(units, key=lambda unit: (unit != "" and unit not in PERCENT, units[unit]))
    found = [one for one in found if one[1].unit in ((unit,) if unit in PERCENT else (unit, ""))]
    bodies = [parts.body for parts, _, _ in found]
    point, group = _marks(bodies, decimal)
    templates = Counter[tuple[bool, str]]()
    for parts, around, count in found:
        templates[around.sign == "-", f"{parts.head}{{}}{parts.tail}"] += count * _is_nonzero(
            parts.body
        )
    lakh = bool(group) and any(_LAKH.match(body) for body in bodies)
    exponent = _exponent([parts for parts, _, _ in found], point)
    sizes = ((parts.suffix, len(parts.body.partition(point)[2])) for parts, _, _ in found)
    made = NumberFormat(point, group, *_templates(templates), exponent, lakh, magnitudes_of(sizes))
    return PLAIN if made == PLAIN else made


def _marks(bodies: Sequence[str], decimal: str | None) -> tuple[str, str]:
    """Decimal mark and group mark of most of these figures."""
    seen = set("".join(bodies)) - set("0123456789")
    fits: dict[tuple[str, str], int] = {}
    for point in [decimal] if decimal else [".", ","]:
        for group in _groups(seen, point):
            pattern = _figures(point, group)
            fits[point, group] = sum(pattern.fullmatch(body) is not None for body in bodies)
    most = max(fits.values())
    best = [marks for marks, n in fits.items() if n == most]
    if most and "," in seen and len({point for point, _ in best}) > 1:
        raise Ambiguous("decimal-comma", "decimal-point")
    point, group = best[0]
    marks = Counter(char for body in bodies for char in body if char in _alike(group))
    return point, marks.most_common(1)[0][0] if marks else ""


def _groups(seen: Iterable[str], point: str) -> list[str]:
    """The marks that can part thousands, none first; blanks are alike, and so are apostrophes."""
    return ["", *{_alike(mark)[0]: mark for mark in seen if mark != point}.values()]


def _alike(group: str) -> str:
    """The marks that mean the same."""
    return next((marks for marks in (BLANKS, APOSTROPHES) if group and group in marks), group)


@lru_cache(64)
def _figures(decimal: str, group: str) -> re.Pattern[str]:
    """The figures that numbers with these marks have; in India, 12,34,567 is a number."""
    whole, fraction = "0|[1-9][0-9]*", f"{re.escape(decimal)}[0-9]+"
    if group:
        mark = f"[{re.escape(_alike(group))}]"
        whole += f"|[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+"
        whole += f"|[1-9][0-9]?({mark}[0-9]{{2}})+{mark}[0-9]{{3}}"
    return re.compile(f"({whole})({fraction})?|{fraction}")


def _is_nonzero(figures: str) -> bool:
    return not set("123456789").isdisjoint(figures)


def _by_two(figures: str) -> str:
    """1,234,567.8 as 12,34,567.8."""
    whole, point, fraction = figures.replace(",", "").partition(".")
    thousands, rest = whole[:-3], whole[-3:]
    pairs = [thousands[max(0, end - 2) : end] for end in range(len(thousands), 0, -2)]
    return ",".join([*reversed(pairs), rest]) + point + fraction


def _templates(around: Counter[tuple[bool, str]]) -> tuple[str, str]:
    """How positive and negative numbers are written most often."""
    signs: dict[bool, str] = {}
    for (is_negative, template), _ in around.most_common():
        signs.setdefault(is_negative, template)
    positive = signs.get(False) or _without_sign(signs[True])
    return positive, signs.get(True) or "-" + positive.replace("+", "")


def _without_sign(negative: str) -> str:
    head, _, tail = negative.partition("{}")
    return f"{head.replace('(', '').strip(_MINUS)}{{}}{tail.replace(')', '').strip(_MINUS)}"


def _exponent(pieces: Sequence[Parts], decimal: str) -> str:
    """That of numbers which all are in scientific notation, with one figure before the mark."""
    found = Counter(parts.exponent for parts in pieces)
    if "" in found or any(len(p.body.partition(decimal)[0]) != 1 for p in pieces):
        return ""
    exponents = list(found)
    plus = "+" if any("+" in e for e in exponents) else ""
    digits = min(len(e.lstrip("eE+-")) for e in exponents)
    return exponents[0][0] + plus + "0" * digits
