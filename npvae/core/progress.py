"""What a person sees while training runs: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .losses import LOSSES, losses_in

_LINES = 20
"""The most lines that a bar leaves, beside the last: more would scroll the start away."""


class Silent:
    """No progress at all."""

    def step(self, rows: int, losses: Mapping[str, float]) -> None:
        pass

    def epoch(self, record: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Silent):
    """One line per epoch, for pipes and logs."""

    def __init__(self, epochs: int, rows: int) -> None:
        self.epochs, self.rows = epochs, rows

    def epoch(self, record: dict[str, Any]) -> None:
        rate = self.rows / max(record["seconds"], 1e-9)
        print(f"{epoch_summary(record, self.epochs)}  {rate:,.0f} examples/s", flush=True)


class Bar(Silent):
    """A tqdm bar over all epochs, with the running losses and examples per second.

    The bar disappears when training ends. Lines of some epochs, and of the last, stay.
    """

    def __init__(self, epochs: int, rows: int, done: int) -> None:
        from tqdm import tqdm

        known_width = os.get_terminal_size(sys.stderr.fileno()).columns > 0
        self.bar: Any = tqdm(
            total=epochs * rows,
            initial=done * rows,
            unit=" examples",
            unit_scale=True,
            dynamic_ncols=known_width,
            ncols=None if known_width else 100,
            mininterval=0.2,
            leave=False,
        )
        self.epochs = epochs
        self.every = -(-epochs // _LINES)
        self.last: dict[str, Any] | None = None
        self.steps = 0

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
        if self.last is not None:
            self.bar.write(epoch_summary(self.last, self.epochs))
            self.last = None


def reporter(progress: bool, epochs: int, rows: int, done: int) -> Silent:
    """The display that suits where standard output and error go."""
    if not progress or done >= epochs:
        return Silent()
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError, OSError):  # no tqdm, or no terminal after all
            return Bar(epochs, rows, done)
    return Lines(epochs, rows)


def epoch_summary(record: dict[str, Any], epochs: int) -> str:
    """One epoch's record as a line of text, in nats per example."""
    line = f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}  {_train_losses(record)}"
    if record["valid_loss"] is not None:
        line += f"  |  valid {_in_words({name: record[f'valid_{name}'] for name in LOSSES})}"
    return line


def _train_losses(record: dict[str, Any]) -> str:
    return _in_words({name: record[f"train_{name}"] for name in losses_in(record)})


def _in_words(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{'KL' if n == 'kl' else n} {value:.2f}" for n, value in losses.items())


@contextlib.contextmanager
def notice_if_slow(text: str, seconds: float = 1.0) -> Iterator[None]:
    """Print `text` to standard error if the block is still running after some seconds."""
    timer = threading.Timer(seconds, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def counting(total: int, unit: str) -> Iterator[Callable[[int], Any]]:
    """Show a bar towards `total` on a terminal; gives the function that moves it on."""
    bar: Any = None
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            bar = tqdm(total=total, unit=f" {unit}", unit_scale=True, delay=1, leave=False)
    try:
        yield bar.update if bar is not None else lambda done: None
    finally:
        if bar is not None:
            bar.close()
