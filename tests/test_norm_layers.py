"""Norms and dropout: values, the two ways BatchNorm works, and training with them."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.core import bind, n_parameters
from npvae.core.errors import ConfigError
from npvae.gradcheck import check_gradients
from npvae.layers import BatchNorm, Conv2d, Dense, Dropout, GroupNorm, LayerNorm, Sequential
from npvae.layers.mode import learning

rng = np.random.default_rng(6)
X = rng.random((60, 16), dtype=np.float32)
OPTIONS = dict(batch_size=16, threads=1, progress=False)


def stream(seed=0):
    return np.random.default_rng(seed)


def layer(kind, *arguments):
    part = kind(*arguments)
    bind(part, rng.normal(size=n_parameters(part)))
    return part


@pytest.mark.parametrize(
    ("kind", "arguments", "axes"),
    [(LayerNorm, (), (3,)), (GroupNorm, (1,), (1, 2, 3)), (GroupNorm, (4,), (1, 2))],
)
def test_sets_have_mean_0_and_variance_1(kind, arguments, axes):
    part = kind((2, 3, 4), *arguments).allocate(rng)
    u = part.forward(rng.normal(3, 20, size=(5, 24)))[0].reshape(5, 2, 3, 4)
    np.testing.assert_allclose(u.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(u.var(axes), 1, rtol=1e-5)


@pytest.mark.parametrize("rows", [0, 1])
def test_of_one_number_or_none_there_is_nothing_to_bring_to_0(rows):
    with np.errstate(all="raise"):
        u, inverse = kernels.normalised(np.full((rows, 3), 5.0), (0,), 1e-4)
    np.testing.assert_array_equal(u, np.zeros((rows, 3)))
    np.testing.assert_allclose(inverse, np.full((1, 3), 100.0), rtol=1e-12)


@pytest.mark.parametrize("kind", [LayerNorm, GroupNorm])
def test_eps_is_added_to_the_variance(kind):
    x = rng.normal(size=(5, 6))
    u = kind(6, eps=0.5).allocate(rng).forward(x)[0]
    np.testing.assert_allclose(u.var(1), x.var(1) / (x.var(1) + 0.5), rtol=1e-12)


def test_gain_and_shift_are_by_channel():
    part = layer(LayerNorm, (2, 1, 3), "relu")
    plain = LayerNorm((2, 1, 3)).allocate(rng)
    x = rng.normal(size=(4, 6))
    u = plain.forward(x)[0].reshape(4, 2, 3)
    np.testing.assert_allclose(
        part.forward(x)[0], np.maximum(part.g * u + part.b, 0).reshape(4, 6), rtol=1e-12
    )


def test_batch_norm_learns_by_the_batch_and_infers_by_what_is_fixed():
    part = layer(BatchNorm, (2, 1, 3))
    part.variance[...] = np.exp(part.variance)
    x = rng.normal(2, 5, size=(7, 6))
    images = x.reshape(7, 2, 3)
    with learning(stream()):
        learnt = part.forward(x)[0].reshape(7, 2, 3)
    u = (images - images.mean((0, 1))) / np.sqrt(images.var((0, 1)) + part.eps)
    np.testing.assert_allclose(learnt, part.g * u + part.b, rtol=1e-10)
    inferred = part.forward(x)[0].reshape(7, 2, 3)
    u = (images - part.mean) / np.sqrt(part.variance + part.eps)
    np.testing.assert_allclose(inferred, part.g * u + part.b, rtol=1e-10)
    np.testing.assert_allclose(part.forward(x[:1])[0], inferred[:1].reshape(1, 6), rtol=1e-12)


def test_batch_norms_gradients_in_a_training_step():
    part = layer(BatchNorm, (2, 1, 3), "tanh")
    with learning(stream()):
        report = check_gradients(part, (rng.normal(size=(2, 4, 6)),))
    assert report.ok, str(report)


def test_gradients_before_an_activation_that_is_not_odd():
    part = layer(LayerNorm, (2, 1, 3), "gelu")
    assert check_gradients(part, (rng.normal(size=(4, 6)),), methods=["complex"]).ok


def net(*layers):
    return nv.VAE(16, 2, encoder=Sequential([*layers, Dense(8, 4)]), hidden=(8,), seed=2)


def normed():
    return net(
        Conv2d((4, 4, 1), 2, 3), BatchNorm((2, 2, 2), "relu"), Dense(8, 8), BatchNorm(8, "tanh")
    )


def test_statistics_are_those_of_training_rows_after_each_epoch(tmp_path):
    one = normed()
    nv.fit(one, X, epochs=3, valid=X[:20], **OPTIONS)
    first = one.encoder.layers[0].forward(X)[0].reshape(-1, 2).astype(float)
    norm = one.encoder.layers[1]
    np.testing.assert_allclose(norm.mean, first.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.variance, first.var(0), rtol=1e-4)
    one.save(tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.encode(X)[0], one.encode(X)[0])
    np.testing.assert_allclose(again.encode(X[:1])[0], one.encode(X)[0][:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make", [normed, lambda: net(Dense(16, 8, "tanh"), Dropout(0.3))], ids=["batch norm", "dropout"]
)
def test_captured_steps_are_eager_ones_and_resumed_runs_unbroken(make, tmp_path):
    bounds = []  # not the weights: a bias before BatchNorm changes nothing, and follows rounding
    for own in ("numpy", "numba"):
        nv.use_kernels(own)
        try:
            whole, half, again = make(), make(), make()
            nv.fit(whole, X, epochs=4, valid=X[:9], **OPTIONS)
            file = tmp_path / f"{own}.npz"
            nv.fit(half, X, epochs=2, checkpoint=file, **OPTIONS)
            nv.fit(again, X, epochs=4, checkpoint=file, resume=True, **OPTIONS)
            np.testing.assert_array_equal(again.flat, whole.flat)
            bounds.append(whole.elbo(X))
        finally:
            nv.use_kernels(None)
    np.testing.assert_allclose(bounds[1], bounds[0], rtol=1e-4)


def test_dropout_is_noise_of_mean_1_in_training_and_nothing_else():
    part, x = Dropout(0.25), rng.normal(size=(400, 50))
    assert part.forward(x)[0] is x
    with learning(stream(1)):
        assert Dropout(0).forward(x)[0] is x
        assert part.forward(x.astype(np.float32))[0].dtype == np.float32
    with learning(stream(1)):
        y, m = part.forward(x)
        again = part.forward(x)[0]
    assert set(np.unique(m)) == {0.0, 1 / 0.75}
    assert abs(m.mean() - 1) < 4 * (0.25 / 0.75 / m.size) ** 0.5
    np.testing.assert_array_equal(y, m * x)
    assert (again != y).any()
    with learning(stream(1)):
        np.testing.assert_array_equal(part.forward(x)[0], y)
    np.testing.assert_array_equal(part.backward(m, x), m * x)
    assert part.backward(m, x, wrt_input=False) is None


def test_what_trains_in_one_thread_infers_in_another():
    import threading

    part, x, found = Dropout(0.5), np.ones((3, 4)), []
    with learning(stream()):
        thread = threading.Thread(target=lambda: found.append(part.forward(x)[0]))
        thread.start()
        thread.join()
    assert found[0] is x


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: GroupNorm((2, 2, 4), 3), "got 3 for 4 channels"),
        (lambda: LayerNorm((2, 2)), r"LayerNorm's in_shape is n, or \(height, width, channels\)"),
        (lambda: Dropout(1.0), "Dropout's p is a share below 1; got 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(build, said):
    with pytest.raises(ConfigError, match=said):
        build()
