"""What is compiled wrongly is noticed before it trains anything: warned of, and run eagerly."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import network, numbers

import npvae as nv
from npvae.executor.lower import RULES
from npvae.executor.operations import machine
from npvae.executor.operations.declare import OPERATIONS, Declaration
from npvae.training import captured as steps

X = numbers((50, 5))
OPTIONS = dict(epochs=2, batch_size=16, lr=3e-3, seed=4)

SWAPS = [
    ("gaussian_heads_backward", "dmu", "dlogvar"),
    ("reparameterise", "mu", "logvar"),
    ("reparameterise_backward", "dz", "eps"),
    ("gaussian_kl", "mu", "logvar"),
    ("gaussian_kl_backward", "mu", "logvar"),
    ("bias_tanh_backward", "dh", "kept"),
    ("weighted_loss", "rec", "kl"),
    ("gaussian_log_prob", "mu", "logvar"),
    ("gaussian_log_prob_backward", "mu", "logvar"),
    ("iwae", "log_pz", "log_qz"),
    ("iwae", "d_log_px", "d_log_qz"),
]
"""Operands of the same size: mixing them up reads other numbers, and no other memory."""


def swapped(monkeypatch, operation, one, other):
    names = list(OPERATIONS[operation].operands)
    i, j = names.index(one), names.index(other)
    names[i], names[j] = names[j], names[i]
    right = Declaration.operands.func

    def operands(self):
        return tuple(names) if self.name == operation else right(self)

    monkeypatch.setattr(Declaration, "operands", property(operands))


def train_with_a_warning(attempts, objective=None, **options):
    """Captured training as it is broken now, and eager training; both must come to the same."""
    model, twin = network(**options), network(**options)
    with pytest.warns(UserWarning, match="captured step differs from the eager one .*eagerly"):
        history = nv.fit(model, X, objective=objective, **OPTIONS)
    assert attempts == [None]
    nv.use_kernels("numpy")
    eager = nv.fit(twin, X, objective=objective, **OPTIONS)
    np.testing.assert_allclose(model.flat, twin.flat, atol=1e-5)
    losses = [[r["train_loss"] for r in h.records] for h in (history, eager)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("swap", SWAPS, ids="-".join)
def test_two_operands_mixed_up(monkeypatch, attempts, swap):
    swapped(monkeypatch, *swap)
    objective = nv.IWAE(3) if "log_prob" in swap[0] or swap[0] == "iwae" else nv.ELBO(n_samples=2)
    train_with_a_warning(attempts, objective)


@pytest.mark.parametrize("swap", SWAPS[3:5], ids="-".join)
def test_the_kl_is_looked_at_where_a_warm_up_begins_without_it(monkeypatch, attempts, swap):
    swapped(monkeypatch, *swap)
    train_with_a_warning(attempts, nv.ELBO(lambda epoch: min(epoch / 50, 1.0)))


def test_a_beta_that_is_not_read(monkeypatch, attempts):
    """Nor does a beta of 1 hide that it is not multiplied by."""
    train = steps.Program.run

    def run(self, order, noise, scalars, *rest, **options):
        scalars = np.where(np.arange(4) == 0, 1.0, scalars)
        return train(self, order, noise, scalars, *rest, **options)

    monkeypatch.setattr(steps.Program, "run", run)
    train_with_a_warning(attempts)


def test_another_activation(monkeypatch, attempts):
    turned = {"bias_tanh": "bias_sigmoid", "bias_sigmoid": "bias_tanh"}
    right = machine.addresses

    def addresses(names):
        found = right({turned.get(name, name) for name in names})
        return {name: found[turned.get(name, name)] for name in names}

    monkeypatch.setattr(machine, "addresses", addresses)
    train_with_a_warning(attempts)


def test_an_operation_that_is_left_out(monkeypatch, attempts):
    """Memory that nothing was written to holds NaN: what it gives is no number."""

    def skip(to, call):
        for value in call.outputs:
            to.new(value)

    monkeypatch.setitem(RULES, "reparameterise_backward", skip)
    train_with_a_warning(attempts)


def test_a_gradient_that_is_not_written(monkeypatch, attempts):
    add_gradients = steps.Program.__init__

    def forgetful(self, graph, *arguments):
        del graph.gradients[-1]
        add_gradients(self, graph, *arguments)

    monkeypatch.setattr(steps.Program, "__init__", forgetful)
    train_with_a_warning(attempts)


def test_the_short_batch_is_compared_as_well(monkeypatch, attempts):
    compared = []
    compare = steps.CapturedSteps._compare

    def spy(self, program):
        compared.append(program.batch)
        compare(self, program)

    monkeypatch.setattr(steps.CapturedSteps, "_compare", spy)
    nv.fit(network(), X, **OPTIONS)
    assert compared == [16, 2]


def test_comparing_leaves_weights_and_gradient_as_they_were(attempts):
    model = network()
    nv.fit(model, X, epochs=0, lr=1.0)
    before = model.flat.copy()
    nv.fit(model, X, epochs=0, lr=1.0)
    np.testing.assert_array_equal(model.flat, before)
    assert not attempts[1].training.gradient.any()
    assert attempts[1].training.state.t == 0
    assert not attempts[1].training.state.v.any()


def test_a_batch_whose_loss_overflows_is_no_difference(attempts):
    """It can't be compared; training itself then says what is the matter."""
    x = X.copy()
    x[-1] = 1e25
    with pytest.raises(nv.NonFiniteLoss):
        nv.fit(network(likelihood="gaussian"), x, **OPTIONS)
    assert attempts[0] is not None


def test_a_unit_on_the_other_side_of_its_kink_is_no_mistake():
    """Entries that jump at a parameter of 1 have both their values; the others have one."""
    flat, jump = np.ones(50, np.float32), np.float32(0.3)

    def gradient():
        return np.where(np.arange(50) < 20, jump * (flat > 1), 2.0).astype(np.float32)

    least, most = steps._gradients_beside(gradient(), gradient, flat)
    np.testing.assert_array_equal(least, [0] * 20 + [2] * 30)
    np.testing.assert_array_equal(most, [jump] * 20 + [2] * 30)
    np.testing.assert_array_equal(flat, 1)


def test_a_gradient_that_varies_by_itself_is_not_looked_at_again():
    asked, first = [], np.zeros(3)

    def gradient():
        asked.append(len(asked))
        return first + len(asked)

    least, most = steps._gradients_beside(first, gradient, np.ones(3))
    assert len(asked) == 1
    np.testing.assert_array_equal([least, most], [first, first])
