"""What stands around the rows of a table: titles, units, names again, totals, remarks.

None of it is data. It is left out, and the table's notes say so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from .numerals import MISSING, is_number
from .rows import Row, TextRows

_LIKE_DATA = re.compile(r"[^a-z]*[0-9][^a-z]*", re.IGNORECASE)
_TOTAL = re.compile(
    r"(?:(?:grand|sub)[ -]?)?totals?|sum|average|mean|median|sd|std|stdev|min|max|minimum|maximum|"
    r"(?:gesamt)?summe|(?:ins)?gesamt|mittelwert|durchschnitt|somme|total général|moyenne|totale|"
    r"suma|totaal|média|promedio",
    re.IGNORECASE,
)
_ROWS = re.compile(
    r"\(?[0-9,]+ rows?( affected| selected| in set.*)?\)?|\[[0-9]+ rows x [0-9]+ columns\]",
    re.IGNORECASE,
)
_SUBTOTAL = re.compile(
    r"(?:sub[ -]?totals?|zwischensummen?|sous[ -]tota(?:l|ux)|subtotale|tussentotaal|小計)\b.*",
    re.IGNORECASE,
)
_RULE = re.compile(r":?[-=+]+:?")
_LONGEST_TOTAL = 20
_FEWEST = 3
"""Rows below units."""
_LONGEST_UNIT = 12


def like_data(cell: str) -> bool:
    """Whether a cell is no name: missing, a number, or figures and signs alone."""
    return cell.lower() in MISSING or is_number(cell) or bool(_LIKE_DATA.fullmatch(cell))


def above_data(first: Sequence[str], below: Sequence[Sequence[str]]) -> list[str]:
    """The cells of a row that are text above columns of data, and so perhaps their names."""
    columns = ([cell.strip() for cell in column] for column in zip(*below, strict=True))
    return [
        cell
        for cell, column in zip(first, columns, strict=False)
        if not like_data(cell) and cell not in column and _are_data(column)
    ]


def _are_data(cells: Sequence[str]) -> bool:
    """Whether most of a column's cells are data; a few may be words for what is missing."""
    known = [cell for cell in cells if cell]
    return sum(map(like_data, known)) > len(known) / 2


def drop_title(rows: TextRows) -> None:
    """Leave out rows of fewer cells that stand above one with names, or of another number."""
    cells = [[cell.strip() for cell in row] for _, row in rows.head]
    widths = Counter(map(len, cells[len(cells) // 2 :]))
    width = max(widths, key=lambda width: (widths[width], width))
    known = [len(row) - row.count("") for row in cells]
    full = (i for i, row in enumerate(cells) if len(row) == width and 3 * known[i] >= 2 * width)
    start = next(full, 0)
    below = [row for row in cells[start + 1 :] if len(row) == width]
    apart = all(abs(len(row) - width) > 1 for row in cells[:start])
    if not start or width < 2 or (max(known[:start]) > max(1, 2 * width / 3) and not apart):
        return
    names = cells[start]
    alone = max(known[:start]) == 1 and width > 2 and not any(map(like_data, names))
    again = any(name == row[i] for row in below for i, name in enumerate(names))
    if above_data(names, below) or (alone and not again):
        rows.notes.append(_left_out([line for line, _ in rows.head[:start]], "above the table"))
        del rows.head[:start]


def drop_rule(rows: TextRows) -> None:
    """Leave out a line of dashes below the first row, as Markdown and databases draw one."""
    if len(rows.head) > 1:
        line, cells = rows.head[1]
        drawn = [cell.strip() for cell in cells if cell.strip()]
        if all(map(_RULE.fullmatch, drawn)) and any(len(cell) > 1 for cell in drawn):
            rows.notes.append(_left_out([line], "which is drawn"))
            del rows.head[1]


def drop_units(rows: TextRows, names: Sequence[str]) -> None:
    """Leave out rows below the names that tell more of them: units, statistics, questions asked."""
    while _has_units(rows, names):
        del rows.head[0]


def _has_units(rows: TextRows, names: Sequence[str]) -> bool:
    """Whether the first row has units, which the notes then say."""
    below = [row for _, row in rows.head if len(row) == len(names)]
    if len(below) <= _FEWEST or below[0] is not rows.head[0][1]:
        return False
    units, below = [cell.strip() for cell in below[0]], below[1:]
    found = above_data(units, below)
    columns = [[cell.strip() for cell in column] for column in zip(*below, strict=True)]
    if _are_words(units, columns):
        rows.notes.append(_left_out([rows.head[0][0]], f"more names such as {found[0]!r}"))
        return True
    for unit, column in zip(units, columns, strict=True):
        is_value = unit in column or len(unit) > _LONGEST_UNIT or like_data(unit)
        if unit and is_value:
            return False
    if len(found) > 1:
        rows.notes.append(_left_out([rows.head[0][0]], f"units such as {found[0]!r}"))
    return len(found) > 1


def _are_words(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether a row of text alone stands above several columns of data, and none comes again.

    So surveys write the questions below the names. It is longer than a unit somewhere.
    """
    pairs = list(zip(cells, columns, strict=True))
    data = [cell for cell, column in pairs if any(column) and _are_data(column)]
    return (
        len(data) > 1
        and all(data)
        and len(set(data)) == len(data)
        and not any(map(like_data, filter(None, cells)))
        and not any(cell in column for cell, column in pairs if cell)
        and any(len(cell) > _LONGEST_UNIT for cell in cells)
    )


def body(rows: Iterator[Row], names: Sequence[str], width: int, notes: list[str]) -> Iterator[Row]:
    """The rows of data alone, of `width` cells each."""
    held: list[Row] = []  # empty rows, totals and remarks, unless data follow
    again: list[int] = []
    parts: list[int] = []
    name = next(filter(None, names), "-")
    totals, words = True, not all(map(like_data, names))
    before: Row = (0, [""])
    for line, row in rows:
        first = row[0] or next(filter(None, row), "")
        if words and first == name and [cell.strip() for cell in row] == names:
            again.append(line)
        elif words and _SUBTOTAL.match(first):
            parts.append(line)
        elif (
            (width > 1 and not first)
            or (totals and _is_total(first))
            or ((held or line > before[0] + 1) and _is_remark(line, row, before, held, width))
        ):
            held.append((line, row))
        elif held:
            totals = totals and not any(_is_total(next(filter(None, r), "")) for _, r in held)
            yield from held
            held.clear()
            yield line, row
        else:
            yield line, row
        before = line, row
    notes.extend(_left_out([line], "the names again") for line in again[:3])
    if parts:
        more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
        shown = ", ".join(map(str, parts[:3]))
        notes.append(f"the subtotals in line {shown}{more} are left out")
    if held:
        what = "a total or a remark" if any(any(row) for _, row in held) else "empty cells"
        notes.append(_left_out([line for line, _ in held], f"{what} below the table"))


def _is_total(first: str) -> bool:
    """Whether a row's first known cell says so."""
    if len(first) > _LONGEST_TOTAL or first[:1].isdigit():
        return False
    return bool(_TOTAL.fullmatch(first.partition(":")[0].strip()) or _ROWS.fullmatch(first.strip()))


def _is_remark(line: int, row: Sequence[str], before: Row, held: Sequence[Row], width: int) -> bool:
    """Whether a row of few cells, which are text, is apart from those before it."""
    cells = [cell for cell in row if cell]
    if len(cells) > max(1, width / 2) or any(map(like_data, cells)) or len(row) == width <= 2:
        return False
    end = before[0] + sum(cell.count("\n") for cell in before[1])
    return bool(held) or line > end + 1


def _left_out(lines: Sequence[int], what: str) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}, {what}, is left out"
    return f"lines {lines[0]} to {lines[-1]}, {what}, are left out"
