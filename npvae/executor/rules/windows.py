"""The tables of a convolution: which places of two images meet by which taps, and in what order.

An image's places are numbered row by row. Along one axis `meetings` says for each place of the
smaller image which taps of its window meet the larger one, and where; padding is what none meets.
A table's offsets are in numbers, as `operations.convolve` reads them; n is how many rows of data
there are, side by side in an image by feature, (places, channels, n).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Meetings = list[list[tuple[int, int]]]
"""For each place along an axis (tap, place of the other image)."""

LONGEST = 640
"""How much of a sum is run over at a time, so that what the next tile reads as well stays near."""
FEW = 4
"""With fewer channels, the taps that lie side by side are rows of one tile."""


class Tables(NamedTuple):
    """What `operations.convolve` reads, and how many products it adds up for each column of C."""

    starts: Array
    items: Array
    runs: Array
    units: int
    turns: int
    products: int


class _Writer:
    """Tables in the making."""

    def __init__(self, a_bytes: int, b_bytes: int) -> None:
        self._bytes = np.array([a_bytes, b_bytes, 1])
        self.starts: list[int] = []
        self.items: list[tuple[int, ...]] = []
        self.runs: list[tuple[int, int, int]] = []

    def add(self, runs: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
        """Enter runs; returns where they begin and end."""
        first = len(self.runs)
        self.runs += runs
        return first, len(self.runs)

    def tables(self, turns: int) -> Tables:
        items = np.array(self.items, np.int64)
        runs = np.array(self.runs or [(0, 0, 0)], np.int64)
        lengths = np.concatenate([[0], np.cumsum(runs[:, 2])])
        products = int((items[:, 3] * (lengths[items[:, 5]] - lengths[items[:, 4]])).sum())
        starts = np.array([*self.starts, len(items)], np.int64)
        return Tables(starts, items, runs * self._bytes, len(self.starts) // turns, turns, products)


def meetings(
    places: int, size: int, taps: int, stride: int, padding: int, dilation: int
) -> Meetings:
    """Where a window's taps meet an image of this size, for each of the window's places."""
    met = (
        [(tap, stride * place - padding + dilation * tap) for tap in range(taps)]
        for place in range(places)
    )
    return [[(tap, at) for tap, at in window if 0 <= at < size] for window in met]


def turned(met: Meetings, size: int) -> Meetings:
    """The same meetings, as the larger image's places see them."""
    seen: Meetings = [[] for _ in range(size)]
    for place, window in enumerate(met):
        for tap, at in window:
            seen[at].append((tap, place))
    return seen


class Group(NamedTuple):
    """What each of so many groups has: channels, of the other image and as rows of this one.

    A tap's A begins `a_tap` numbers behind the one before, and a group's `a_group`.
    """

    groups: int
    channels: int
    rows: int
    a_tap: int
    a_group: int


def of_places(
    down: Meetings, right: Meetings, taps: tuple[int, int], other_width: int, group: Group, n: int
) -> Tables:
    """For an image that is a sum over another one's places: a unit is a place.

    The other has so many places in a row. An item is a group's: a run goes over its channels of the
    other image. Places that see the other in the same way share their runs, and so do groups. The
    sum is run over in turns where it is long.
    """
    groups, channels, rows, a_tap, a_group = group
    length = taps[0] * taps[1] * channels
    turns = -(-length // LONGEST)
    write, known = _Writer(4, 4 * n), {}
    for turn in range(turns):
        for number, (tall, wide) in enumerate(product(down, right)):
            first = tall[0][1] * other_width + wide[0][1] if tall and wide else 0
            steps = [[(tap, at - line[0][1]) for tap, at in line] for line in (tall, wide)]
            kind = turn, tuple(steps[0]), tuple(steps[1])
            if kind not in known:
                pieces = [
                    (tap * a_tap + begin, at * groups * channels + begin,
                     min(LONGEST, channels - begin))
                    for tap, at in _both(steps, taps[1], other_width)
                    for begin in range(0, channels, LONGEST)
                    if (tap * channels + begin) * turns // length == turn
                ]  # fmt: skip
                known[kind] = write.add(_joined(pieces))
            write.starts.append(len(write.items))
            for g in range(groups):
                b, c = (first * groups + g) * channels * n, (number * groups + g) * rows * n
                write.items.append((g * a_group, b, c, rows, *known[kind], int(turn > 0)))
    return write.tables(turns)


def _both(
    steps: Sequence[Sequence[tuple[int, int]]], taps: int, width: int
) -> Iterator[tuple[int, int]]:
    """(tap, place) of a window, of those along its axes."""
    for (i, y), (j, x) in product(*steps):
        yield i * taps + j, y * width + x


def _joined(pieces: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Runs, of pieces that follow one another in A and in B."""
    runs: list[tuple[int, int, int]] = []
    for a, b, k in pieces:
        if runs and (a, b) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1] = (*runs[-1][:2], runs[-1][2] + k)
        else:
            runs.append((a, b, k))
    return runs


class Roles(NamedTuple):
    """What a weight's gradient is written of: which image gives the rows of C, and C's form.

    `rows` and `columns` are the numbers of a group's channels; the larger image gives the rows or
    not. A tap's C begins `c_tap` numbers behind the one before, a group's `c_group`, and its rows
    lie `c_row` apart.
    """

    groups: int
    rows: int
    columns: int
    larger_gives_rows: bool
    c_tap: int
    c_group: int
    c_row: int


def of_taps(
    down: Meetings, right: Meetings, taps: tuple[int, int], larger_width: int, roles: Roles, n: int,
    threads: int, side_by_side: bool,
) -> Tables:  # fmt: skip
    """For the weights' gradient: a unit is a group's tap, or a line of them if they lie so.

    A run is what a pair of places adds. Both images are (places, ...) of n numbers a channel; the
    one that gives the columns lies (places, n, channels). Rows are shared by units where there are
    too few units; this changes no sum.
    """
    groups, rows, columns = roles.groups, roles.rows, roles.columns
    write = _Writer(4 * groups * rows * n, 4 * groups * columns * n)
    joined = side_by_side and roles.larger_gives_rows and rows < FEW and groups == 1
    spans = [range(taps[1])] if joined else [range(j, j + 1) for j in range(taps[1])]
    lines = taps[0] * len(spans) * groups
    parts = 1 if joined or lines % threads == 0 else min(threads, rows)
    places = len(down) * len(right)
    turns = -(-places // max(1, LONGEST // n))
    for turn in range(turns):
        now = range(places * turn // turns, places * (turn + 1) // turns)
        for i, span in product(range(taps[0]), spans):
            found = {
                met: write.add(pairs)
                for met, pairs in _pairs(
                    down, right, now, i, span, larger_width, roles.larger_gives_rows, n
                ).items()
            }
            for g, part in product(range(groups), range(parts)):
                begin = rows * part // parts
                height = rows * (part + 1) // parts - begin
                write.starts.append(len(write.items))
                c = (i * taps[1] + span[0]) * roles.c_tap + g * roles.c_group + begin * roles.c_row
                if turn == 0:  # what is cleared, others add to
                    write.items.append((0, 0, c, height * len(span), 0, 0, 0))
                a, b = (g * rows + begin) * n, g * columns
                for (left, end), runs in found.items():
                    at = c + (left - span[0]) * roles.c_tap
                    write.items.append((a, b, at, height * (end - left), *runs, 1))
    return write.tables(turns)


def _pairs(
    down: Meetings, right: Meetings, now: range, i: int, span: range, larger_width: int,
    larger_first: bool, n: int,
) -> dict[tuple[int, int], list[tuple[int, int, int]]]:  # fmt: skip
    """Which places of the two images meet by the taps of a line, by the taps that do: (first, end).

    Of the larger image it is the place that meets the first of them.
    """
    found: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for place in now:
        y, x = divmod(place, len(right))
        tall = dict(down[y]).get(i)
        wide = [(tap, at) for tap, at in right[x] if tap in span]
        if tall is None or not wide:
            continue
        larger = tall * larger_width + wide[0][1]
        pair = (larger, place) if larger_first else (place, larger)
        found.setdefault((wide[0][0], wide[-1][0] + 1), []).append((*pair, n))
    return found


def of_matrices(down: Array, along: Array, place: int) -> tuple[list[float], Tables]:
    """For an image that is D x Aᵀ: a unit is a place, so many numbers, and an item one row of C.

    A has the products of the matrices' numbers that are not 0, and comes first.
    """
    weights: list[float] = []
    write = _Writer(4, 4 * place)
    for number, (tall, wide) in enumerate(product(down, along)):
        met = product(np.flatnonzero(tall).tolist(), np.flatnonzero(wide).tolist())
        pieces = []
        for i, j in met:
            pieces.append((len(weights), i * len(wide) + j, 1))
            weights.append(float(tall[i] * wide[j]))
        write.starts.append(len(write.items))
        write.items.append((0, 0, number * place, 1, *write.add(_joined(pieces)), 0))
    return weights, write.tables(1)
