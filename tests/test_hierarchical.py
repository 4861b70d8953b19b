"""The hierarchical VAE: its gradients, its terms, and log p(x) where that is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.gradcheck import check_gradients

each_inference = pytest.mark.parametrize("inference", ["top_down", "bottom_up", "chain"])


def model_and_rows(inference="top_down", n=4, **options):
    options = dict(hidden=(5,), activation="tanh", dtype="float64") | options
    model = nv.HierarchicalVAE(6, (4, 3, 2), inference=inference, **options)
    rng = np.random.default_rng(1)
    model.flat += (0.3 * rng.normal(size=model.n_params)).astype(model.dtype)
    return model, (rng.random((n, 6)) < 0.4).astype(model.dtype)


@pytest.mark.smoke
@each_inference
@pytest.mark.parametrize("hidden", [(5,), ()])
@pytest.mark.parametrize("objective", ["elbo:n_samples=2", "iwae:n_samples=2"])
def test_the_gradient(inference, hidden, objective):
    model, x = model_and_rows(inference, hidden=hidden, context_dim=2)
    rng = np.random.default_rng(0)
    eps, context = model.draw_noise(len(x), 2, rng), rng.normal(size=(len(x), 2))
    report = check_gradients(model, (x, eps, context), objective=objective, methods=("complex",))
    assert report.ok, str(report)


@each_inference
def test_each_level_but_the_top_has_a_network_of_its_own(inference):
    """Of three levels the first of the two networks is also the second from the end."""
    model = nv.HierarchicalVAE(3, (5, 4, 3, 2), hidden=(), inference=inference, dtype="float64")
    report = check_gradients(model, methods=("taylor",))
    assert report.ok, str(report)
    assert [centre.shape for centre in model.centres(np.eye(3))] == [(3, z) for z in (5, 4, 3, 2)]


@pytest.mark.smoke(2)
@each_inference
def test_closed_levels_have_the_mean_of_the_sampled_ones(inference):
    """Within standard errors, over 20,000 draws."""
    model, x = model_and_rows(inference)
    eps = model.draw_noise(len(x), 20_000, np.random.default_rng(0))
    closed, _ = model.forward(x, eps)
    sampled, _ = model.forward(x, eps, needs=("log_px", "log_pz", "log_qz"))
    assert [level.kl is not None for level in closed.levels] == (
        [False, False, True] if inference == "chain" else [True] * 3
    )
    kl = np.broadcast_to(closed.kl_per_row, closed.log_px.shape)
    difference = closed.log_px - kl - sampled.log_w
    spread = difference.std(0, ddof=1) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(0)) < 4 * spread).all()
    assert (spread < 0.2).all()


def exact_log_p(model, x):
    """log p(x) where all networks are linear and all variances constant: a Gaussian's."""
    mean, covariance = np.zeros(model.z_dims[-1]), np.eye(model.z_dims[-1])
    for network in reversed(model.chain.networks):
        (dense,) = network.layers
        z = len(dense.b) // 2
        dense.W[z:] = 0
        A, spread = dense.W[:z], np.diag(np.exp(dense.b[z:]))
        mean, covariance = A @ mean + dense.b[:z], A @ covariance @ A.T + spread
    (dense,) = model.decoder.layers
    mean = dense.W @ mean + dense.b
    covariance = dense.W @ covariance @ dense.W.T + np.eye(len(mean))
    return stats.multivariate_normal(mean, covariance).logpdf(x)


@pytest.mark.smoke(1)
@each_inference
def test_log_p_of_a_linear_gaussian_hierarchy(inference):
    model, _ = model_and_rows(inference, hidden=(), likelihood="gaussian")
    model.flat *= 0.15  # x says little of z then, and few draws are enough
    x = np.random.default_rng(3).normal(size=(5, 6))
    exact = exact_log_p(model, x)
    terms, _ = model.forward(
        x,
        model.draw_noise(5, 100_000, np.random.default_rng(0)),
        needs=("log_px", "log_pz", "log_qz"),
    )
    w = np.exp(terms.log_w - exact)  # of mean 1
    error = w.std(0) / np.sqrt(len(w))
    assert (np.abs(w.mean(0) - 1) < 4 * error).all()
    assert (error < 0.2).all()
    assert (model.elbo(x, 200) < exact).all()


@pytest.mark.slow
def test_training_reaches_what_a_linear_gaussian_hierarchy_allows():
    """The bound comes near log p(x) of data that such a model draws, and never above."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1)) @ [[1.0, -1.0, 0.5, 2.0]] + rng.normal(size=(2000, 4))
    model = nv.HierarchicalVAE(4, (2, 1), hidden=(), likelihood="gaussian", dtype="float64")
    nv.fit(model, x, epochs=30, batch_size=100, lr=1e-2)
    a = np.array([1.0, -1.0, 0.5, 2.0])
    truth = stats.multivariate_normal(np.zeros(4), np.outer(a, a) + np.eye(4)).logpdf(x).mean()
    bound = model.elbo(x, 20).mean()
    assert truth - 0.25 < bound < truth + 0.02


@each_inference
def test_what_it_offers(inference, tmp_path):
    model, x = model_and_rows(inference, n=30, dtype="float32")
    history = nv.fit(model, x, epochs=20, batch_size=16, lr=1e-2, valid=x[:9])
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"]
    assert [mu.shape for mu, _ in model.encode(x)] == [(30, 4), (30, 3), (30, 2)]
    assert nv.log_likelihood(model, x[:5], 200).shape == (5,)
    model.save(tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert again.config == model.config
    with pytest.raises(nv.ModelFileError):
        nv.HierarchicalVAE(6, (4, 3), hidden=(5,), parameters=model.params)


def test_a_level_can_be_held():
    model, _ = model_and_rows(likelihood="gaussian")
    z_1 = np.arange(4.0)
    rows = model.sample(5, fixed={1: z_1})
    np.testing.assert_allclose(rows, np.repeat(model.decode(z_1[None]), 5, axis=0))
    held = model.sample(2000, fixed={3: [2.0, -1.0]}, take="mean").mean(0)
    other = model.sample(2000, fixed={3: [-2.0, 1.0]}, take="mean").mean(0)
    assert np.abs(held - other).max() > 0.05
    np.testing.assert_array_equal(model.sample(4, seed=3), model.sample(4, seed=3, fixed={}))


def test_missing_entries_and_weights():
    model, x = model_and_rows(missing="mask", likelihood="gaussian")
    x[0, 1] = x[2, 3] = np.nan
    eps = model.draw_noise(len(x), 1, np.random.default_rng(0))
    assert check_gradients(model, (x, eps), objective="elbo", methods=("complex",)).ok
    weights = np.array([1.0, 0.0, 2.0, 1.0])
    loss, gradients = nv.value_and_grad(model, "elbo", x, eps, weights=weights)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())


def test_a_table_can_be_read_later():
    model = nv.HierarchicalVAE(z_dims=(3, 2), hidden=(5,))
    nv.fit(model, np.eye(6, dtype="float32"), epochs=1)
    assert model.x_dim == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nv.HierarchicalVAE(6, (4, 0)), "each width in z_dims is a whole number, 1 or"),
        (lambda: nv.HierarchicalVAE(6, 4), "such as \\(32, 16\\); got 4"),
        (lambda: nv.HierarchicalVAE(6, ()), "1 to 100 levels; got 0"),
        (lambda: nv.HierarchicalVAE(6, (2, 2), inference="up"), "top_down, bottom_up, chain"),
    ],
)
def test_models_that_are_refused(make, message):
    with pytest.raises(nv.ConfigError, match=message):
        make()


def test_levels_that_can_not_be_held():
    model, _ = model_and_rows()
    with pytest.raises(nv.DataError, match="count from 1, next to x, to 3; got 4"):
        model.sample(2, fixed={4: [1.0]})
    with pytest.raises(nv.DataError, match=r"level 2 is held at z of shape \(3,\)"):
        model.sample(2, fixed={2: [1.0]})
