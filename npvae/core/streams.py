"""Standard output and error, of which there may be none: in pythonw, say, or after ``2>&-``."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; None, a closed one and one that can't say are none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def write_line(text: str, stream: Any) -> None:
    """Write a line at once, or nothing where there is no stream; print() takes None for stdout."""
    if stream is not None:
        with contextlib.suppress(ValueError):  # it is closed
            print(text, file=stream, flush=True)


def in_notebook() -> bool:
    """Whether a notebook shows what is written: Jupyter's kernels have IPython loaded."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class NotebookLine:
    """A file of one line in a notebook's output: what is written takes the place of the last."""

    def __init__(self) -> None:
        self._handle: Any = None

    def write(self, text: str) -> None:
        line = {"text/plain": text.strip("\r\n ")}
        if not line["text/plain"]:
            return
        if self._handle is None:
            display: Any = sys.modules["IPython"].display
            self._handle = display.display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)

    def flush(self) -> None:
        pass
