"""Compiled programs of random steps against their replay on the kernels."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import RandomStep

import npvae as nv
from npvae.core import layout
from npvae.executor.graph import replay
from npvae.executor.places import Source
from npvae.executor.program import Program


def program_of(step, threads):
    """The program, its gradient, and inputs other than the recorded ones."""
    inputs, optimiser = step.inputs(0.1), nv.Adam()
    gradient = np.zeros_like(step.flat)
    sources = {
        name: Source(1, 1.0, inputs[name].shape[-1], inputs[name].ctypes.data)
        for name in ("x", "context")
    }
    update = gradient, optimiser.start(step.flat), optimiser
    program = Program(step.graph, step.weights, update, sources, threads)
    program.inputs = inputs  # which its sources point to
    return program, gradient, inputs


def run(step, threads):
    """The losses and the gradient, of which nothing is left that was there before."""
    program, gradient, inputs = program_of(step, threads)
    given = {name for name, _ in step.graph.gradients}
    for name, slot in layout(step.weights).items():
        slot.view(gradient)[...] = np.nan if name in given else 0
    program.arena.fill(255)  # NaN
    losses, scalars = np.empty((1, 3)), np.array([[inputs["beta"], 0.0, 1.0, 0.0]])
    order, noise = np.arange(step.batch), inputs["eps"]
    assert program.run(order, noise, scalars, losses, np.zeros(1), rehearsal=True) == 1
    return losses[0], gradient, program


@pytest.mark.smoke(8)
@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("seed", range(60))
def test_random_steps(seed):
    step = RandomStep(seed)
    views = {name: slot.view(step.flat) for name, slot in layout(step.weights).items()}
    wanted, truth = replay(step.graph, step.inputs(0.1), views)
    for threads in (1, 3):
        losses, gradient, _ = run(step, threads)
        np.testing.assert_allclose(losses, wanted, rtol=1e-4, atol=1e-4)
        for name, slot in layout(step.weights).items():
            now = slot.view(gradient)
            if name not in truth:
                np.testing.assert_array_equal(now, 0, name)
                continue
            error = np.abs(now - truth[name]).max() / max(1e-3, np.abs(truth[name]).max())
            assert error < 1e-4, f"{name} is off by {error:.1e} with {threads} threads"
