"""value_and_grad: pure, scaled as a mean over the batch, the same from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae import models  # noqa: F401  (all parts get registered)
from npvae.core.schedules import Linear


def own(family):
    """The names of npvae's own parts; other tests may have registered some of theirs."""
    parts = nv.registered(family).items()
    return sorted(name for name, part in parts if part.__module__.startswith("npvae."))


ACTIVATIONS = own("activation")
LIKELIHOODS = [name for name in own("likelihood") if name not in ("mixed", "transformed")]
"""Those that a name is enough for; Mixed is told its groups, Transformed its marginals."""
OBJECTIVES = [nv.ELBO(), nv.ELBO(beta=0.3, n_samples=3, free_bits=0.2), nv.IWAE(4)]
OBJECTIVE_IDS = ["elbo", "beta and free bits", "iwae"]


def setting(dtype="float64", k=3, n=6, **options):
    """A model off its initial zeros, with a batch and its noise."""
    model = nv.VAE(5, 2, hidden=(4,), activation="tanh", dtype=dtype, seed=1, **options)
    rng = np.random.default_rng(0)
    model.flat += 0.3 * rng.normal(size=model.n_params).astype(dtype)
    x = rng.random((n, 5))
    return model, x, model.draw_noise(n, k, rng)


@pytest.fixture
def kernels():
    """use_kernels, put back after the test."""
    yield nv.use_kernels
    nv.use_kernels(None)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=OBJECTIVE_IDS)
def test_names_shapes_and_types(objective):
    for dtype in ("float32", "float64"):
        model, x, eps = setting(dtype)
        loss, gradients = nv.value_and_grad(model, objective, x, eps)
        assert type(loss) is float
        assert list(gradients) == list(model.params)
        for name, gradient in gradients.items():
            assert gradient.shape == model.params[name].shape
            assert gradient.dtype == dtype
            assert gradient.any(), name


def test_the_elbo_loss_is_its_definition():
    model, x, eps = setting()
    mu, logvar = model.encode(x)
    z = mu + np.exp(logvar / 2) * eps
    p = model.decode(z.reshape(-1, 2)).reshape(3, 6, 5)
    rec = -(special.xlogy(x, p) + special.xlog1py(1 - x, -p)).sum(-1).mean()
    per_dimension = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(0)
    for beta, free_bits in ((1.0, 0.0), (0.3, 0.0), (2.0, float(per_dimension.mean()))):
        loss, _ = nv.value_and_grad(model, nv.ELBO(beta, 3, free_bits), x, eps)
        expected = rec + beta * np.maximum(per_dimension, free_bits).sum()
        np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_the_iwae_loss_is_its_definition():
    model, x, eps = setting(likelihood="gaussian")
    mu, logvar = model.encode(x)
    std = np.exp(logvar / 2)
    z = mu + std * eps
    mean = model.decode(z.reshape(-1, 2)).reshape(3, 6, 5)
    log_w = stats.norm.logpdf(x, mean).sum(-1) + stats.norm.logpdf(z).sum(-1)
    log_w -= stats.norm.logpdf(z, mu, std).sum(-1)
    expected = -(special.logsumexp(log_w, axis=0) - np.log(3)).mean()
    loss, _ = nv.value_and_grad(model, nv.IWAE(3), x, eps)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=OBJECTIVE_IDS)
def test_it_is_pure(objective):
    model, x, eps = setting()
    for array in (model.flat, x, eps):
        array.flags.writeable = False  # a write anywhere would raise
    inside = [set(vars(part)) for part in (model, *model.decoder.layers, *model.encoder.layers)]
    config, before = model.config, model.flat.copy()
    loss, gradients = nv.value_and_grad(model, objective, x, eps)
    again, same = nv.value_and_grad(model, objective, x, eps)
    assert loss == again
    for name in gradients:
        np.testing.assert_array_equal(gradients[name], same[name])
        assert not np.shares_memory(gradients[name], same[name])
        assert gradients[name].flags.owndata
    np.testing.assert_array_equal(model.flat, before)
    assert model.config == config
    parts = (model, *model.decoder.layers, *model.encoder.layers)
    assert [set(vars(part)) for part in parts] == inside


@pytest.mark.parametrize("objective", OBJECTIVES, ids=OBJECTIVE_IDS)
def test_loss_and_gradients_are_means_over_the_batch(objective):
    model, x, eps = setting()
    loss, gradients = nv.value_and_grad(model, objective, x, eps)
    twice, of_twice = nv.value_and_grad(
        model, objective, np.tile(x, (2, 1)), np.tile(eps, (1, 2, 1))
    )
    np.testing.assert_allclose(twice, loss, rtol=1e-13)
    for name in gradients:
        np.testing.assert_allclose(of_twice[name], gradients[name], rtol=1e-11, atol=1e-13)
    if not getattr(objective, "free_bits", 0):  # free bits look at the whole batch
        alone = [nv.value_and_grad(model, objective, x[[i]], eps[:, [i]]) for i in range(len(x))]
        np.testing.assert_allclose(np.mean([one for one, _ in alone]), loss, rtol=1e-12)
        for name in gradients:
            mean = np.mean([g[name] for _, g in alone], axis=0)
            np.testing.assert_allclose(mean, gradients[name], rtol=1e-11, atol=1e-13)


def test_more_equal_samples_leave_the_loss():
    model, x, eps = setting(k=1)
    for objective in (nv.ELBO(), nv.IWAE(1)):
        loss, gradients = nv.value_and_grad(model, objective, x, eps)
        thrice, of_thrice = nv.value_and_grad(model, objective, x, np.repeat(eps, 3, axis=0))
        np.testing.assert_allclose(thrice, loss, rtol=1e-13)
        for name in gradients:
            np.testing.assert_allclose(of_thrice[name], gradients[name], rtol=1e-11, atol=1e-13)


def test_a_schedule_is_taken_at_its_end():
    model, x, eps = setting()
    warm_up = nv.value_and_grad(model, nv.ELBO(beta=Linear(0, 0.7, epochs=3)), x, eps)
    constant = nv.value_and_grad(model, nv.ELBO(beta=0.7), x, eps)
    assert warm_up[0] == constant[0]


@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
def test_many_threads_at_once_equal_one_after_another(kernels, kernel_set):
    kernels(kernel_set)
    model, _, _ = setting(n=64)
    batches = [setting(n=64 + i) for i in range(24)]

    def one(i):
        _, x, eps = batches[i]
        return nv.value_and_grad(model, OBJECTIVES[i % 3], x, eps)

    serial = [one(i) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for (loss, gradients), (expected, expected_gradients) in zip(
            pool.map(one, range(24)), serial, strict=True
        ):
            assert loss == expected
            for name in gradients:
                np.testing.assert_array_equal(gradients[name], expected_gradients[name])


@pytest.mark.parametrize(
    ("activation", "likelihood"),
    [(a, "bernoulli") for a in ACTIVATIONS] + [("tanh", name) for name in LIKELIHOODS],
)
def test_both_kernel_sets_agree(kernels, likelihood, activation):
    model = nv.VAE(
        5, 2, hidden=(4, 3), activation=activation, likelihood=likelihood, dtype="float64",
        context_dim=1, seed=2,
    )  # fmt: skip
    _, x, eps = setting()
    context = x[:, :1] - 0.5
    for objective in OBJECTIVES:
        results = []
        for kernel_set in ("numpy", "numba"):
            kernels(kernel_set)
            results.append(nv.value_and_grad(model, objective, x, eps, context))
        (loss, gradients), (of_numba, gradients_of_numba) = results
        np.testing.assert_allclose(of_numba, loss, rtol=1e-12)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(
                gradients_of_numba[name], gradient, rtol=1e-9, atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize("objective", OBJECTIVES, ids=OBJECTIVE_IDS)
def test_float32_agrees_with_float64(objective):
    model, x, eps = setting("float32")
    x = x.astype("float32")
    loss, gradients = nv.value_and_grad(model, objective, x, eps)
    wide_loss, wide = nv.value_and_grad(model.astype("float64"), objective, x, eps)
    np.testing.assert_allclose(loss, wide_loss, rtol=1e-6)
    for name in gradients:
        size = np.abs(wide[name]).max()
        np.testing.assert_allclose(gradients[name], wide[name], atol=2e-5 * size, err_msg=name)


def test_bytes_are_scaled_as_everywhere():
    model, x, eps = setting(scale=255)
    images = (x * 255).astype("uint8")
    by_bytes = nv.value_and_grad(model, nv.ELBO(), images, eps)
    by_floats = nv.value_and_grad(model, nv.ELBO(), images / 255.0, eps)
    assert by_bytes[0] == by_floats[0]


@pytest.mark.parametrize(
    "eps", [np.zeros((6, 2)), np.zeros((1, 5, 2)), np.zeros((1, 6, 3)), np.zeros((0, 6, 2))]
)
def test_noise_of_another_shape_is_refused(eps):
    model, x, _ = setting()
    with pytest.raises(nv.DataError, match=r"eps needs shape \(K, 6, 2\).*draw_noise"):
        nv.value_and_grad(model, nv.ELBO(), x, eps)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((6, 5), np.nan), "got nan in row 0, column 0"),
        (np.zeros((6, 4)), r"\(N, 5\)"),
        (np.zeros((0, 5)), "at least one row"),
    ],
)
def test_bad_data_is_refused(x, message):
    model, _, eps = setting()
    with pytest.raises(nv.DataError, match=message):
        nv.value_and_grad(model, nv.ELBO(), x, eps)
