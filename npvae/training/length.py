"""How long a model trains where nobody says so."""

from __future__ import annotations

STEPS, STEPS_OF_IMAGES = 30_000, 5_000
"""How many steps training takes unless told otherwise. As many as ten epochs of MNIST have are for
images and other wide rows, whose steps are slow."""
WIDE = 1000
"""Columns from which on rows are wide."""
_WORK = 2e10
"""The most steps times parameters: with millions of weights a step takes tenths of a second."""


def epochs_of(steps: int, n_params: int, wide: bool) -> int:
    """How many epochs, of so many steps each, a model trains unless told otherwise."""
    wanted = min(STEPS_OF_IMAGES if wide else STEPS, int(_WORK / n_params))
    return min(1000, max(10, wanted // steps))
