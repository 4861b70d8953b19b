"""Thousands, millions and more behind a number's figures: 12k, 3.4M, $1.2 bn, 3,5 Mio. €, 3.4万."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_WORDS = {
    3: "k K thousand thousands Tsd tys тыс 千",
    4: "万 萬 만",
    5: "lakh lakhs",
    6: "M m mn Mn mln Mln mio Mio million millions Million Millionen millones млн",
    7: "crore crores Cr",
    8: "億 亿 억",
    9: "B bn Bn bln mrd Mrd Md billion billions Milliarde Milliarden milliards млрд",
    12: "T tn trn trillion trillions",
}
POWERS = {word: power for power, words in _WORDS.items() for word in words.split()}
"""The power of ten that each word stands for, which may have a point behind it."""
MOST_DECIMALS = 12
METRES = "m"
"""What is metres where no money is meant."""
_MANY = 20
"""More different thousands are no codes, as school classes and lengths of races have them."""
_SUFFIX = re.compile(
    "([ \u00a0\u202f]?)(" + "|".join(sorted(POWERS, key=len, reverse=True)) + r")(\.?)"
)


class Magnitude(NamedTuple):
    """How numbers of a size are written.

    Attributes
    ----------
    suffix : str
        What stands behind the figures, with a blank if there is one; "" of plain numbers.
    power : int
        Of ten.
    decimals : int
        The most figures after the decimal mark.
    cut : bool
        Whether zeros at their end are left out.
    """

    suffix: str
    power: int
    decimals: int
    cut: bool


def suffix_of(tail: str) -> str:
    """The suffix at the beginning of what stands behind a number's figures, or ""."""
    match = _SUFFIX.match(tail)
    if match is None or (match[1] and len(match[2]) == 1 and match[2].isascii()):
        return ""  # 9.5 M is a size
    return match[0]


def power_of(suffix: str) -> int:
    """The power of ten that a suffix stands for; 0 without one."""
    return POWERS[suffix.strip(" \u00a0\u202f.")] if suffix else 0


def magnitudes_of(found: Iterable[tuple[str, int]]) -> tuple[Magnitude, ...]:
    """Those of a column's numbers: of each the suffix, and how many decimals it has."""
    suffixes: dict[int, Counter[str]] = defaultdict(Counter)
    decimals: dict[int, set[int]] = defaultdict(set)
    for suffix, n in found:
        suffixes[power_of(suffix)][suffix] += 1
        decimals[power_of(suffix)].add(n)
    if set(suffixes) <= {0}:
        return ()
    return tuple(
        Magnitude(suffixes[power].most_common(1)[0][0], power, max(of), len(of) > 1)
        for power, of in sorted(decimals.items())
    )


def magnitudes_from(config: Iterable[Iterable[Any]]) -> tuple[Magnitude, ...]:
    """Those that a config lists; raises TypeError or ValueError."""
    found = tuple(Magnitude(*one) for one in config)
    powers = [one.power for one in found]
    good = all(
        suffix_of(one.suffix) == one.suffix
        and power_of(one.suffix) == one.power
        and one.decimals in range(MOST_DECIMALS + 1)
        for one in found
    )
    if not good or powers != sorted(set(powers)) or powers == [0]:
        raise ValueError(f"no numbers are of the magnitudes {found!r:.100}")
    return found


def agree(texts: Sequence[str], suffixes: Iterable[str], unit: str, few: bool) -> bool:
    """Whether texts that are written again as they are are sizes rather than codes such as 5M.

    Money is, and what has a word behind it; and unless there are but a `few` different texts that
    come again and again, what has parts of thousands or millions, or many thousands alone.
    """
    words = {suffix.strip(" \u00a0\u202f.") for suffix in suffixes} - {""}
    if unit:
        return True
    if few:
        return False
    if any(len(word) > 1 or not word.isascii() for word in words):
        return True
    parts = any(set(".,") & set(text) for text in texts)
    return bool(words & {"k", "K", "M"}) if parts else words <= {"k", "K"} and len(texts) > _MANY


def figures_of(size: float, magnitudes: Iterable[Magnitude]) -> tuple[str, Magnitude]:
    """The figures of a number from 0 on, with a point and commas, and the magnitude they are of.

    It is the smallest that has no more figures than the next one would begin at.
    """
    ordered = list(magnitudes)
    for i, one in enumerate(ordered):
        figures = f"{size / 10.0**one.power:,.{one.decimals}f}"
        last = i == len(ordered) - 1
        if last or float(figures.replace(",", "")) < 10.0 ** (ordered[i + 1].power - one.power):
            break
    if one.cut and "." in figures:
        figures = figures.rstrip("0").rstrip(".")
    return figures, one
