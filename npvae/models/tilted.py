"""Rows that a model draws: mended, and chosen among where there is a tilt."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError
from ..data.redraws import mended

Array = np.ndarray

CHUNK = 1 << 15
"""Rows that are drawn at a time, at most."""
_PATIENCE = 100
"""So many chunks of which none is kept are enough: a fitted tilt keeps every sixth row or more."""


def tilted_rows(model: Any, n: int, rng: np.random.Generator) -> Array:
    """n rows (n, D) of the tilted distribution: of those drawn, the ones that the tilt keeps."""
    kept: list[Array] = []
    missing, in_vain = n, 0
    while missing > 0:
        size = min(max(64, int(1.2 * model.tilt.most * missing)), CHUNK)
        z = model.draw_z(size, rng, None)
        drawn = model.decode(z, take="draw", seed=int(rng.integers(1 << 62)))
        drawn = mended(drawn, model.functions, model.redraws, rng)
        drawn = drawn[model.tilt.kept(drawn, rng)][:missing]
        kept.append(drawn)
        missing -= len(drawn)
        in_vain = 0 if len(drawn) else in_vain + 1
        if in_vain == _PATIENCE:
            raise ConfigError(
                "this model's tilt keeps none of the rows that it draws, so it is not that of this "
                "model; calibrate the model anew."
            )
    return np.concatenate(kept)
