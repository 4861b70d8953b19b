"""Every registered part, outputs and gradients, against PyTorch's and JAX's autodiff."""

from __future__ import annotations

from functools import partial

import jax_witness
import numpy as np
import pytest
import torch_witness
from oracle_compare import (
    arguments,
    assert_agree,
    backward,
    differentiate,
    forward,
    parameters_of,
)
from oracle_parts import PARTS, ROOMS, Draw

from npvae.core import registered_parts

RTOL = 1e-10


def test_every_registered_part_has_a_witness():
    own = {n for n, cls in registered_parts().items() if cls.__module__.startswith("npvae.")}
    assert own == set(PARTS), "give the new part an entry in oracle_parts"


def test_every_entry_is_in_the_module_of_its_parts_room():
    rooms = {name: cls.__module__.split(".")[1] for name, cls in registered_parts().items()}
    for room, entries in ROOMS.items():
        assert {rooms[name] for name in entries} == {room}


@pytest.mark.parametrize("witness", [torch_witness, jax_witness], ids=["torch", "jax"])
@pytest.mark.parametrize("extreme", [False, True], ids=["ordinary", "extreme"])
@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("name", PARTS)
def test_part(name, n_samples, extreme, witness, use_kernels):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        part, inputs = PARTS[name].example(Draw(rng, n_samples, extreme))
        expected, pull = differentiate(
            witness,
            partial(PARTS[name].witness, witness, part),
            parameters_of(part),
            dict(zip(arguments(part), inputs, strict=False)),
        )
        cotangents = {n: rng.normal(size=output.shape) for n, output in expected.items()}
        expected_gradients = pull(cotangents)
        for kernels in ("numpy", "numba"):
            use_kernels(kernels)
            outputs, cache = forward(part, inputs)
            assert_agree(outputs, expected, RTOL)
            gradients = backward(part, cache, cotangents)
            assert_agree(gradients, {n: expected_gradients[n] for n in gradients}, RTOL)
