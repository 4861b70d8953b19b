"""Convolutions of every kind of window, values and gradients, against PyTorch and JAX."""

from __future__ import annotations

from functools import partial

import jax_witness
import numpy as np
import pytest
import torch_witness
from conv_shapes import N_SHAPES, convolution
from oracle_compare import assert_agree, backward, differentiate, forward, parameters_of
from oracle_parts import PARTS

RTOL = 1e-10


@pytest.mark.parametrize("witness", [torch_witness, jax_witness], ids=["torch", "jax"])
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("number", range(N_SHAPES))
def test_window(number, transposed, witness):
    part, x = convolution(number, transposed)
    expected, pull = differentiate(
        witness,
        partial(PARTS[f"layer.{part.name}"].witness, witness, part),
        parameters_of(part),
        {"x": x},
    )
    outputs, cache = forward(part, (x,))
    assert_agree(outputs, expected, RTOL)
    rng = np.random.default_rng(number)
    cotangents = {name: rng.normal(size=value.shape) for name, value in expected.items()}
    gradients = backward(part, cache, cotangents)
    assert_agree(gradients, pull(cotangents), RTOL)
