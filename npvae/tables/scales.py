"""Labels that have an order: common scales of answers and sizes, and ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import pairwise

SCALES = tuple(
    tuple(scale.split(" < "))
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
        "young < middle-aged < old",
        "beginner < intermediate < advanced < expert",
        "first < second < third",
        "1st < 2nd < 3rd < 4th",
    )
)
FEWEST = 3
"""Two labels have the same likelihood with an order and without."""
_BELOW = re.compile(r"(?:<|≤|<=|under|below|up to)\s*([0-9.]+)")
_ABOVE = re.compile(
    r"(?:>|≥|>=|over|above)\s*([0-9.]+)|([0-9.]+)\s*(?:\+|and (?:over|older|more)|or more)"
)
_RANGE = re.compile(r"([0-9.]+)\s*(?:-|–|—|to)\s*([0-9.]+)")


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
    text = label.removesuffix("years").removesuffix("yrs").strip()
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
