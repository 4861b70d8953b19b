"""fit against the same training written out by hand, and what may not change its result."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import npvae as nv
from npvae.core.schedules import Cosine, Linear
from npvae.training.steps import EagerSteps

KEYS = [
    "epoch", "train_loss", "train_rec", "train_kl", "seconds", "lr", "beta",
    "valid_loss", "valid_rec", "valid_kl",
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("kernels")


def small(**options):
    return nv.VAE(**{"x_dim": 5, "z_dim": 2, "hidden": (4,), "dtype": "float64", **options})


def data(n=23, d=5, seed=0):
    return np.random.default_rng(seed).random((n, d)) * np.linspace(0.2, 1, d)


def without_time(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history.records]


def by_hand(
    model, x, *, epochs=2, batch_size=128, seed=0, lr=lambda t: 1e-3, beta=lambda t: 1.0,
    n_samples=1, context=None, weight_decay=0.0, clip_norm=None,
):  # fmt: skip
    """Train with value_and_grad and a textbook Adam, on the documented streams of random numbers.

    Returns (train_loss, train_rec, train_kl) of each epoch.
    """
    m, v, t, means = np.zeros(model.n_params), np.zeros(model.n_params), 0, []
    for epoch in range(1, epochs + 1):
        order = np.random.default_rng([seed, epoch, 0]).permutation(len(x))
        noise = np.random.default_rng([seed, epoch, 1])
        steps = math.ceil(len(x) / batch_size)
        total = np.zeros(3)
        for step in range(steps):
            now = epoch - 1 + step / steps
            rows = order[step * batch_size : (step + 1) * batch_size]
            eps = model.draw_noise(len(rows), n_samples, noise)
            batch = (x[rows], eps, None if context is None else context[rows])
            loss, gradients = nv.value_and_grad(model, nv.ELBO(beta(now), n_samples), *batch)
            rec, _ = nv.value_and_grad(model, nv.ELBO(0.0, n_samples), *batch)
            both, _ = nv.value_and_grad(model, nv.ELBO(1.0, n_samples), *batch)
            total += len(rows) * np.array([loss, rec, both - rec])
            g = np.concatenate([gradients[name].ravel() for name in model.params])
            if clip_norm is not None:
                g = g * min(1.0, clip_norm / np.linalg.norm(g))
            t += 1
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            update = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            model.flat[...] -= lr(now) * (update + weight_decay * model.flat)
        means.append(total / len(x))
    return means


def start_bias(model, x):
    p = (x.sum(0) + 0.5) / (len(x) + 1)
    model.params["decoder.layers.1.b"][...] = special.logit(p)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 8},  # 23 rows: the last batch is short
        {"batch_size": 23, "seed": 5},
        {"batch_size": 1000},
        {"batch_size": 1, "epochs": 1},
        {"batch_size": 6, "n_samples": 3},
        {"batch_size": 6, "lr": Linear(0.02, 0.001, epochs=1.5), "epochs": 3},
        {"batch_size": 6, "beta": Linear(0, 4, epochs=1.5), "epochs": 3},
        {"batch_size": 6, "weight_decay": 0.1, "lr": lambda t: 0.01},
        {"batch_size": 6, "clip_norm": 0.2},
    ],
    ids=lambda options: ", ".join(options) or "default",
)
def test_training_is_what_it_says(options):
    x, model, twin = data(), small(), small()
    start_bias(twin, x)
    means = by_hand(twin, x, **options)
    given = dict(options)
    beta = given.pop("beta", 1.0)
    optimiser = nv.Adam(
        weight_decay=given.pop("weight_decay", 0.0), clip_norm=given.pop("clip_norm", None)
    )
    history = nv.fit(
        model, x, objective=nv.ELBO(beta, given.pop("n_samples", 1)), optimiser=optimiser,
        **{"epochs": 2, **given},
    )  # fmt: skip
    np.testing.assert_allclose(model.flat, twin.flat, rtol=1e-9, atol=1e-12)
    for record, (loss, rec, kl) in zip(history.records, means, strict=True):
        np.testing.assert_allclose(
            [record["train_loss"], record["train_rec"], record["train_kl"]],
            [loss, rec, kl],
            rtol=1e-10,
        )


def test_training_with_a_context():
    x, c = data(), np.random.default_rng(1).normal(size=(23, 3))
    model, twin = small(context_dim=3), small(context_dim=3)
    start_bias(twin, x)
    by_hand(twin, x, context=c, batch_size=6)
    nv.fit(model, x, context=c, batch_size=6, epochs=2)
    np.testing.assert_allclose(model.flat, twin.flat, rtol=1e-9, atol=1e-12)


def test_records_have_these_keys_and_the_loss_adds_up():
    x = data()
    for objective, beta in ((nv.ELBO(beta=0.5), 0.5), (nv.IWAE(3), 1.0), (None, 1.0)):
        history = nv.fit(small(), x, objective=objective, epochs=2, batch_size=6, valid=x[:4])
        for i, r in enumerate(history.records):
            assert sorted(r) == sorted(KEYS)
            assert (r["epoch"], r["beta"], r["lr"]) == (i + 1, beta, 1e-3)
            assert r["train_loss"] == pytest.approx(r["train_rec"] + beta * r["train_kl"])
            assert r["valid_loss"] == pytest.approx(r["valid_rec"] + r["valid_kl"])
            assert r["seconds"] > 0
            assert all(type(v) is float for k, v in r.items() if k != "epoch")
    without = nv.fit(small(), x, epochs=1).records[0]
    assert [without[f"valid_{term}"] for term in ("loss", "rec", "kl")] == [None] * 3


@pytest.mark.parametrize("objective", [nv.ELBO(beta=7.0, n_samples=3, free_bits=1.0), nv.IWAE(4)])
def test_validation_is_the_plain_elbo_with_one_sample_whatever_trains(objective):
    x, valid, c = data(), data(9, seed=4), np.ones((23, 1))
    for context, held_out in ((None, valid), (None, (valid, None)), (c, (valid, c[:9]))):
        expected = []

        def measure(model, record, held_out=held_out, expected=expected):
            rng = np.random.default_rng([3, 0, 2])
            eps = model.draw_noise(9, 1, rng)
            own = held_out[1] if isinstance(held_out, tuple) else None
            expected.append(nv.value_and_grad(model, nv.ELBO(), valid, eps, own)[0])

        model = small(context_dim=0 if context is None else 1)
        history = nv.fit(
            model, x, context=context, valid=held_out, objective=objective, epochs=2, seed=3,
            callbacks=[measure],
        )  # fmt: skip
        np.testing.assert_allclose([r["valid_loss"] for r in history.records], expected)


def test_validation_does_not_touch_the_training():
    x, with_valid, without = data(), small(), small()
    nv.fit(with_valid, x, epochs=2, valid=data(9, seed=4))
    nv.fit(without, x, epochs=2)
    np.testing.assert_array_equal(with_valid.flat, without.flat)


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [
    (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (4, 4, [4]), (5, 1, [1] * 5), (1, 9, [1]),
])  # fmt: skip
def test_every_row_is_visited_once_in_an_order_of_its_own(monkeypatch, n, batch_size, sizes):
    x = np.full((n, 5), 0.5)
    x[:, 0] = np.arange(n) / 16  # a row's number, exact in floating point
    seen, forward = [], nv.VAE.forward

    def spy(self, batch, *rest, **options):
        seen.append((batch[:, 0] * 16).astype(int).tolist())
        return forward(self, batch, *rest, **options)

    monkeypatch.setattr(nv.VAE, "forward", spy)
    nv.fit(small(), x, epochs=3, batch_size=batch_size)
    assert [len(batch) for batch in seen] == sizes * 3
    rows = np.concatenate(seen).reshape(3, n)
    epochs = rows.tolist()
    assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
    if n > 4:
        assert epochs[0] != epochs[1] != epochs[2]
        assert epochs[0] != list(range(n))


def test_same_seed_same_bits(kernels):
    x = data().astype("float32")
    for kernel_set in ("numpy", "numba"):
        kernels(kernel_set)
        runs = []
        for seed in (1, 1, 2):
            model = small(dtype="float32")
            history = nv.fit(model, x, epochs=2, batch_size=6, seed=seed, valid=x[:5])
            runs.append((model.flat, without_time(history)))
        np.testing.assert_array_equal(runs[0][0], runs[1][0])
        assert runs[0][1] == runs[1][1]
        assert not np.array_equal(runs[0][0], runs[2][0])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 2e-4)])
@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=2, free_bits=0.1), nv.IWAE(3)])
def test_both_kernel_sets_train_alike(kernels, dtype, tolerance, objective):
    trained = []
    for kernel_set in ("numpy", "numba"):
        kernels(kernel_set)
        model = small(dtype=dtype, activation="gelu")
        history = nv.fit(
            model, data(), objective=objective, epochs=3, batch_size=6, lr=0.01,
            optimiser=nv.Adam(weight_decay=0.01),
        )  # fmt: skip
        trained.append((model.flat, history.records[-1]["train_loss"]))
    np.testing.assert_allclose(trained[1][0], trained[0][0], atol=tolerance)
    assert trained[1][1] == pytest.approx(trained[0][1], rel=tolerance)


@pytest.mark.parametrize("kernel_set", ["numba", "numpy"])
def test_fit_captures_its_steps_unless_numpy_is_asked_for(kernels, kernel_set, monkeypatch):
    kernels(kernel_set)
    eager, run = [], EagerSteps.run
    monkeypatch.setattr(EagerSteps, "run", lambda self, *a: eager.append(a[0]) or run(self, *a))
    nv.fit(small(dtype=np.float32), data(), epochs=2)
    assert eager == ([1, 2] if kernel_set == "numpy" else [])


def test_the_loss_falls_on_the_digits(kernels):
    kernels(None)
    x, _ = nv.datasets.digits()
    x = x.astype("float32")
    model = nv.VAE(64, 8, hidden=(64,))
    history = nv.fit(model, x[:1500], epochs=8, batch_size=50, lr=3e-3, valid=x[1500:])
    losses = [r["train_loss"] for r in history.records]
    assert losses == sorted(losses, reverse=True)
    mean = x[:1500].mean(0)
    pixels_alone = -(special.xlogy(mean, mean) + special.xlog1py(1 - mean, -mean)).sum()
    assert history.records[-1]["valid_loss"] < pixels_alone - 2
    assert nv.log_likelihood(model, x[1500:], 50).mean() > model.elbo(x[1500:]).mean()


# Where a run starts


def test_the_first_fit_starts_at_the_training_mean():
    x = data()
    model = small()
    before = {name: p.copy() for name, p in model.params.items()}
    nv.fit(model, x, epochs=1, lr=0.0)
    start_bias(twin := small(), x)
    np.testing.assert_allclose(model.flat, twin.flat, rtol=1e-14)
    changed = [name for name in before if not np.array_equal(before[name], model.params[name])]
    assert changed == ["decoder.layers.1.b"]
    gaussian = small(likelihood="gaussian")
    nv.fit(gaussian, x, epochs=1, lr=0.0)
    np.testing.assert_allclose(gaussian.params["decoder.layers.1.b"], x.mean(0))


def test_a_second_fit_goes_on_from_the_weights_with_a_fresh_optimiser():
    x, other = data(), 0.3 * data(seed=9)
    model = small()
    nv.fit(model, x, epochs=2, batch_size=6)
    twin = model.copy()
    nv.fit(model, other, epochs=0)
    np.testing.assert_array_equal(model.flat, twin.flat)  # the bias is not set again
    nv.fit(model, other, epochs=1, lr=0.0)
    np.testing.assert_array_equal(model.flat, twin.flat)
    by_hand(twin, other, epochs=2, batch_size=6)
    nv.fit(model, other, epochs=2, batch_size=6)
    np.testing.assert_allclose(model.flat, twin.flat, rtol=1e-9, atol=1e-12)


def test_schedules_are_recorded_as_of_the_epochs_last_step():
    x, steps = data(), 4
    lr, beta = Cosine(0.01, 0.002, epochs=2), Linear(0.0, 1.0, epochs=2)
    history = nv.fit(small(), x, objective=nv.ELBO(beta), lr=lr, epochs=4, batch_size=6)
    last = [epoch + (steps - 1) / steps for epoch in range(4)]
    assert [r["beta"] for r in history.records] == pytest.approx([min(t / 2, 1.0) for t in last])
    expected = [0.002 + 0.004 * (1 + math.cos(math.pi * min(t / 2, 1.0))) for t in last]
    assert [r["lr"] for r in history.records] == pytest.approx(expected)
    own = nv.fit(small(), x, lr=lambda t: 1e-3 / (1 + t), epochs=2, batch_size=6)
    assert [r["lr"] for r in own.records] == pytest.approx([1e-3 / 1.75, 1e-3 / 2.75])


def test_progress_changes_nothing_but_the_output(capsys):
    loud, silent = small(), small()
    nv.fit(loud, data(), epochs=3, progress=True, valid=data(5))
    out = capsys.readouterr().out.splitlines()
    nv.fit(silent, data(), epochs=3, valid=data(5))
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(loud.flat, silent.flat)
    assert [line.split("  ")[0] for line in out] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("valid loss" in line and "examples/s" in line for line in out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs is a whole number, 0 or more; got -1"),
        ({"epochs": 1.5}, "epochs"),
        ({"batch_size": 0}, "batch_size is a whole number, 1 or more; got 0"),
        ({"lr": -1e-3}, "lr is a finite number, 0 or more; got -0.001"),
        ({"lr": "fast"}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"lr": lambda t: -1.0}, "lr"),
        ({"seed": -1}, "seed"),
        ({"threads": 0}, "threads"),
        ({"resume": True}, "pass checkpoint="),
    ],
)
def test_arguments_that_make_no_run(options, message):
    model = small()
    with pytest.raises(nv.ConfigError, match=message):
        nv.fit(model, data(), **{"epochs": 1, **options})


@pytest.mark.parametrize(
    ("objective", "epochs", "message"),
    [
        (nv.ELBO(nv.Linear(0, 1, epochs=4)), 2,
         "beta reaches its end after 4 epochs, and training stops after 2, at 0.5 instead of 1: "
         "train longer, or let it change in fewer epochs."),
        (nv.STL(beta=nv.Cyclical(0, 1, epochs=4)), 1, "beta reaches its end after 2 epochs"),
        (nv.ELBO(5, capacity=nv.Linear(0, 8, epochs=3)), 2, "capacity reaches its end after 3"),
        (nv.ELBO(level_betas=[nv.Linear(0, 1, epochs=3)]), 2, "the beta of level 1 reaches its"),
    ],
)  # fmt: skip
def test_training_that_ends_before_the_warm_up_is_told(objective, epochs, message):
    x = np.random.default_rng(0).random((20, 4))
    with pytest.warns(UserWarning, match="reaches its end") as caught:
        nv.fit(nv.VAE(4, 2, hidden=(3,)), x, objective=objective, epochs=epochs)
    assert str(caught[0].message).startswith(message)
    assert caught[0].filename == __file__


def test_training_that_sees_the_warm_ups_end_is_told_nothing():
    x = np.random.default_rng(0).random((20, 4))
    for beta in (nv.Linear(0, 1, epochs=2), nv.Cyclical(0, 1, epochs=4), nv.Constant(0.5)):
        nv.fit(nv.VAE(4, 2, hidden=(3,)), x, objective=nv.ELBO(beta), epochs=2)
