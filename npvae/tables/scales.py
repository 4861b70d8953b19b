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
        "jamais < rarement < parfois < souvent < toujours",
        "très faible < faible < moyen < élevé < très élevé",
        "petit < moyen < grand",
        "léger < modéré < sévère",
        "très mauvais < mauvais < moyen < bon < très bon",
        "très insatisfait < insatisfait < neutre < satisfait < très satisfait",
        "pas du tout d'accord < pas d'accord < neutre < d'accord < tout à fait d'accord",
        "young < middle-aged < old",
        "beginner < intermediate < advanced < expert",
        "first < second < third",
        "1st < 2nd < 3rd < 4th",
    )
)
FEWEST = 3
"""Two labels have the same likelihood with an order and without."""
_BELOW = re.compile(r"(?:<|≤|<=|under|below|up to|unter|bis|moins de)\s*([0-9.]+)")
_ABOVE = re.compile(
    r"(?:>|≥|>=|over|above|über|ab|plus de)\s*([0-9.]+)|"
    r"([0-9.]+)\s*(?:\+|and (?:over|older|more)|or more|und (?:älter|mehr)|et plus)"
)
_YEARS = re.compile(r"(?:years?|yrs|jahren?|jahre|ans?)(?: old)?$")
_RANGE = re.compile(r"([0-9.]+)\s*(?:-|–|—|to|bis|à)\s*([0-9.]+)")


def order_of(labels: Iterable[str]) -> list[str] | None:
    """Labels in their order; None if they are of none of `SCALES`, and no ranges such as 10-19."""
    by_key = {label.casefold(): label for label in labels}
    if len(by_key) < FEWEST:
        return None
    for scale in SCALES:
        if by_key.keys() <= set(scale):
            return [by_key[word] for word in scale if word in by_key]
    ends = {label: ends for label in by_key.values() if (ends := _ends(label.casefold()))}
    if len(ends) < len(by_key):
        return None
    ordered = sorted(ends, key=ends.__getitem__)
    apart = all(ends[a][1] <= ends[b][0] for a, b in pairwise(ordered))
    return ordered if apart else None


def _ends(label: str) -> tuple[float, float] | None:
    """Where a range of numbers begins and ends; None of other text."""
    text = _YEARS.sub("", label).strip()
    try:
        if match := _RANGE.fullmatch(text):
            low, high = float(match[1]), float(match[2])
            return (low, high) if low < high else None
        if match := _BELOW.fullmatch(text):
            return -math.inf, float(match[1])
        if match := _ABOVE.fullmatch(text):
            return float(match[1] or match[2]), math.inf
    except ValueError:  # 1.2.3
        pass
    return None
