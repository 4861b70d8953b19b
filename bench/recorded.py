"""Ratios beside those of an earlier run, as `--json` wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEPT = 0.9
"""What is left of a recorded ratio may be less by the machine's noise, down to this share."""


def read(path: Path, isa: str) -> list[dict[str, Any]]:
    """The rows of a file of figures; `ValueError` for another file, or another isa."""
    try:
        figures = json.loads(path.read_text())
        rows, used = figures["results"], figures["header"]["instructions"]["isa"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no file that --json wrote: {error!r}") from None
    if used != isa:
        raise ValueError(f"{path} was measured with --isa {used}; pass that, or another file")
    return list(rows)


def setup(row: Mapping[str, Any]) -> tuple[str, int, str]:
    """What makes two rows comparable: the net, the threads and the peer."""
    return row["net"], row["threads"], row["peer"]


def short(found: Sequence[Mapping[str, Any]], recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each ratio that is below `KEPT` of the recorded one.

    Rows that only one of the two has are not compared; where no row is in both, a line says so.
    """
    before = {setup(row): row["ratio"] for row in recorded}
    common = [row for row in found if setup(row) in before and row["ratio"] is not None]
    lines = [
        f"{net}, {threads} threads: {peer} takes {row['ratio']:.2f} times as long as npvae, and "
        f"took {before[net, threads, peer]:.2f} times"
        for row in common
        for net, threads, peer in [setup(row)]
        if row["ratio"] < KEPT * (before[net, threads, peer] or 0)
    ]
    return lines if common else ["nothing that was recorded was measured"]
