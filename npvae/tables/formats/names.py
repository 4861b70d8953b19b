"""Words in dates: the months' names in some languages, and the zones' short names."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import combining, normalize

_LANGUAGES = """
January February March April May June July August September October November December
Januar Februar März April Mai Juni Juli August September Oktober November Dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
januari februari maart april mei juni juli augustus september oktober november december
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
"""
MONTHS = tuple(tuple(line.split()) for line in _LANGUAGES.split("\n") if line)
"""The months' names by language, English first."""
_SHORT = {"janvier": 4, "février": 4, "juin": 4, "juillet": 5, "août": 4}
"""Letters that some names are cut off to."""
_FEWEST = 3
"""Letters that others are."""
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "MEZ": 60, "CEST": 120,
    "MESZ": 120, "EET": 120, "EEST": 180, "MSK": 180, "JST": 540, "EST": -300, "EDT": -240,
    "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
}  # fmt: skip
"""Minutes from Greenwich: Europe's zones, Japan's, and those of RFC 822."""


def month_of(name: str) -> int:
    """The month that a name, whole or cut off, is of; raises KeyError."""
    return _MONTH_OF[_key(name)]


def names_like(seen: Iterable[str], short: bool) -> tuple[str, ...]:
    """The names of all months, of which some are seen in a column, in its language and spelling."""
    known = {month_of(name): name for name in seen}
    language = max(MONTHS, key=lambda names: sum(_likeness(known[i], names[i - 1]) for i in known))
    words = list(known.values())
    spelt = next(
        (case for case in (str.upper, str.lower) if all(case(w) == w for w in words)),
        str.capitalize,
    )
    dot = "." if any(word.endswith(".") for word in words) else ""
    names = []
    for i, whole in enumerate(language, 1):
        cut = whole[: _SHORT.get(whole, _FEWEST)] if short else whole
        names.append(known.get(i) or spelt(cut) + (dot if cut != whole else ""))
    return tuple(names)


def _likeness(name: str, whole: str) -> int:
    """2 where a name is the beginning of another, 1 where it is without accents."""
    start = name.removesuffix(".").casefold()
    return whole.casefold().startswith(start) + _key(whole).startswith(_key(name))


def _key(name: str) -> str:
    """A name without capitals, accents and a point at its end."""
    parts = normalize("NFD", name.removesuffix(".").casefold())
    return "".join(char for char in parts if not combining(char))


def _month_of() -> dict[str, int]:
    """The month of each beginning of a name that is of one month alone."""
    found: dict[str, set[int]] = {"mrz": {3}, "mrt": {3}}
    for language in MONTHS:
        for i, name in enumerate(map(_key, language), 1):
            for n in range(_FEWEST, len(name) + 1):
                found.setdefault(name[:n], set()).add(i)
    return {name: months.pop() for name, months in found.items() if len(months) == 1}


_MONTH_OF = _month_of()
