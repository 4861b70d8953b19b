"""Words in dates: the names of months and weekdays in some languages, and zones' short names."""

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
januari februari mars april maj juni juli augusti september oktober november december
januar februar marts april maj juni juli august september oktober november december
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
ledna února března dubna května června července srpna září října listopadu prosince
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
"""
_WEEK = """
Monday Tuesday Wednesday Thursday Friday Saturday Sunday
Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
lundi mardi mercredi jeudi vendredi samedi dimanche
lunes martes miércoles jueves viernes sábado domingo
lunedì martedì mercoledì giovedì venerdì sabato domenica
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
segunda terça quarta quinta sexta sábado domingo
"""
MONTHS = tuple(tuple(line.split()) for line in _LANGUAGES.split("\n") if line)
"""The months' names by language, English first."""
WEEKDAYS = tuple(tuple(line.split()) for line in _WEEK.split("\n") if line)
"""The weekdays' names by language, Monday first."""
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


def weekdays_of(name: str) -> set[int]:
    """The weekdays, 1 to 7, that a name, whole or cut off, may be of."""
    return _WEEKDAYS_OF.get(_key(name), set())


def weekdays_like(known: dict[int, str]) -> tuple[str, ...]:
    """The names of all weekdays, of which some are known, in their language and spelling."""
    letters = max(len(name.removesuffix(".")) for name in known.values())
    return _names_like(known, WEEKDAYS, letters if letters <= _FEWEST else None)


def names_like(seen: Iterable[str], short: bool) -> tuple[str, ...]:
    """The names of all months, of which some are seen in a column, in its language and spelling."""
    return _names_like({month_of(name): name for name in seen}, MONTHS, _FEWEST if short else None)


def _names_like(
    known: dict[int, str], languages: tuple[tuple[str, ...], ...], letters: int | None
) -> tuple[str, ...]:
    """All names of the likeliest language, spelt and cut off as those that are known."""
    language = max(
        languages, key=lambda names: sum(_likeness(known[i], names[i - 1]) for i in known)
    )
    words = list(known.values())
    spelt = next(
        (case for case in (str.upper, str.lower) if all(case(w) == w for w in words)),
        str.capitalize,
    )
    dot = "." if any(word.endswith(".") for word in words) else ""
    names = []
    for i, whole in enumerate(language, 1):
        cut = whole[: _SHORT.get(whole, letters)] if letters else whole
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


def _places(languages: tuple[tuple[str, ...], ...], fewest: int) -> dict[str, set[int]]:
    """The places in which names stand that begin so."""
    found: dict[str, set[int]] = {}
    for language in languages:
        for i, name in enumerate(map(_key, language), 1):
            for n in range(fewest, len(name) + 1):
                found.setdefault(name[:n], set()).add(i)
    return found


_WEEKDAYS_OF = _places(WEEKDAYS, 2)
_MONTH_OF = {"mrz": 3, "mrt": 3} | {
    name: places.pop() for name, places in _places(MONTHS, _FEWEST).items() if len(places) == 1
}
