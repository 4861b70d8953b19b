"""What frameworks are given as arrays: masks of autoregressive networks, and labels."""

from __future__ import annotations

import numpy as np

from ..nets import N_CLASSES

WIDTH, CONTEXT = 64, 8
"""npvae's defaults of an IAF: the hidden layer, and how many numbers the encoder gives it."""


def autoregressive(z_dim: int, backwards: bool) -> list[np.ndarray]:
    """Masks (outputs, inputs) of two layers, from z and a context to two numbers a dimension."""
    degree = np.arange(1, z_dim + 1)[:: -1 if backwards else 1]
    unit = np.arange(WIDTH) % z_dim
    first = unit[:, None] >= np.concatenate([degree, np.zeros(CONTEXT, int)])
    second = np.tile(degree, 2)[:, None] > unit
    return [first.astype(np.float32), second.astype(np.float32)]


def unit_vectors(labels: np.ndarray) -> np.ndarray:
    """(N, C), zeros where a label is -1."""
    return (labels[:, None] == np.arange(N_CLASSES)).astype(np.float32)
