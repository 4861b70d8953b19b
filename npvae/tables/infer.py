"""Which kind each column of a table is, from its cells alone.

Cells that are empty or say na, n/a, nan, null, none or ? are missing; the rules see the others. The
first rule that fits decides:

1. All are the same: a **constant**, which is not modelled.
2. There are two, and they are yes and no, true and false, y and n, t and f, on and off or 1 and 0,
   in capitals or not: a **flag**.
3. All are numbers, none of them with leading zeros as codes such as 007 have:

   * in ten rows or more, each greater than that in the row before by 1: the rows' numbers, which
     are left out;
   * at most ten different whole numbers above 0, or two that are no counts, each found in five
     rows on average: codes, so a **category**. (With a 0 among them they would rather be counts.)
   * whole numbers from 0 to 16,777,216 whose variance is at least half of their mean, since that of
     counts is the mean or more: a **count**. Years and heights vary less than that.
   * others: a **number**.
4. Text: a **category**, if labels come back. It is refused where all cells are different, or more
   than half of them and more than twenty, as names and ids are; and where all but a few are
   numbers, since those few are mistakes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping

import numpy as np

from ..core.errors import ConfigError, DataError, nearest
from ..datasets.delimited import is_number
from .kinds import (
    KINDS,
    LARGEST_COUNT,
    Category,
    Column,
    Constant,
    Count,
    Flag,
    Number,
    Unfit,
    flag_key,
    flag_pair,
    is_missing,
    refusal,
)

Array = np.ndarray

MOST_CODES = 10
"""Different whole numbers that are taken for codes of a category."""
MOST_LABELS = 20
"""Labels that are taken for a category's even where most of them come only once."""
LABEL, SKIP = "label", "skip"
"""What a column can be besides a kind: the rows' labels, which are not modelled, or left out."""
_CODE = re.compile(r"[+-]?0[0-9]")


class Cells:
    """The cells of one column: each different text once, and which of them each row has."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._rows = array("i")
        self.lines: list[int] = []
        """The line of the file where each text comes first."""

    def add(self, text: str, line: int) -> None:
        text = text.strip()
        number = self._numbers.setdefault(text, len(self.lines))
        if number == len(self.lines):
            self.lines.append(line)
        self._rows.append(number)

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)

    @property
    def all(self) -> list[str]:
        """The text of every row."""
        texts = self.texts
        return [texts[number] for number in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def known(self) -> tuple[list[str], Array]:
        """The different texts that are not missing, and in how many rows each is."""
        counts = np.bincount(np.frombuffer(self._rows, np.intc), minlength=len(self.lines))
        known = [i for i, text in enumerate(self._numbers) if not is_missing(text)]
        texts = self.texts
        return [texts[i] for i in known], counts[known]

    def values(self, column: Column, place: str) -> Array:
        """The column's numbers, (N,) float64 with NaN where missing; raises `DataError`."""
        numbers = np.full(len(self.lines), np.nan)
        for i, text in enumerate(self._numbers):
            if not is_missing(text):
                try:
                    numbers[i] = column.parse(text)
                except Unfit as unfit:
                    line = f"{place}, line {self.lines[i]}, column {column.name!r}"
                    raise refusal(line, text, unfit) from None
        return numbers[np.frombuffer(self._rows, np.intc)]


def infer(
    table: Mapping[str, Cells], kinds: Mapping[str, str], where: str
) -> tuple[list[Column], dict[str, str]]:
    """The columns of a table, and those that are left out, with the reason.

    Parameters
    ----------
    table : the cells of each column
    kinds : the kind, or "skip", of the columns that are not to be inferred
    where : what the table is called in errors

    Raises
    ------
    DataError
        If a column has no kind, or its cells do not have the one that was given.
    """
    columns: list[Column] = []
    skipped: dict[str, str] = {}
    endless: list[str] = []
    for name, cells in table.items():
        texts, counts = cells.known()
        if kinds.get(name) == SKIP:
            skipped[name] = "as was said"
        elif not texts:
            raise DataError(
                f"{where}: every column needs a known value; {name!r} has none in all "
                f"{len(cells)} rows. Leave it out: {_say(f'{name}={SKIP}')}."
            )
        elif name in kinds:
            columns.append(_made(KINDS[kinds[name]], name, cells, where))
        elif _number_rows(cells):
            skipped[name] = "it numbers the rows"
        else:
            kind = _kind(texts, counts)
            if kind is None:
                _check_mistakes(name, cells, where)
                endless.append(name)
            else:
                columns.append(_made(kind, name, cells, where))
    if endless:
        raise DataError(
            f"{where}: text must come back in other rows to be a category; it is different in "
            f"(nearly) every row, as names and ids are, in {_listed(endless)}. Leave it out: "
            f"{_say(','.join(f'{name}={SKIP}' for name in endless))}; or give its kind."
        )
    return columns, skipped


def check_kinds(kinds: Mapping[str, str], names: list[str], where: str) -> None:
    """Raise `ConfigError` for a kind that is none, `DataError` for a column that is not there."""
    for name, kind in kinds.items():
        if kind not in (*KINDS, LABEL, SKIP):
            raise ConfigError(
                f"column {name!r} can't be of the kind {kind!r}. "
                f"{nearest(str(kind), [*KINDS, LABEL, SKIP])}"
            )
        if name not in names:
            raise DataError(
                f"{where}: a kind can be given to the table's own columns; got {name!r}; "
                f"{nearest(name, names)}"
            )


def _made(kind: type[Column], name: str, cells: Cells, where: str) -> Column:
    """A column of this kind; raises `DataError` with the first cell that is not of it."""
    texts, counts = cells.known()
    try:
        return kind.of(name, texts, counts)
    except Unfit as unfit:
        if not kind.labelled:
            cells.values(kind(name), where)  # finds the cell
        rule, fix = unfit.args
        raise DataError(f"{where}, column {name!r}: {rule}. {fix}") from None


def _kind(texts: list[str], counts: Array) -> type[Column] | None:
    """The kind of column that different known texts make; None where text does not come back."""
    if len(texts) == 1:
        return Constant
    if flag_pair({flag_key(text) for text in texts}):
        return Flag
    if all(is_number(text) and not _CODE.match(text) for text in texts):
        return _kind_of_numbers(np.array(texts, float), counts)
    n = counts.sum()
    if len(texts) == n or len(texts) > max(MOST_LABELS, n / 2) or _mistakes(texts):
        return None
    return Category


def _kind_of_numbers(numbers: Array, counts: Array) -> type[Column]:
    n, low = counts.sum(), numbers.min()
    whole = bool((numbers == np.floor(numbers)).all())
    most_codes = 2 if not whole or low < 0 else MOST_CODES if low > 0 else 0
    if len(numbers) <= min(most_codes, n / 5):
        return Category
    if not whole or low < 0 or numbers.max() > LARGEST_COUNT:
        return Number
    mean = (numbers @ counts) / n
    variance = (np.square(numbers - mean) @ counts) / n
    return Count if variance >= mean / 2 else Number


def _number_rows(cells: Cells) -> bool:
    """Whether the cells are whole numbers that go up by 1 from row to row."""
    texts = cells.texts
    if len(texts) < max(10, len(cells)) or not all(is_number(text) for text in texts):
        return False
    numbers = np.array(texts, float)  # in the rows' order, since all are different
    return bool((np.diff(numbers) == 1).all()) and numbers[0] == np.floor(numbers[0])


def _mistakes(texts: list[str]) -> bool:
    """Whether texts are numbers but for a few, or for decimal commas."""
    numbers = sum(map(is_number, texts))
    if numbers == len(texts):  # codes such as 007
        return False
    with_points = (text.replace(",", ".") for text in texts)
    return numbers > max(MOST_CODES, len(texts) / 2) or all(map(is_number, with_points))


def _check_mistakes(name: str, cells: Cells, where: str) -> None:
    """Raise `DataError` for a column of numbers with the first cell that is none."""
    if _mistakes(cells.known()[0]):
        cells.values(Number(name), where)


def _say(kinds: str) -> str:
    """How kinds are given."""
    return f"--columns {kinds!r}" if " " in kinds else f"--columns {kinds}"


def _listed(names: list[str]) -> str:
    shown = [repr(name) for name in names]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
