"""Compiled steps against `value_and_grad` in float64, whoever shares the work, at odd sizes."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import (
    ACTIVATIONS,
    LAYOUTS,
    LIKELIHOODS,
    OBJECTIVES,
    WITH_CONSTANTS,
    Step,
    assert_agreement,
    batch,
    eager,
    network,
)

import npvae as nv
from npvae.core import layout
from npvae.executor import program

pytestmark = pytest.mark.usefixtures("share_all")

each_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
threads_1_2 = pytest.mark.parametrize("threads", [1, 2])


@pytest.mark.smoke
@threads_1_2
@pytest.mark.parametrize("activation", [*ACTIVATIONS, *WITH_CONSTANTS])
def test_each_activation(activation, threads):
    assert_agreement(network(activation=activation), nv.ELBO(), 7, threads)


@pytest.mark.smoke
@each_objective
@threads_1_2
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood_and_objective(likelihood, context_dim, threads, objective):
    model = network(likelihood=likelihood, context_dim=context_dim)
    assert_agreement(model, objective, 7, threads)


@pytest.mark.smoke
@threads_1_2
@pytest.mark.parametrize("hidden", LAYOUTS, ids=str)
def test_each_layout(hidden, threads):
    assert_agreement(network(hidden=hidden, activation="gelu"), nv.ELBO(n_samples=2), 7, threads)
    assert_agreement(network(3, 1, hidden=hidden, context_dim=1), nv.IWAE(2), 7, threads)


@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("width", [1, 5, 33])
@pytest.mark.parametrize("rows", [1, 2, 17, 37, 128])
def test_odd_sizes(rows, width, threads):
    model = network(width, max(1, width // 4), hidden=(width,), context_dim=width % 4)
    assert_agreement(model, nv.ELBO(n_samples=2), rows, threads)
    assert_agreement(model, nv.IWAE(3), rows, threads)


def test_a_scale_of_the_gaussian():
    assert_agreement(network(likelihood=nv.Gaussian(0.3)), nv.ELBO(), 7, 2)


def test_free_bits_cut_some_dimensions_and_not_others():
    model, objective = network(z_dim=4, likelihood="gaussian"), nv.ELBO(free_bits=0.2)
    given = batch(model, objective, 7, 1)
    terms, _ = model.forward(*given)
    below = terms.levels[0].kl.mean((0, 1)) < 0.2
    assert 0 < below.sum() < 4
    assert_agreement(model, objective, 7, 2)


def test_log_variances_at_their_bounds():
    model = network(likelihood="gaussian")
    model.params["encoder.layers.1.b"][2:] = [-30, 25]
    assert_agreement(model, nv.ELBO(beta=1e-8), 7, 2)


def test_every_operation_that_can_be_is_shared():
    step = Step(network(9, 3, hidden=(8,), context_dim=3), nv.IWAE(2), 8, threads=3)
    sharing = {op.name: op.sharing for op in step.program.operations if op.n_items >= 3}
    assert set(sharing.values()) == {3}
    assert {"product", "gather", "noise", "transpose", "bias_tanh", "repeat", "norm"} < set(sharing)


def test_operations_with_fewer_rows_than_threads_are_left_to_the_first():
    step = Step(network(9, 2, hidden=(2,)), nv.ELBO(), 8, threads=5)
    assert all(op.sharing == (5 if op.n_items >= 5 and op.work > 0 else 1)
               for op in step.program.operations)  # fmt: skip


def test_small_programs_run_on_one_thread(monkeypatch):
    monkeypatch.undo()
    assert Step(network(), nv.ELBO(), 4, threads=2).program.threads == 1
    large = network(784, 16, hidden=(300,))
    assert Step(large, nv.ELBO(), 128, threads=2).program.threads == 2
    assert Step(large, nv.ELBO(), 128, threads=1).program.threads == 1


def test_threads_beyond_the_most_are_not_used(monkeypatch):
    monkeypatch.setattr(program, "MOST_THREADS", 2)
    step = assert_agreement(network(hidden=(9,)), nv.ELBO(), 7, threads=100)
    assert step.program.threads == 2


# Whole steps


def by_hand(model, objective, batches, lr, **settings):
    """The same steps with kernels alone: losses of each, and Adam's state."""
    gradient = np.zeros_like(model.flat)
    optimiser, losses = nv.Adam(**settings), []
    state = optimiser.start(model.flat)
    for given in batches:
        now, gradients = eager(model, objective, given)
        losses.append(list(now.values()))
        for name, slot in layout(model).items():
            slot.view(gradient)[...] = gradients[name]
        optimiser.step(state, model.flat, gradient, lr)
    return np.array(losses), state


@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight_decay": 0.1},
        {"beta1": 0.0, "eps": 1e-3},
        {"clip_norm": 0.5},
        {"clip_norm": 1e9},
    ],
    ids=str,
)
def test_five_steps_with_adam(settings, threads):
    model, objective = network(likelihood="gaussian_learnt_scale"), nv.ELBO(n_samples=2)
    twin = model.copy()
    batches = [batch(model, objective, 7, seed) for seed in range(5)]
    step = Step(model, objective, 7, threads, nv.Adam(**settings))
    done, losses = step.run(batches, lr=0.01)
    wanted, state = by_hand(twin, objective, batches, 0.01, **settings)
    assert done == 5
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)
    np.testing.assert_allclose(model.flat, twin.flat, rtol=0, atol=2e-5)
    np.testing.assert_allclose(step.state.m, state.m, rtol=0, atol=2e-6 * np.abs(state.m).max())
    np.testing.assert_allclose(step.state.v, state.v, rtol=0, atol=2e-6 * state.v.max())


@threads_1_2
def test_a_rehearsal_leaves_weights_and_moments_alone(threads):
    model, objective = network(), nv.ELBO()
    step = Step(model, objective, 7, threads)
    before = model.flat.copy()
    assert step.run([batch(model, objective, 7)] * 2, rehearsal=True)[0] == 2
    np.testing.assert_array_equal(model.flat, before)
    assert not step.state.m.any()
    assert not step.state.v.any()


def test_a_program_can_be_run_in_pieces():
    """Steps and their losses do not depend on how many are asked for at once."""
    objective, flats = nv.ELBO(), []
    for pieces in ([6], [1, 5], [2, 2, 2]):
        model = network()
        step, batches = Step(model, objective, 7), [batch(model, objective, 7, s) for s in range(6)]
        for n in pieces:
            now, batches = batches[:n], batches[n:]
            step.run(now)
            step.state.t += n
        flats.append(model.flat)
    np.testing.assert_array_equal(flats[0], flats[1])
    np.testing.assert_array_equal(flats[0], flats[2])


def test_the_arena_holds_what_lives_and_no_more():
    """First fit on 2 hidden layers: less than two thirds of all buffers side by side."""
    step = Step(network(40, 8, hidden=(64, 64)), nv.ELBO(), 64)
    buffers = {
        id(access.ref.buffer): access.ref.buffer
        for op in step.program.operations for access in op.accesses
    }  # fmt: skip
    start, size = step.program.arena.ctypes.data, step.program.arena.size
    inside = [b for b in buffers.values() if start <= b.address < start + size]
    assert size < 2 / 3 * sum(b.size for b in inside)
