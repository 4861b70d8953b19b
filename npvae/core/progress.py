"""What a person sees while training runs: a bar on a terminal or in a notebook, else lines."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .losses import LOSSES, in_words, is_of_level, losses_in
from .streams import NotebookLine, in_notebook, is_terminal, write_line

_LINES = 20
"""The most lines of epochs, beside the first and the last: more would scroll the start away."""
_SECONDS = 5.0
"""After so many without a line there is another, in a pipe."""


class Silent:
    """No progress at all."""

    def step(self, rows: int, losses: Mapping[str, float]) -> None:
        pass

    def epoch(self, record: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class LogLines(Silent):
    """Lines for pipes and logs: one every few seconds, and of some epochs."""

    def __init__(self, epochs: int, rows: int) -> None:
        self.epochs, self.rows = epochs, rows
        self.every = -(-epochs // _LINES)
        self.shown = time.monotonic()
        self.number, self.done = 0, 0
        self.waiting: dict[str, Any] | None = None

    def step(self, rows: int, losses: Mapping[str, float]) -> None:
        self.done += rows
        if time.monotonic() - self.shown > _SECONDS:
            share = f"{100 * self.done / self.rows:.0f} %"
            self._write(f"epoch {self.number + 1}/{self.epochs}, {share}  {_in_words(losses)}")

    def epoch(self, record: dict[str, Any]) -> None:
        self.number, self.done, self.waiting = record["epoch"], 0, record
        due = time.monotonic() - self.shown > _SECONDS
        if due or self.number == 1 or self.number % self.every == 0:
            self.close()

    def close(self) -> None:
        """Show the last epoch, if it was not shown yet."""
        if self.waiting is not None:
            rate = self.rows / max(self.waiting["seconds"], 1e-9)
            line = epoch_summary(self.waiting, self.epochs)
            self.waiting = None
            self._write(f"{line}  {rate:,.0f} examples/s")

    def _write(self, line: str) -> None:
        self.shown = time.monotonic()
        write_line(line, sys.stdout)


class Bar(Silent):
    """A tqdm bar over all epochs, with the running losses and examples per second.

    The bar disappears when training ends. Lines of some epochs, and of the last, stay.
    """

    def __init__(self, epochs: int, rows: int, done: int, **options: Any) -> None:
        from tqdm import tqdm

        self.bar: Any = tqdm(
            total=epochs * rows,
            initial=done * rows,
            unit=" examples",
            unit_scale=True,
            leave=False,
            **(options or self._on_terminal()),
        )
        self.epochs = epochs
        self.every = -(-epochs // _LINES)
        self.last: dict[str, Any] | None = None
        self.steps = 0

    @staticmethod
    def _on_terminal() -> dict[str, Any]:
        known_width = os.get_terminal_size(sys.stderr.fileno()).columns > 0
        width = None if known_width else 100
        return {"dynamic_ncols": known_width, "ncols": width, "mininterval": 0.2}

    def step(self, rows: int, losses: Mapping[str, float]) -> None:
        self.steps += 1
        if self.steps % 16 == 1:
            self.bar.set_postfix_str(_in_words(losses), refresh=False)
        self.bar.update(rows)

    def epoch(self, record: dict[str, Any]) -> None:
        self.bar.set_description_str(f"epoch {record['epoch']}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(_train_losses(record), refresh=False)
        self.last = record
        if record["epoch"] % self.every == 0:
            self._keep()

    def close(self) -> None:
        self._keep()
        self.bar.close()

    def _keep(self) -> None:
        """Leave a line of the last epoch above the bar, once."""
        if self.last is not None and sys.stdout is not None:
            self.bar.write(epoch_summary(self.last, self.epochs))
        self.last = None


class NotebookBar(Bar):
    """The bar as a line of a cell's output; in the end it is the line of the last epoch."""

    def __init__(self, epochs: int, rows: int, done: int) -> None:
        self.line = NotebookLine()
        super().__init__(epochs, rows, done, file=self.line, ncols=100, mininterval=0.5)

    def close(self) -> None:
        self.bar.close()
        if self.last is not None:
            self.line.write(epoch_summary(self.last, self.epochs))

    def _keep(self) -> None:
        pass


def reporter(progress: bool | None, epochs: int, rows: int, done: int) -> Silent:
    """The display that suits where standard output and error go.

    None shows it to whoever watches, in a notebook or on a terminal, and to nobody else.
    """
    notebook = in_notebook()
    if progress is None:
        progress = notebook or (is_terminal(sys.stderr) and is_terminal(sys.stdout))
    if not progress or done >= epochs:
        return Silent()
    if notebook or is_terminal(sys.stderr):
        bar = NotebookBar if notebook else Bar
        with contextlib.suppress(ImportError, OSError):  # no tqdm, or no terminal after all
            return bar(epochs, rows, done)
    return LogLines(epochs, rows)


def epoch_summary(record: dict[str, Any], epochs: int) -> str:
    """One epoch's record as a line of text, in nats per example."""
    line = f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}  {_train_losses(record)}"
    if record["valid_loss"] is not None:
        line += f"  |  valid {_in_words({name: record[f'valid_{name}'] for name in LOSSES})}"
    return line


def _train_losses(record: dict[str, Any]) -> str:
    return _in_words({name: record[f"train_{name}"] for name in losses_in(record)})


def _in_words(losses: Mapping[str, float]) -> str:
    plain = {name: value for name, value in losses.items() if not is_of_level(name)}
    words = {name: f"{in_words(name)} {value:.2f}" for name, value in plain.items()}
    by_level = [f"{value:.2f}" for name, value in losses.items() if is_of_level(name)]
    if by_level:
        words["kl"] += f" ({' + '.join(by_level)} by level)"
    return ", ".join(words.values())


@contextlib.contextmanager
def notice_if_slow(text: str, seconds: float = 1.0) -> Iterator[None]:
    """Print `text` to standard error if the block is still running after some seconds."""
    timer = threading.Timer(seconds, lambda: write_line(text, sys.stderr))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def counting(total: int, unit: str) -> Iterator[Callable[[int], Any]]:
    """Show a bar towards `total` to whoever watches; gives the function that moves it on."""
    bar: Any = None
    notebook = in_notebook()
    if notebook or is_terminal(sys.stderr):
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            where = {"file": NotebookLine(), "ncols": 100} if notebook else {}
            options = {"unit": f" {unit}", "unit_scale": True, "leave": False}
            bar = tqdm(total=total, delay=1, **options, **where)
    try:
        yield bar.update if bar is not None else lambda done: None
    finally:
        if bar is not None:
            bar.close()
