"""Rows that a model draws where a tilt chooses among them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

CHUNK = 1 << 15
"""Rows that are drawn at a time, at most."""


def tilted_rows(model: Any, n: int, rng: np.random.Generator) -> Array:
    """n rows (n, D) of the tilted distribution: of those drawn, the ones that the tilt keeps."""
    kept: list[Array] = []
    missing = n
    while missing > 0:
        size = min(max(64, int(1.2 * model.tilt.most * missing)), CHUNK)
        z = model.draw_z(size, rng, None)
        drawn = model.decode(z, take="draw", seed=int(rng.integers(1 << 62)))
        drawn = drawn[model.tilt.kept(drawn, rng)][:missing]
        kept.append(drawn)
        missing -= len(drawn)
    return np.concatenate(kept)
