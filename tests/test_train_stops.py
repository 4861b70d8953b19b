"""How training ends early: callbacks, early stopping, NaN, interrupts, and what is left."""

from __future__ import annotations

import contextlib
import math
import signal

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import npvae as nv
import npvae.core.threads

pytestmark = pytest.mark.usefixtures("kernels")


X = np.random.default_rng(0).random((20, 5))


def small(**options):
    return nv.VAE(**{"x_dim": 5, "z_dim": 2, "hidden": (4,), **options})


class Script:
    """Gives every epoch the validation loss that the test wants, and keeps its weights."""

    def __init__(self, losses):
        self.losses, self.weights = losses, []

    def __call__(self, model, record):
        record["valid_loss"] = self.losses[record["epoch"] - 1]
        self.weights.append(model.flat.copy())


# Callbacks


def test_callbacks_see_the_model_and_the_record_after_each_epoch():
    model, seen = small(), []

    def keep(given, record):
        assert given is model
        seen.append((record, model.flat.copy()))

    history = nv.fit(model, X, epochs=3, callbacks=[keep])
    assert [record for record, _ in seen] == history.records
    np.testing.assert_array_equal(seen[-1][1], model.flat)
    assert not np.array_equal(seen[0][1], seen[1][1])


@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_that_returns_true_stops_after_all_were_called(answer):
    calls = []

    def second(model, record):
        return answer if record["epoch"] == 2 else None

    def third(model, record):
        calls.append(record["epoch"])
        return False

    for order in ([second, third], [third, second]):
        history = nv.fit(small(), X, epochs=9, callbacks=order)
        assert [r["epoch"] for r in history.records] == [1, 2]
    assert calls == [1, 2, 1, 2]


def test_finish_is_called_once_at_the_end():
    class Finisher:
        ended = 0

        def __call__(self, model, record):
            assert not self.ended

        def finish(self, model):
            self.ended += 1

    finisher = Finisher()
    nv.fit(small(), X, epochs=3, callbacks=[finisher])
    assert finisher.ended == 1


# Early stopping


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "epochs_run", "best"),
    [
        ([5, 4, 3, 2, 1], 1, 0.0, 5, 5),  # never stops
        ([5, 4, 6, 7, 1], 2, 0.0, 4, 2),
        ([5, 4, 6, 7, 1], 3, 0.0, 5, 5),
        ([5, 4, 6, 7, 8], 9, 0.0, 5, 2),  # does not stop early, and still the best is kept
        ([5, 5, 5, 5, 5], 2, 0.0, 3, 1),  # as good is no improvement
        ([5, 4.95, 4.9, 4.85, 4], 3, 0.3, 4, 1),
        ([5, 4.5, 4.25, 4.22, 4.0], 2, 0.3, 4, 2),
        ([math.nan, 4, math.nan, math.nan, 1], 2, 0.0, 4, 2),
    ],
)
def test_early_stopping_keeps_the_best_weights(losses, patience, min_delta, epochs_run, best):
    script, stopping, model = Script(losses), nv.EarlyStopping(patience, min_delta), small()
    history = nv.fit(model, X, epochs=5, valid=X, callbacks=[script, stopping])
    assert len(history.records) == epochs_run
    assert stopping.best_epoch == best
    assert stopping.best_loss == losses[best - 1]
    np.testing.assert_array_equal(model.flat, script.weights[best - 1])


def test_early_stopping_without_any_number_leaves_the_last_weights():
    script, model = Script([math.nan] * 5), small()
    history = nv.fit(model, X, epochs=5, valid=X, callbacks=[script, nv.EarlyStopping(2)])
    assert len(history.records) == 2
    np.testing.assert_array_equal(model.flat, script.weights[-1])


def test_early_stopping_serves_a_second_run_afresh():
    stopping = nv.EarlyStopping(1)
    nv.fit(small(), X, epochs=3, valid=X, callbacks=[Script([1, 2, 3]), stopping])
    script, model = Script([9, 8, 7]), small()
    history = nv.fit(model, X, epochs=3, valid=X, callbacks=[script, stopping])
    assert len(history.records) == 3
    np.testing.assert_array_equal(model.flat, script.weights[2])


def test_early_stopping_needs_a_validation_loss():
    with pytest.raises(nv.ConfigError, match="pass valid= to fit"):
        nv.fit(small(), X, epochs=2, callbacks=[nv.EarlyStopping(1)])


@pytest.mark.parametrize(("arguments", "message"), [((0,), "patience"), ((1, -0.1), "min_delta")])
def test_early_stopping_checks_its_arguments(arguments, message):
    with pytest.raises(nv.ConfigError, match=message):
        nv.EarlyStopping(*arguments)


# Losses and gradients that are no numbers


class Failing(nv.ELBO, abstract=True):
    """An objective that goes wrong at its n-th step, and remembers the weights it then had."""

    def __init__(self, model, at, fail):
        super().__init__()
        self.model, self.at, self.fail, self.step = model, at, fail, 0

    def __call__(self, terms, epoch=math.inf):
        losses, d_terms = super().__call__(terms, epoch)
        self.step += 1
        if self.step == self.at:
            self.weights = self.model.flat.copy()
            losses = self.fail(losses, d_terms) or losses
        return losses, d_terms


def nan_loss(losses, d_terms):
    return {**losses, "loss": np.float64("nan")}


def inf_loss(losses, d_terms):
    return {**losses, "loss": np.float64("inf")}


def inf_gradient(losses, d_terms):
    d_terms.log_px[0, 0] = np.inf


def nan_gradient(losses, d_terms):
    d_terms.log_px[0, 0] = np.nan


@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
@pytest.mark.parametrize("fail", [nan_loss, inf_loss, inf_gradient, nan_gradient])
def test_training_stops_before_the_weights_take_it_in(tmp_path, kernels, kernel_set, fail):
    kernels(kernel_set)
    path, model = tmp_path / "model.npz", small()
    objective = Failing(model, at=4 * 2 + 3, fail=fail)  # 20 rows in batches of 5: epoch 3, step 3
    after_two = []
    with pytest.raises(nv.NonFiniteLoss) as caught:
        nv.fit(
            model, X, objective=objective, epochs=9, batch_size=5, checkpoint=path,
            callbacks=[lambda m, r: after_two.append(m.flat.copy())],
        )  # fmt: skip
    message = str(caught.value)
    for fragment in ("epoch 3, step 3", "smaller lr", "model after epoch 2 is in", str(path)):
        assert fragment in message
    assert ("gradient" if "gradient" in fail.__name__ else "loss") in message.split(" in epoch")[0]
    np.testing.assert_array_equal(model.flat, objective.weights)
    assert np.isfinite(model.flat).all()
    np.testing.assert_array_equal(nv.load(path).flat, after_two[1])
    model.elbo(X)


def test_no_checkpoint_is_named_where_there_is_none_yet(tmp_path):
    path, model = tmp_path / "model.npz", small()
    with pytest.raises(nv.NonFiniteLoss, match=r"in epoch 1, step 1\b") as caught:
        nv.fit(model, X, objective=Failing(model, 1, nan_loss), epochs=3, checkpoint=path)
    assert str(path) not in str(caught.value)
    assert not path.exists()


@pytest.mark.smoke
@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lr", [1e3, 1e10, 1e20, 1e30])
def test_a_huge_learning_rate_ends_in_that_error_or_in_finite_weights(
    kernels, kernel_set, likelihood, dtype, lr
):
    kernels(kernel_set)
    model = small(likelihood=likelihood, dtype=dtype)
    with contextlib.suppress(nv.NonFiniteLoss):
        nv.fit(model, X, epochs=20, batch_size=5, lr=lr)
    assert np.isfinite(model.flat).all()


@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_huge_learning_rate_is_named_as_the_cause(kernels, kernel_set, likelihood):
    kernels(kernel_set)
    with pytest.raises(nv.NonFiniteLoss, match=r"in epoch \d+, step \d+.*smaller lr"):
        nv.fit(small(likelihood=likelihood), X, epochs=20, batch_size=5, lr=1e30)


def test_a_weight_that_a_callback_ruins_is_noticed_in_the_next_step(tmp_path):
    def ruin(model, record):
        if record["epoch"] == 2:
            model.params["decoder.layers.1.b"][0] = np.nan

    with pytest.raises(nv.NonFiniteLoss, match=r"loss became nan in epoch 3, step 1"):
        nv.fit(small(), X, epochs=9, batch_size=5, callbacks=[ruin])


def test_clipping_goes_on_where_the_square_of_a_gradient_overflows():
    model = small()

    def steep(losses, d_terms):
        d_terms.log_px *= 1e25

    nv.fit(model, X, objective=Failing(model, 1, steep), epochs=1, optimiser=nv.Adam(clip_norm=1.0))
    assert np.isfinite(model.flat).all()


# Interrupts, and what is restored


def blas():
    return {i["filepath"]: i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


def interrupt_by_signal(*_):
    signal.raise_signal(signal.SIGINT)


def raise_error(*_):
    raise RuntimeError("mine")


@pytest.mark.parametrize("where", ["callback", "step"])
@pytest.mark.parametrize(
    ("stop", "error"), [(interrupt_by_signal, KeyboardInterrupt), (raise_error, RuntimeError)]
)
def test_an_interrupted_run_leaves_things_in_order(tmp_path, where, stop, error):
    path, model, expected = tmp_path / "model.npz", small(), small()
    options = dict(epochs=6, batch_size=5, checkpoint=path)
    if where == "callback":
        options["callbacks"] = [lambda m, record: record["epoch"] == 3 and stop()]
    else:
        options["objective"] = Failing(model, at=11, fail=stop)  # epoch 3, step 3
    before = blas()
    with pytest.raises(error):
        nv.fit(model, X, threads=1, **options)
    assert blas() == before
    assert np.isfinite(model.flat).all()
    assert all(np.shares_memory(p, model.flat) for p in model.params.values())
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    resumed = small()
    again = dict(epochs=6, batch_size=5, checkpoint=path, resume=True)
    if where == "step":
        again["objective"] = Failing(resumed, at=11, fail=stop)
        again["objective"].step = 11  # so that it never fails
    history = nv.fit(resumed, X, **again)
    nv.fit(expected, X, epochs=6, batch_size=5)
    np.testing.assert_array_equal(resumed.flat, expected.flat)
    assert [r["epoch"] for r in history.records] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("options", "multiply_adds"),  # of the largest product: a weight of 5·4 on so many rows
    [
        ({}, 20 * 20),
        ({"batch_size": 7}, 20 * 7),
        ({"batch_size": 7, "objective": nv.IWAE(3)}, 20 * 7 * 3),
    ],
)
def test_threads_hold_blas_during_the_run_and_are_restored_after(
    monkeypatch, options, multiply_adds
):
    seen = []
    with threadpool_limits(3, user_api="blas"):
        before = blas()
        assert set(before.values()) == {3}
        for threads, worthwhile in ((1, 0), (2, multiply_adds), (2, multiply_adds + 1)):
            monkeypatch.setattr(npvae.core.threads, "WORTHWHILE", worthwhile)
            watch = [lambda *_: seen.append(set(blas().values()))]
            nv.fit(small(), X, epochs=1, threads=threads, callbacks=watch, **options)
            assert blas() == before
    assert seen == [{1}, {2}, {1}]


def test_threads_do_not_change_what_is_learnt(monkeypatch):
    monkeypatch.setattr(npvae.core.threads, "WORTHWHILE", 0)
    one, two = small(dtype="float64"), small(dtype="float64")
    nv.fit(one, X, epochs=2, threads=1)
    nv.fit(two, X, epochs=2, threads=2)
    np.testing.assert_allclose(one.flat, two.flat, rtol=1e-10, atol=1e-12)


def test_a_refused_run_leaves_the_model_as_it_was():
    bad = X.copy()
    bad[3, 3] = np.nan
    for options in ({"x": bad}, {"x": X, "valid": bad}, {"x": X, "valid": X[:, :3]}):
        model, before = small(), small().flat
        with pytest.raises(nv.DataError):
            nv.fit(model, epochs=1, **options)
        np.testing.assert_array_equal(model.flat, before)
        assert model.scale is None
