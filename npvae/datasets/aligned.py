"""Tables whose cells blanks part: one word each, or one below the other, as programs print them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from .numerals import MISSING, is_number

_MARK = re.compile(r"[\t;|]|(?<![0-9]),|,(?![0-9])")
"""Delimiters; a comma may be that of decimals."""
LOOKED_AT = 200
_QUOTED = re.compile(r'"[^"]*"')
_FEWEST = 3
"""Lines that show columns."""

Gap = tuple[int, int]
"""Where blanks between two columns begin and end."""


def are_words(lines: Sequence[str]) -> bool:
    """Whether blanks part all rows alike: below names, or names less one as R has, are numbers."""
    if any(_MARK.search(_QUOTED.sub("", line)) for line in lines[:50]):
        return False
    first, *rows = list(_words([line.strip() for line in lines[:50]])) or [[]]
    widths = {len(row) for row in rows}
    quoted = bool(lines) and lines[0].startswith('"')
    if not rows or widths != {max(widths)} or len(first) not in (max(widths), max(widths) - quoted):
        return False
    return len(first) > 1 and any(map(_are_numbers, zip(*rows, strict=True)))


def gaps_of(lines: Sequence[str]) -> list[Gap]:
    """The blanks between columns, whose cells stand one below the other; none of another text.

    Columns part where every line has a blank. Where that is one blank alone it may part the words
    of a name or of a label: what has no name, or no cells below, is a part of what it stands
    beside.
    """
    block = [line.rstrip("\r\n") for line in _block(lines)[:LOOKED_AT]]
    if len(block) < _FEWEST or any(set(line) & set('\t"') for line in block):
        return []
    width = max(map(len, block))
    block = [line.ljust(width) for line in block]
    blank = [not "".join(column).strip() for column in zip(*block, strict=True)]
    runs = [(k, [i for i, _ in run]) for k, run in groupby(enumerate(blank), key=lambda p: p[1])]
    gaps = [(run[0], run[-1] + 1) for is_blank, run in runs if is_blank]
    gaps = [gap for gap in gaps if gap[0] > 0 and gap[1] < width]
    gaps = [gap for gap in gaps if not _is_inside(gap, gaps, block)]
    names, *rows = [cells_of(line, gaps) or [] for line in block]
    columns = list(zip(*rows, strict=True))
    known = [[cell for cell in column if cell.strip("-=")] for column in columns]
    fits = gaps and all(names[1:]) and any(map(_are_numbers, filter(None, known)))
    return gaps if fits else []


def cells_of(line: str, gaps: Sequence[Gap]) -> list[str] | None:
    """The cells of a line; None where one of them goes from one column into the next."""
    cuts = [0]
    for start, end in gaps:
        at = next((i for i in range(start, end) if line[i : i + 1].strip() == ""), None)
        if at is None:
            return None
        cuts.append(at)
    return [line[a:b].strip() for a, b in pairwise([*cuts, len(line)])]


def _is_inside(gap: Gap, gaps: Sequence[Gap], block: Sequence[str]) -> bool:
    """Whether one blank parts words of a name or of labels, rather than columns."""
    start, end = gap
    if end - start > 1:
        return False
    before = max((e for _, e in gaps if e <= start), default=0)
    after = min((s for s, _ in gaps if s >= end), default=len(block[0]))
    beside = [(before, start), (end, after)]
    named = [bool(block[0][a:b].strip()) for a, b in beside]
    filled = [any(line[a:b].strip() for line in block[1:]) for a, b in beside]
    return not named[1] or not all(filled)


def _block(lines: Sequence[str]) -> list[str]:
    """The first lines that no blank one parts, if they are enough; else all."""
    blocks = [list(run) for some, run in groupby(lines, key=lambda t: bool(t.strip())) if some]
    return next((block for block in blocks if len(block) >= _FEWEST), list(lines))


def _are_numbers(cells: Sequence[str]) -> bool:
    known = [cell.replace(",", ".") for cell in cells if cell.lower() not in MISSING]
    return bool(known) and all(cell[-1].isdigit() and is_number(cell) for cell in known)


def _words(lines: Sequence[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=" ", skipinitialspace=True)
    except csv.Error:  # the reader of the whole file says what is wrong
        return
