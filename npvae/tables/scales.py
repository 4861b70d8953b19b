"""Labels that have an order: common scales of answers and sizes, and ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from itertools import pairwise

from .answers import DEGREES, NEUTRAL, PLAINLY, POLES, SCALES

FEWEST, MOST = 3, 60
"""Two labels have the same likelihood with an order and without; and no scale has so many steps."""
LONGEST = 80
"""Characters of a label; longer ones are prose."""
_BELOW = re.compile(
    r"(?:<|≤|<=|under|below|up to|(?:less|fewer|younger) than|unter|bis|moins de)\s*([0-9.]+)"
)
_ABOVE = re.compile(
    r"(?:>|≥|>=|over|above|(?:more|older) than|über|ab|plus de)\s*([0-9.]+)|"
    r"([0-9.]+)\s*(?:\+|(?:and|or) (?:over|above|older|more)|und (?:älter|mehr)|et plus)"
)
_MONEY = re.compile(r"\s*[$€£¥]\s*")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}\b)")
_K = re.compile(r"(?<![0-9.])([0-9]+)k\b")
_YEARS = re.compile(r"(?:years?|yrs|jahren?|jahre|ans?)(?: old)?(?= or |$)")
_INTERVAL = re.compile(r"[\[(]\s*(-?[0-9.]+|-inf),\s*(-?[0-9.]+|inf)\s*[\])]")
_NUMBERED = re.compile(r"\(?([0-9])\s*(?:[-–=:.)]|\.\s)\s*(?=[^\W\d_])")
_NUMBER_BEHIND = re.compile(r"(?<=\S)\s*[-–=:]?\s*[(\[]\s*[+-]?[0-9]{1,2}\s*[)\]]$")
_BEGINS = re.compile(r"([0-9]{1,2})(?:\s*[-–=:.(]\s*\(?[^\W\d_].*)?", re.DOTALL)
_RANGE = re.compile(r"([0-9.]+)\s*(?:-|–|—|to|bis|à)\s*([0-9.]+)")
_GRADE = re.compile(
    r"((?:stage|grade|level|phase|tier|degree|step|rank|priority|severity|score|category|asa|nyha"
    r"|killip|ecog|bi ?rads|ckd|tanner|stadium|grad|stufe|pflegegrad|stade|niveau|nivel)"
    r"\s*)([ivx]+|[0-9]{1,2})([a-d]?)"
)
_ROMAN = {"i": 1, "v": 5, "x": 10}
_NEITHER = re.compile(r"(?:neither|ni|weder|né|nem|noch)\b.*\b(?:nor|ni|noch|né|nem)\b.*")
_CONSENT = re.compile(r"(?:ich )?(?:stimme|trifft)(?: dem)?(?: (.+?))??( nicht)? zu")
_MARKS = re.compile(r"(?<=\w)[\s_/,-]+(?=\w)|\s+|_")
_UNSAID = re.compile(r"[^\W\d_]{2,}|[a-zµ](?![a-z])|[°%²³]")
_ENGLISH = "under below up to less fewer younger than over above more older and or k inf no none"
_OTHERS = "unter bis über ab und älter mehr moins de plus et"
_LIMITS = frozenset(f"{_ENGLISH} {_OTHERS}".split())


def order_of(labels: Iterable[str]) -> list[str] | None:
    """Labels in their order; None if they have none that is known.

    They are of one of `SCALES`; or say how far something is to one side of a middle, as "rather
    likely" and "very unlikely" do; or are grades, as "stage II", or ranges, as 10-19 and 20+. The
    words of a scale may have numbers before or behind them, "1 - low" and "low (1)", or only those
    at its ends have words.
    """
    by_key = {label.casefold(): label for label in labels}
    if not FEWEST <= len(by_key) <= MOST or max(map(len, by_key)) > LONGEST:
        return None
    for places_of in (_steps, _degrees, _grades, _numbers):
        if places := places_of(list(by_key)):
            return [by_key[key] for key in sorted(places, key=places.__getitem__)]
    return _ranges(by_key)


def words_of(label: str) -> str:
    """A label in small letters, with blanks for marks between words."""
    text = label.casefold().replace("’", "'").removesuffix(".")
    return _MARKS.sub(" ", text).strip() or text.strip()


def _steps(keys: list[str]) -> dict[str, float] | None:
    """The step of each label in one of `SCALES`."""
    bare = {key: words_of(_NUMBER_BEHIND.sub("", _NUMBERED.sub("", key, count=1))) for key in keys}
    for names in (bare, _without_common(bare)):
        for steps in _STEPS:
            places = {key: float(steps.get(name, -1)) for key, name in names.items()}
            if min(places.values()) >= 0 and len(set(places.values())) == len(keys):
                letters = all(len(name) == 1 for name in names.values())
                return None if letters and "a" in steps else places
    return None


_STEPS = [{words_of(word): i for i, step in enumerate(scale) for word in step} for scale in SCALES]


def _without_common(names: dict[str, str]) -> dict[str, str]:
    """The labels without the words that all begin or end with: low of low risk."""
    parts = {key: name.split() for key, name in names.items()}
    for end in (-1, 0):
        while (
            all(len(p) > 1 for p in parts.values()) and len({p[end] for p in parts.values()}) == 1
        ):
            for p in parts.values():
                del p[end]
    return {key: " ".join(p) for key, p in parts.items()}


def _degrees(keys: list[str]) -> dict[str, float] | None:
    """How far each label is to the right of the middle; None unless all are, and all differ."""
    bare = {key: words_of(_NUMBER_BEHIND.sub("", _NUMBERED.sub("", key, count=1))) for key in keys}
    for names in (bare, _without_common(bare)):
        found = {key: d for key, name in names.items() if (d := _degree(name)) is not None}
        if len(found) == len(set(found.values())) == len(keys):
            return found
    return None


def _degree(name: str) -> float | None:
    if name in NEUTRAL or _NEITHER.fullmatch(name):
        return 0.0
    if match := _CONSENT.fullmatch(name):
        name = f"{match[1] or ''} stimme{match[2] or ''} zu".strip()
    words = name.split()
    if name in POLES:
        return POLES[name] * PLAINLY
    for i in range(1, len(words)):
        left, right = " ".join(words[:i]), " ".join(words[i:])
        for degree, pole in ((left, right), (right, left)):
            if degree in DEGREES and pole in POLES:
                return DEGREES[degree] * POLES[pole]
    return None


def _grades(keys: list[str]) -> dict[str, float] | None:
    """The number of each of labels such as stage IIIa, which begin alike."""
    found = {key: match for key in keys if (match := _GRADE.fullmatch(words_of(key)))}
    if len(found) < len(keys) or len({match[1] for match in found.values()}) > 1:
        return None
    places = {key: _number(m[2]) + 0.1 * " abcd".index(m[3] or " ") for key, m in found.items()}
    return places if len(set(places.values())) == len(keys) else None


def _number(figures: str) -> int:
    """That of arabic or roman figures."""
    if figures.isdigit():
        return int(figures)
    values = [_ROMAN[letter] for letter in figures]
    return sum(-v if v < after else v for v, after in pairwise([*values, 0]))


def _numbers(keys: list[str]) -> dict[str, float] | None:
    """The number that each label begins with, where some are numbers and others have words too."""
    found = {key: int(match[1]) for key in keys if (match := _BEGINS.fullmatch(key))}
    plain = sum(map(str.isdigit, found))
    if len(found) < len(keys) or not 0 < plain < len(keys):
        return None
    n = len(set(found.values()))
    is_line = n == len(keys) == max(found.values()) - min(found.values()) + 1
    return dict(found) if is_line else None


def _ranges(by_key: dict[str, str]) -> list[str] | None:
    """Ranges of numbers that lie apart, single numbers and a word for none among them."""
    words = {word for key in by_key for word in _UNSAID.findall(key)} - _LIMITS
    unit = {word.rstrip("s") for word in words}
    found = {key: ends for key in by_key if (ends := _ends(key, unit if len(unit) == 1 else ()))}
    if len(found) < len(by_key) or all(low == high for low, high in found.values()):
        return None
    ordered = sorted(found, key=found.__getitem__)
    apart = all(found[a][1] <= found[b][0] for a, b in pairwise(ordered))
    return [by_key[key] for key in ordered] if apart else None


def _ends(label: str, unit: Collection[str]) -> tuple[float, float] | None:
    """Where a range of numbers, in a unit or without, begins and ends; None of other text."""
    text = _THOUSANDS.sub("", _MONEY.sub(" ", _YEARS.sub("", label)))
    for word in unit:
        text = re.sub(rf"\s*{re.escape(word)}s?(?![^\W\d_])", "", text)
    text = _K.sub(r"\g<1>000", text).strip()
    try:
        if match := _RANGE.fullmatch(text) or _INTERVAL.fullmatch(text):
            low, high = float(match[1]), float(match[2])
            return (low, high) if low < high else None
        if match := _BELOW.fullmatch(text):
            return -math.inf, float(match[1])
        if match := _ABOVE.fullmatch(text):
            return float(match[1] or match[2]), math.inf
        if text.isdecimal() or text in ("none", "no"):
            number = float(text) if text.isdecimal() else 0.0
            return number, number
    except ValueError:  # 1.2.3
        pass
    return None
