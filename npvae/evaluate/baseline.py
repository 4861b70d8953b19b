"""What a model has to beat: the columns' own distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import clone
from ..core.numerics import known_sums
from ..models import Model
from ..models.base import START_ROWS
from ..models.observed import log_px_in

Array = np.ndarray


def columns_alone(model: Model, train: Any, x: Any) -> Array | None:
    """-log p of each row of x (N, D) by a decoder that knows nothing of z, (N,), in nats.

    It is what `model` starts from: its likelihood, as it starts, at the means of the columns of
    `train`. None where a likelihood has no such start.

    Parameters
    ----------
    model : Model, trained on `train`, whose scale and units are taken
    train : (M, D) array
    x : (N, D) array
    """
    mean, some = _start(model, train)
    likelihood = clone(model.likelihood).allocate(np.random.default_rng(0))
    likelihood.start_from(some)
    bias = likelihood.output_bias(mean, len(train))
    if bias is None:
        return None
    nats, reader = [], model.reader(x)
    for rows in reader.chunks():
        batch = reader.checked(rows).astype(np.float64)
        likelihood.check(batch)
        theta = np.broadcast_to(bias, (1, len(batch), len(bias)))
        nats.append(-log_px_in(model.units, likelihood, theta, batch)[0][0])
    return np.concatenate(nats)


def _start(model: Model, train: Any) -> tuple[Array, Array]:
    """The mean of each column's known entries, and some of the rows, as the model takes them."""
    reader = model.reader(train)
    total, known = np.zeros((2, model.x_dim))
    for rows in reader.chunks():
        sums, counts = known_sums(reader.batch(rows))
        total, known = total + sums, known + counts
    some = np.linspace(0, len(reader) - 1, min(len(reader), START_ROWS)).astype(int)
    return total / np.maximum(known, 1), reader.batch(some).astype(np.float64)
