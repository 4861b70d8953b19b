"""Labels that have an order: common scales of answers and sizes, and ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import pairwise

SCALES = tuple(
    tuple(scale.casefold().split(" < "))
    for scale in (
        "very low < low < medium < high < very high",
        "low < moderate < high",
        "low < mid < high",
        "small < medium < large < extra large",
        "xxs < xs < s < m < l < xl < xxl < 3xl",
        "mild < moderate < severe",
        "none < mild < moderate < severe",
        "never < rarely < sometimes < often < always",
        "never < almost never < sometimes < fairly often < very often",
        "never < seldom < sometimes < often < always",
        "never < seldom < occasionally < frequently < always",
        "strongly disagree < disagree < neutral < agree < strongly agree",
        "strongly disagree < disagree < neither agree nor disagree < agree < strongly agree",
        "strongly disagree < somewhat disagree < neutral < somewhat agree < strongly agree",
        "very dissatisfied < dissatisfied < neutral < satisfied < very satisfied",
        "very unlikely < unlikely < neutral < likely < very likely",
        "not at all < slightly < moderately < very < extremely",
        "very poor < poor < fair < good < very good < excellent",
        "very bad < bad < neutral < good < very good",
        "poor < average < good < excellent",
        "nie < selten < manchmal < oft < immer",
        "nie < selten < gelegentlich < häufig < immer",
        "sehr niedrig < niedrig < mittel < hoch < sehr hoch",
        "gering < mittel < hoch",
        "klein < mittel < groß",
        "leicht < mittel < schwer",
        "sehr schlecht < schlecht < mittel < gut < sehr gut",
        "sehr unzufrieden < unzufrieden < neutral < zufrieden < sehr zufrieden",
        "stimme gar nicht zu < stimme nicht zu < neutral < stimme zu < stimme voll zu",
        "stimme gar nicht zu < stimme eher nicht zu < teils/teils < stimme eher zu < "
        "stimme voll zu",
        "stimme überhaupt nicht zu < stimme eher nicht zu < teils, teils < stimme eher zu < "
        "stimme voll und ganz zu",
        "trifft nicht zu < trifft eher nicht zu < teils/teils < trifft eher zu < trifft zu",
        "trifft gar nicht zu < trifft eher nicht zu < teils, teils < trifft eher zu < "
        "trifft voll zu",
        "ungenügend < mangelhaft < ausreichend < befriedigend < gut < sehr gut",
        "jamais < rarement < parfois < souvent < toujours",
        "très faible < faible < moyen < élevé < très élevé",
        "petit < moyen < grand",
        "léger < modéré < sévère",
        "très mauvais < mauvais < moyen < bon < très bon",
        "très insatisfait < insatisfait < neutre < satisfait < très satisfait",
        "pas du tout d'accord < pas d'accord < neutre < d'accord < tout à fait d'accord",
        "pas du tout d'accord < plutôt pas d'accord < ni d'accord ni pas d'accord < "
        "plutôt d'accord < tout à fait d'accord",
        "young < middle-aged < old",
        "beginner < intermediate < advanced < expert",
        "first < second < third",
        "1st < 2nd < 3rd < 4th",
    )
)
FEWEST = 3
"""Two labels have the same likelihood with an order and without."""
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
_NUMBERED = re.compile(r"([0-9])\s*(?:[-–=:.)]|\.\s)\s*(?=[^\W\d_])")
_RANGE = re.compile(r"([0-9.]+)\s*(?:-|–|—|to|bis|à)\s*([0-9.]+)")


def order_of(labels: Iterable[str]) -> list[str] | None:
    """Labels in their order; None if they are of none of `SCALES`, and no ranges such as 10-19.

    The words of a scale may have numbers before them: "1 - low".
    """
    by_key = {label.casefold(): label for label in labels}
    if len(by_key) < FEWEST:
        return None
    words = {_NUMBERED.sub("", key, count=1): label for key, label in by_key.items()}
    for scale in SCALES:
        if words.keys() <= set(scale):
            return [words[word] for word in scale if word in words]
    ends = {label: ends for label in by_key.values() if (ends := _ends(label.casefold()))}
    if len(ends) < len(by_key):
        return None
    ordered = sorted(ends, key=ends.__getitem__)
    apart = all(ends[a][1] <= ends[b][0] for a, b in pairwise(ordered))
    return ordered if apart else None


def _ends(label: str) -> tuple[float, float] | None:
    """Where a range of numbers begins and ends; None of other text."""
    text = _THOUSANDS.sub("", _MONEY.sub(" ", _YEARS.sub("", label)))
    text = _K.sub(r"\g<1>000", text).strip()
    try:
        if match := _RANGE.fullmatch(text) or _INTERVAL.fullmatch(text):
            low, high = float(match[1]), float(match[2])
            return (low, high) if low < high else None
        if match := _BELOW.fullmatch(text):
            return -math.inf, float(match[1])
        if match := _ABOVE.fullmatch(text):
            return float(match[1] or match[2]), math.inf
    except ValueError:  # 1.2.3
        pass
    return None
