"""The rows of an array as a model computes with them: checked, in blocks, shared by threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..data.reader import BLOCK, slices

Array = np.ndarray


class Batches:
    """Gives the rows of a slice of x, checked, with their context.

    Attributes
    ----------
    reader : Reader
    """

    def __init__(self, model: Any, x: Any, context: Any, support: bool = True) -> None:
        self.reader = model.reader(x)
        self._contexts = model.context_reader(context, len(self.reader.array))
        self._likelihood, self._support = model.likelihood, support

    def __len__(self) -> int:
        return len(self.reader.array)

    def __call__(self, rows: slice) -> tuple[Array, Array | None]:
        reader, contexts = self.reader, self._contexts
        batch = reader.batch(rows)
        if not (self._support and self._likelihood.clearly_supports(batch)):
            reader.check(batch, rows)
            if self._support:
                self._likelihood.check(batch)
        return batch, None if contexts is None else contexts.checked(rows)


def by_blocks(model: Any, function: Callable[[slice], Any], n: int) -> list[Any]:
    """What the function gives for each block of n rows, in their order."""
    if n <= BLOCK:
        return [function(slice(0, n))]
    return list(in_threads(model, function, ((rows,) for rows in slices(n, BLOCK)), n))


def joined(chunks: Sequence[Array]) -> Array:
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def in_threads(
    model: Any, function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], n: int
) -> Iterable[Any]:
    """What the function gives for each job, in order; n is how many rows they are in all."""
    if n <= BLOCK:
        return (function(*job) for job in jobs)
    from ..core.threads import shared  # which a few rows need nothing of

    return shared(function, jobs, BLOCK * model.flat.size)


def draws(
    model: Any, reader: Any, n_samples: int, rng: np.random.Generator
) -> Iterator[tuple[slice, Any]]:
    """The blocks of all rows, each of them n_samples times, and noise for one sample of each.

    Noise is drawn chunk by chunk, one sample at a time: memory does not grow with them.
    """
    for chunk in reader.chunks():
        for _ in range(n_samples):
            eps = model.draw_noise(chunk.stop - chunk.start, 1, rng)
            for block in slices(chunk.stop - chunk.start, BLOCK):
                own = [e[:, block] for e in eps] if isinstance(eps, list) else eps[:, block]
                yield slice(chunk.start + block.start, chunk.start + block.stop), own
