"""Which kind each column of a table is, from its cells alone.

Cells that are empty, say na, n/a, nan, null, none or ?, or are an error of Excel's such as #N/A are
missing; the rules see the others. A column without any is left out. The first rule that fits
decides:

1. All are the same: a **constant**, which is not modelled; it is left out where many are empty.
2. There are two, and they are yes and no, true and false, y and n, t and f, on and off or 1 and 0,
   in capitals or not, or the like in another language: a **flag**.
3. All are dates, times or both, such as 2024-12-31, 20241231, 31.12.2024, 31 DEC 24 or 12/31/2024
   11:59 PM, or months or quarters such as 2024-12 and Q4 2024: a **date**. Whether day or month
   comes first, and of which century years of two figures are, is decided by the whole column, or by
   the other columns.
4. All are durations, such as 36:15:00, 1 day 02:00:00, 2h 30m or PT36H15M, and some no times of the
   day: a **duration**. Those in words must be such as would be written again.
5. All are numbers, none of them with leading zeros as codes such as 007 have, nor with more digits
   than a float64 holds. They may have decimal commas, thousands parted by commas, points, blanks or
   apostrophes, parentheses for minus, and one currency, unit or percent sign.

   * with such a sign, or with cells such as <0.5 and 80+ beyond all others, or all written in one
     way with k, M, bn or the like behind them (3.4M, $12k) where these are no codes (5M and 10M): a
     **number**;
   * in ten rows or more, each greater than that in the row before by 1: the rows' numbers, which
     are left out;
   * at most ten different whole numbers above 0, or two that are no counts, each found in five
     rows on average and without marks between thousands: codes, so a **category**. (With a 0 among
     them they would rather be counts.) So are at most twenty of which some have zeros at the end
     and others fewer digits, as the versions 1.9 and 1.10;
   * whole numbers from 0 to 16,777,216 that come near 0 or vary much, and that a negative binomial
     predicts better than all that is tried for numbers, on held-out rows: a **count**;
   * others: a **number**. Its distribution is chosen by held-out rows too: `data.shapes`.
6. Text of a common scale, as low, medium and high or never, sometimes and often, or ranges such as
   under 18, 18-34 and 35+: an **ordered** category.
7. Other text: a **category**, if labels come back. It is left out where all cells are different, or
   more than half of them and more than twenty, as names and ids are; and where there are more than
   twenty of four words or more, as in remarks. Where all but a few cells are numbers or dates,
   those few are mistakes, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import DataError
from ..core.wording import short
from ..data.shapes import far_out
from ..datasets.numerals import are_plain, is_number
from .cells import Cells, Unfit, refusal, shown
from .column import Column, Constant, say, say_missing
from .distributions import (
    CLEARLY,
    MANY_COLUMNS,
    are_counts,
    likelier_as_counts,
    notes_of,
    shape,
)
from .formats import PLAIN, DateFormat, DurationFormat, NumberFormat, length
from .kinds import KINDS, SKIP, Said
from .labelled import Category, Flag, Ordered, flag_key, flag_pair
from .numeric import LARGEST_COUNT, Count, Date, Duration, Number, NumericColumn
from .recognise import MOST_LABELS, Format, are_versions, as_durations
from .scales import order_of

Array = np.ndarray

MOST_CODES = 10
"""Different whole numbers that are taken for codes of a category."""
MOSTLY, MANY_ROWS = 0.9, 20
"""Of so many rows this share has a constant's value; with more gaps, a gap may be an answer."""
_CODE = re.compile(r"-?(9{2,}|8{2,}|98|97)([.,][09]+)?|-[1-9]")
"""What many surveys write for an answer that is not known."""
_MEASURED = re.compile(r"[^\w\s]{0,2}[0-9]+(?:[.,:/][0-9]+)?(?![0-9]*(?:-|$))")
DIFFERENT = "it is different in (nearly) every row, as names and ids are"
_APART = "if they hold such, write each in a column of its own, without other signs"
WORDS = 4
"""So many words are no label but a remark, on average."""


def infer(
    table: Mapping[str, Cells],
    said: Mapping[str, Said],
    formats: Mapping[str, Format],
    nameless: Collection[str],
    where: str,
) -> tuple[list[Column], dict[str, str], dict[str, str], list[str]]:
    """The columns of a table, those that are left out, with the reason, and what their numbers are.

    The last are what the distributions of columns are called, and notes.

    Parameters
    ----------
    table : the cells of each column
    said : what the user says of columns; their kinds are not inferred
    formats : how each column is written
    nameless : first columns that have no name in the file, as rows' names have none
    where : what the table is called in errors

    Raises
    ------
    DataError
        If a column has no known value, or cells that are not of its kind.
    """
    columns: list[Column] = []
    skipped: dict[str, str] = {}
    unknown = dict.fromkeys(text for cells in table.values() for text in cells.unknown())
    found = _Found(len(table) > MANY_COLUMNS, list(unknown))
    for name, cells in table.items():
        texts, counts = cells.known()
        kind: type[Column] | str
        if name in said:
            kind = "as was said" if said[name].kind == SKIP else KINDS[said[name].kind]
        elif not texts:
            kind = "it is empty"
        elif _number_rows(cells):
            kind = "it numbers the rows"
        elif name in nameless and len(texts) == len(cells) and formats[name] in (None, PLAIN):
            kind = "it has no name, and is different in every row, as row names are"
        elif _is_merged(cells, len(texts), counts, formats[name]):
            kind = (
                f"it has text in {counts.sum()} of {len(cells)} rows; if empty cells mean the text "
                "above them, as below merged cells, fill them with it"
            )
        elif len(texts) == 1 and len(cells) >= MANY_ROWS and counts.sum() < MOSTLY * len(cells):
            kind = (
                f"it is {short(texts[0], 20)!r} or empty; if that means no, write a word for no "
                "into its empty cells"
            )
        else:
            kind = _kind(texts, counts, formats[name], found.many)
        if not texts and not isinstance(kind, str):
            raise DataError(
                f"{where}: every column needs a known value; {name!r} has none in all "
                f"{len(cells)} rows. Leave it out: {say(f'{name}={SKIP}')}."
            )
        if isinstance(kind, str):
            skipped[name] = kind
            if kind == DIFFERENT and sum(map(bool, map(_MEASURED.match, texts))) > len(texts) / 2:
                found.mixed[name] = texts[0]
        else:
            order = said[name].order if name in said else None
            columns.append(_made(kind, name, cells, order or formats[name], where))
            found.look_at(columns[-1], texts, counts, name in said)
    return columns, skipped, found.shapes, found.notes


@dataclass
class _Found:
    """What is found of the numbers in a table's columns.

    Attributes
    ----------
    many : whether there are too many columns to look closely at each
    unknown : the table's cells that are missing
    shapes : what the distribution of each is called
    measured : columns of whole numbers that might have been counts
    strange : cells that lie far from all others
    mixed : cells of figures and other signs that are no numbers, of columns that are left out
    codes : of each column, numbers that may say that a value is not known
    twice : two texts of one number, such as 1.3 and 1.30
    """

    many: bool
    unknown: Sequence[str] = ()
    shapes: dict[str, str] = field(default_factory=dict)
    measured: list[str] = field(default_factory=list)
    strange: dict[str, list[str]] = field(default_factory=dict)
    mixed: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    twice: dict[str, tuple[str, str]] = field(default_factory=dict)

    def look_at(self, column: Column, texts: Sequence[str], counts: Array, said: bool) -> None:
        """Find the distribution of a column, if its values are numbers or days."""
        if not isinstance(column, (Number, Date, Duration, Count)) or (
            said and column.kind == "count"
        ):
            return
        numbers = column.parsed(texts)
        values = np.repeat(numbers, counts)
        if not said and column.kind == "number" and (twice := _two_texts(texts)):
            self.twice[column.name] = twice
        if isinstance(column, NumericColumn) and (
            codes := _codes_of_missing(texts, numbers, counts)
        ):
            self.codes[column.name] = codes
        found = shape(column, values, self.many)
        if found is None:
            return
        if column.kind == "count" and likelier_as_counts(values, found, -CLEARLY):
            return
        column.marginal = found.marginal
        self.shapes[column.name] = found.name
        if not said and column.kind == "number" and _may_be_counts(numbers):
            self.measured.append(column.name)
        if far_out(values).any():
            odd = np.unique(values[far_out(values)])
            self.strange[column.name] = [
                text for text, number in zip(texts, numbers.tolist(), strict=True) if number in odd
            ]

    @property
    def notes(self) -> list[str]:
        notes = list(notes_of(self.measured, self.strange))
        notes += [
            f"{name!r} is left out: its cells, such as {shown(text)}, are neither numbers nor "
            f"dates; {as_durations(name) if length(text) else _APART}"
            for name, text in self.mixed.items()
        ]
        notes += [
            f"{a!r} and {b!r} are one number in {name!r}; if they are codes, say "
            f"{say(f'{name}=category')}"
            for name, (a, b) in self.twice.items()
        ]
        if self.codes:
            where = ", ".join(f"{', '.join(t)} in {name!r}" for name, t in self.codes.items())
            texts = dict.fromkeys(text for texts in self.codes.values() for text in texts)
            notes.append(
                f"these numbers come again and again, far beyond all others of their columns: "
                f"{where}; {say_missing(*self.unknown, *texts)} takes them for not known"
            )
        return notes


def _made(kind: type[Column], name: str, cells: Cells, written: Any, where: str) -> Column:
    """A column of this kind; raises `DataError` with the first cell that is not of it."""
    try:
        return kind.of(name, *cells.known(), written)
    except Unfit as unfit:
        place = "" if unfit.text is None else f", {cells.place_of(unfit.text)}"
        raise refusal(f"{where}{place}, column {name!r}", unfit) from None


def _kind(texts: Sequence[str], counts: Array, written: Format, many: bool) -> type[Column] | str:
    """The kind of column that different known texts make, or why they make none."""
    n = counts.sum()
    if len(texts) == 1:
        return Constant
    if len(texts) <= MOST_LABELS and flag_pair({flag_key(text) for text in texts}):
        return Flag
    if isinstance(written, DateFormat):
        return Date
    if isinstance(written, DurationFormat):
        return Duration
    if isinstance(written, NumberFormat):
        if written.unit or written.magnitudes or written.low or written.high:
            return Number
        if are_versions(texts, counts):
            return Category
        return _kind_of_numbers(_numbers(texts, written), counts, bool(written.group), many)
    if len(texts) == n or len(texts) > max(MOST_LABELS, n / 2):
        return DIFFERENT
    if len(texts) > MOST_LABELS and sum(len(t.split()) for t in texts) >= WORDS * len(texts):
        return "it is free text"
    return Ordered if order_of(texts) else Category


def _is_merged(cells: Cells, n_texts: int, counts: Array, written: Format) -> bool:
    """Whether text stands in few rows, the first among them, and is not found there again."""
    few = 1 < n_texts == counts.sum() < len(cells) / 2
    return few and written is None and cells.all[0] != ""


def _numbers(texts: Sequence[str], written: NumberFormat) -> Array:
    parse = float if written is PLAIN else written.parse
    return np.fromiter(map(parse, texts), float, len(texts))


def _kind_of_numbers(numbers: Array, counts: Array, grouped: bool, many: bool) -> type[Column]:
    n, low = counts.sum(), numbers.min()
    whole = bool((numbers == np.floor(numbers)).all())
    most_codes = 2 if not whole or low < 0 else MOST_CODES if low > 0 else 0
    if len(numbers) <= min(most_codes, n / 5) and not grouped:
        return Category
    if not _may_be_counts(numbers):
        return Number
    return Count if are_counts(np.repeat(numbers, counts), many) else Number


def _codes_of_missing(texts: Sequence[str], numbers: Array, counts: Array) -> list[str]:
    """Numbers such as -99 and 9999 that come several times, far beyond all others."""
    coded = np.array([bool(_CODE.fullmatch(text)) for text in texts]) & (counts > 1)
    others = numbers[~coded]
    if not coded.any() or len(others) < 2:
        return []
    reach = np.ptp(others) / 2
    beyond = (numbers < others.min() - reach) | (numbers > others.max() + reach)
    return [text for text, odd in zip(texts, coded & beyond, strict=True) if odd]


def _two_texts(texts: Sequence[str]) -> tuple[str, str] | None:
    """The first two texts that differ in zeros at the end of their decimals, as versions may."""
    known = set(texts)
    for text in texts:
        if text[-1:] == "0" and "." in text[:-2] and text[:-1] in known:
            return text[:-1], text
    return None


def _may_be_counts(numbers: Array) -> bool:
    whole = (numbers == np.floor(numbers)).all() and numbers.min() >= 0
    return bool(whole and numbers.max() <= LARGEST_COUNT)


def _number_rows(cells: Cells) -> bool:
    """Whether the cells are whole numbers that go up by 1 from row to row."""
    texts = cells.texts
    if len(texts) < max(10, len(cells)) or not (are_plain(texts) or all(map(is_number, texts))):
        return False
    numbers = np.array(texts, float)  # in the rows' order, since all are different
    if not np.isfinite(numbers).all():
        return False
    return bool((np.diff(numbers) == 1).all()) and numbers[0] == np.floor(numbers[0])
