"""The means and variances that layers such as BatchNorm infer with, measured over training rows.

Source: Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3: averages along the way lag
behind the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.parameters import children
from ..layers.mode import learning, watched_by
from ..layers.norm import BatchNorm
from ..models import Model
from ..models.base import START_ROWS
from .rows import Rows

Array = np.ndarray


def measures(part: Any) -> bool:
    """Whether some layer in a part infers with what `measure` finds."""
    return isinstance(part, BatchNorm) or any(measures(child) for _, child in children(part))


def measure(model: Model, rows: Rows, batch_size: int, rng: np.random.Generator) -> None:
    """Put the moments of what each BatchNorm of the model sees of training rows in its parameters.

    Of at most `START_ROWS` rows, evenly spread, in batches as in training.
    """
    sums: dict[int, Any] = {}

    def add(part: Any, seen: Array) -> None:
        x = seen.astype(np.float64)
        found = np.stack([np.full(x.shape[1], len(x)), x.sum(0), (x * x).sum(0)])
        before = sums.get(id(part))
        sums[id(part)] = part, found + (0 if before is None else before[1])

    chosen = np.linspace(0, len(rows) - 1, min(len(rows), START_ROWS)).astype(int)
    with learning(rng), watched_by(add), np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(chosen), batch_size):
            batch = rows.batch(chosen[start : start + batch_size], rng)
            eps = model.draw_noise(len(batch.x), 1, rng)
            model.forward(batch.x, eps, batch.context)
    for part, (n, total, squares) in sums.values():
        mean = total / n
        part.mean[...] = mean
        part.variance[...] = np.maximum(squares / n - mean * mean, 0)
