"""Inference by compiled code: the model's own results, and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import npvae as nv
from npvae.executor.lower import RULES

pytest.importorskip("numba")

MODELS = {
    "vae": lambda: nv.VAE(9, 3, hidden=(8, 7)),
    "long rows": lambda: nv.VAE(300, 3, hidden=(150,), activation="tanh"),
    "real": lambda: nv.VAE(9, 3, hidden=(8,), likelihood="gaussian", activation="gelu"),
    "counts": lambda: nv.VAE(9, 3, hidden=(8,), likelihood="poisson", activation="softplus"),
    "flowed": lambda: nv.VAE(9, 3, hidden=(8,), posterior="planar:n=2"),
    "mixture": lambda: nv.VAE(9, 3, hidden=(8,), prior="vamp:n_components=4"),
    "standardised": lambda: nv.VAE(
        9, 3, hidden=(8,), likelihood="gaussian", activation="elu",
        standardise=dict(mean=[0.5] * 9, scale=[2.0] * 9),
    ),
    "images": lambda: nv.ConvVAE((8, 8), 3, channels=(4, 6)),
    "levels": lambda: nv.HierarchicalVAE(9, (4, 2), hidden=(8,)),
}  # fmt: skip


def rows_for(model, n, seed=0):
    x = np.random.default_rng(seed).random((n, model.x_dim), np.float32)
    return np.round(5 * x) if model.likelihood.name == "poisson" else x


def stirred(model):
    """With biases that are not 0."""
    model.flat += np.float32(0.1) * np.random.default_rng(1).normal(size=model.n_params).astype(
        "f4"
    )
    return model


@pytest.mark.smoke
@pytest.mark.parametrize("rows", [1, 5, 33])
@pytest.mark.parametrize("name", MODELS)
def test_the_model_s_own_results(name, rows):
    model = stirred(MODELS[name]())
    quick, x = nv.compiled(model, rows), rows_for(model, rows)
    z = np.random.default_rng(2).normal(size=(rows, model.z_dim)).astype(np.float32)
    encoded, expected = quick.encode(x), model.encode(x)
    if not isinstance(expected, list):
        encoded, expected = [encoded], [expected]
    for pair, other in zip(encoded, expected, strict=True):
        assert isinstance(pair, tuple)
        for one, two in zip(pair, other, strict=True):
            assert (one.dtype, one.shape) == (two.dtype, two.shape)
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    mean, other = quick.decode(z), model.decode(z)
    assert (mean.dtype, mean.shape) == (other.dtype, other.shape)
    np.testing.assert_allclose(mean, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_every_call_gives_the_same_bits(rows):
    """Calls take turns at two places in memory, and at the order of the weights."""
    model = stirred(MODELS["long rows"]())
    quick, x, z = nv.compiled(model, rows), rows_for(model, rows), np.ones((rows, 3), np.float32)
    encoded, decoded = quick.encode(x), quick.decode(z)
    for _ in range(3):
        np.testing.assert_array_equal(quick.encode(x), encoded)
        np.testing.assert_array_equal(quick.decode(z), decoded)
        quick.encode(rows_for(model, rows, seed=7))


@pytest.mark.parametrize("rows", [70, 257, 300, 600, 1024])
def test_many_rows_in_blocks(rows, monkeypatch):
    monkeypatch.setattr("npvae.executor.forward.WORTHWHILE", 0)  # threads share even these few
    monkeypatch.setattr("npvae.executor.forward.AT_ONCE", 2)
    model = stirred(MODELS["vae"]())
    x, z = rows_for(model, rows), np.random.default_rng(2).normal(size=(rows, model.z_dim))
    alone = nv.compiled(model, rows, threads=1)
    for one, two in zip(alone.encode(x), model.encode(x), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alone.decode(z), model.decode(z), rtol=1e-4, atol=1e-5)
    for threads in (2, 3, 9):
        shared = nv.compiled(model, rows, threads)
        np.testing.assert_array_equal(shared.encode(x), alone.encode(x))
        np.testing.assert_array_equal(shared.decode(z), alone.decode(z))
        np.testing.assert_array_equal(shared.decode(z, "draw", 4), alone.decode(z, "draw", 4))
    by_column = np.asfortranarray(x)
    np.testing.assert_array_equal(alone.encode(by_column), alone.encode(x))


def test_what_an_interrupt_leaves_running_is_waited_for(monkeypatch):
    """Else two threads would compute in one memory, at addresses of which some are the other's."""
    monkeypatch.setattr("npvae.executor.forward.WORTHWHILE", 0)
    model, rows = stirred(MODELS["vae"]()), 300
    quick, x = nv.compiled(model, rows, 2), rows_for(model, rows)
    expected, (own, other) = quick.encode(x), quick._posteriors._each
    loop, run, inside = other.loop, own.run, []
    running, go_on = threading.Event(), threading.Event()

    def slow(given):
        inside.append(len(inside))
        running.set()
        go_on.wait(10)
        most.append(len(inside))
        inside.pop()
        return loop(given)

    def interrupted(*given):
        running.wait(10)
        raise KeyboardInterrupt

    most = []
    monkeypatch.setattr(other, "loop", slow)
    monkeypatch.setattr(own, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick.encode(x)
    monkeypatch.setattr(own, "run", run)
    threading.Timer(0.1, go_on.set).start()
    for one, two in zip(quick.encode(x), expected, strict=True):
        np.testing.assert_array_equal(one, two)
    assert most == [1, 1]


@pytest.mark.parametrize("posterior", ["bernoulli", "categorical:n=2,classes=4"])
def test_codes_are_encoded_as_their_probabilities(posterior):
    model = stirred(nv.VAE(9, 8, hidden=(8,), posterior=posterior))
    x = rows_for(model, 3)
    found = nv.compiled(model, 3).encode(x)
    np.testing.assert_allclose(found, model.encode(x), rtol=1e-4, atol=1e-5)


def test_a_draw_and_the_mode():
    model = stirred(MODELS["vae"]())
    quick, z = nv.compiled(model), np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(quick.decode(z, "draw", seed=3), model.decode(z, None, "draw", 3))
    np.testing.assert_array_equal(quick.decode(z, take="mode"), model.decode(z, take="mode"))


def test_weights_are_shared_and_results_are_not():
    model = MODELS["vae"]()
    quick, x = nv.compiled(model), rows_for(model, 1)
    before = quick.encode(x)
    kept = [array.copy() for array in before]
    stirred(model)
    after = quick.encode(x)
    np.testing.assert_allclose(after[0], model.encode(x)[0], rtol=1e-4, atol=1e-5)
    assert np.abs(after[0] - before[0]).max() > 1e-3
    for array, old in zip(before, kept, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("form", ["bytes", "list", "float64", "by column"])
def test_x_in_other_forms(form):
    model = nv.VAE(9, 3, hidden=(8,), scale=255.0)
    x = np.random.default_rng(0).integers(0, 256, (2, 9)).astype(np.uint8)
    wide = x / 255
    given = {
        "bytes": x, "list": wide.tolist(), "float64": wide,
        "by column": np.asfortranarray(wide.astype(np.float32)),
    }[form]  # fmt: skip
    quick = nv.compiled(model, rows=2)
    np.testing.assert_allclose(quick.encode(given)[0], model.encode(x)[0], rtol=1e-4, atol=1e-5)


def test_what_the_model_refuses_is_refused_in_its_words():
    model = MODELS["vae"]()
    quick = nv.compiled(model)
    for x in (np.full((1, 9), np.nan), np.full((1, 9), 2.0), np.zeros((1, 8)), np.zeros(9)):
        for given in (x, x.astype(np.float32)):
            with pytest.raises(nv.DataError) as found, np.errstate(all="raise"):
                quick.encode(given)
            with pytest.raises(nv.DataError) as expected:
                model.encode(given)
            assert str(found.value) == str(expected.value)
    with pytest.raises(nv.DataError, match="z needs finite numbers"):
        quick.decode(np.full((1, 3), np.inf, np.float32))
    with pytest.raises(nv.DataError, match="compiled for 1 rows at a time; got x of 2"):
        quick.encode(np.zeros((2, 9)))
    with pytest.raises(nv.DataError, match=r"got z of 2.*rows=2"):
        quick.decode(np.zeros((2, 3)))


class Doubled(nv.layers.Dense, abstract=True):
    def forward(self, x):
        y, cache = super().forward(x)
        return 2 * y, cache


REFUSED = {
    "float64": (lambda: nv.VAE(9, 3, hidden=(8,), dtype="float64"), "weights are float64"),
    "context": (lambda: nv.VAE(9, 3, hidden=(8,), context_dim=2), "it takes a context"),
    "codes": (lambda: nv.Autoencoder(9, 3, hidden=(8,)), "Autoencoder encodes rows in a way"),
    "own part": (lambda: nv.VAE(9, 3, encoder=Doubled(9, 6)), "Doubled is a part of your own"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_compiled(name):
    make, why = REFUSED[name]
    with pytest.raises(nv.ConfigError, match=f"can't be compiled: .*{why}.*Call encode and decode"):
        nv.compiled(make())


def test_a_kernel_without_an_operation(monkeypatch):
    monkeypatch.delitem(RULES, "bias_gelu")
    with pytest.raises(nv.ConfigError, match="Python runs bias_gelu"):
        nv.compiled(MODELS["real"]())


def test_numpy_was_asked_for():
    nv.use_kernels("numpy")
    try:
        with pytest.raises(nv.ConfigError, match="NumPy was asked for"):
            nv.compiled(MODELS["vae"]())
    finally:
        nv.use_kernels(None)


def test_threads_that_call_at_once_get_their_own_results():
    model = MODELS["long rows"]()
    quick, wrong = nv.compiled(model), []

    def encode(seed):
        x = rows_for(model, 1, seed)
        expected = quick.encode(x)
        for _ in range(300):
            found = quick.encode(x)
            if not all(map(np.array_equal, found, expected)):
                wrong.append(seed)

    threads = [threading.Thread(target=encode, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
