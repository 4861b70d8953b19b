"""Convolutions of every kind of window, values and gradients, against PyTorch and JAX.

JAX compiles each window anew, so it sees those of even numbers as convolutions and the others as
transposes: the two are one form (`npvae.kernels.conv`).
"""

from __future__ import annotations

from functools import partial

import jax
import jax_witness
import numpy as np
import pytest
import torch_witness
from conv_shapes import N_SHAPES, convolution
from oracle_compare import assert_agree, backward, differentiate, forward, parameters_of
from oracle_parts import PARTS

RTOL = 1e-10


CASES = [
    pytest.param(number, transposed, witness, id=f"{number}-{kind}-{name}")
    for number in range(N_SHAPES)
    for transposed, kind in ((False, "conv"), (True, "transpose"))
    for witness, name in ((torch_witness, "torch"), (jax_witness, "jax"))
    if witness is torch_witness or transposed == number % 2
]


@pytest.fixture(autouse=True)
def compiled_at_once_and_forgotten(monkeypatch):
    """JAX maps memory for all that it ever compiled, and aborts where the system has no more."""
    monkeypatch.setattr(jax_witness, "vjp", jax_witness.vjp_at_once)
    yield
    jax.clear_caches()


@pytest.mark.parametrize(("number", "transposed", "witness"), CASES)
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
