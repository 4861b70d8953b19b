"""Planar and radial flows whose parameters the encoder gives, each row its own."""

from __future__ import annotations

import numpy as np
import pytest
from proofs import each_proof

import npvae as nv
from npvae.core import bind, resolve
from npvae.core.errors import ConfigError
from npvae.gradcheck import check_gradients

Z = 3


KINDS = {"planar": (nv.Planar, ("w", "u", "b")), "radial": (nv.Radial, ("z_0", "a", "b"))}


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


def built(name, values=None, **options):
    flow = KINDS[name][0](**options)
    flow.build(Z)
    width = sum(flow.widths(Z))
    bind(flow, np.random.default_rng(0).normal(size=width) if values is None else values)
    return flow, width


def own_parameters(flow, name):
    return np.concatenate([getattr(flow, each) for each in KINDS[name][1]])


def test_each_row_goes_through_a_flow_of_its_own(name):
    rng, (part, width) = np.random.default_rng(1), built(name, amortised=True)
    assert part.n_outputs(Z) == width
    assert built(name)[0].n_outputs(Z) == 0
    z, stats = rng.normal(size=(4, 5, Z)), rng.normal(size=(5, width))
    (moved, change), _ = part.forward(z, stats)
    for b in range(5):
        plain, _ = built(name, own_parameters(part, name) + 0.05 * stats[b])
        (expected, its_change), _ = plain.forward(z[:, b : b + 1])
        assert np.allclose(moved[:, b : b + 1], expected, rtol=1e-12)
        assert np.allclose(change[:, b : b + 1], its_change, rtol=1e-10)


def test_the_change_is_that_of_the_numerical_jacobian(name):
    rng, (part, width) = np.random.default_rng(2), built(name, amortised=True)
    z, stats, h = rng.normal(size=(1, 1, Z)), rng.normal(size=(1, width)), 1e-6
    steps = h * np.eye(Z)[:, None, None]
    jacobian = [
        (part.forward(z + e, stats)[0][0] - part.forward(z - e, stats)[0][0]).ravel() / (2 * h)
        for e in steps
    ]
    (_, change), _ = part.forward(z, stats)
    assert change[0, 0] == pytest.approx(-np.linalg.slogdet(jacobian)[1], abs=1e-7)


@pytest.mark.parametrize("rows", [(2,), (4, 2)])
def test_gradients(name, rows):
    rng, (part, width) = np.random.default_rng(3), built(name, amortised=True)
    inputs = rng.normal(size=(4, 2, Z)), rng.normal(size=(*rows, width))
    assert check_gradients(part, inputs).ok


@pytest.mark.parametrize("objective", [nv.ELBO(), nv.IWAE(3)])
@each_proof
def test_gradients_of_a_model(name, objective, methods):
    posterior = f"{name}:n=2,amortised=true"
    model = nv.VAE(5, 2, hidden=(4,), activation="tanh", posterior=posterior, dtype="float64")
    assert check_gradients(model, objective=objective, methods=methods).ok


def test_captured_steps_agree_with_eager_ones(name):
    x, _ = nv.datasets.digits()
    trained = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        model = nv.VAE(64, 4, hidden=(16,), posterior=f"{name}:n=3,amortised=true")
        nv.fit(model, x[:256], epochs=2)
        trained.append(model.flat)
    nv.use_kernels(None)
    assert np.allclose(*trained, atol=1e-4)


def test_it_is_kept_in_a_file_and_only_where_it_is_used(name, tmp_path):
    model = nv.VAE(5, 2, hidden=(4,), posterior=f"{name}:n=2,amortised=true")
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    assert again.config["posterior"] == {"name": name, "n": 2, "amortised": True}
    x = np.random.default_rng(0).random((3, 5))
    assert np.array_equal(again.elbo(x), model.elbo(x))
    assert nv.VAE(5, 2, posterior=f"{name}:n=2").config["posterior"] == {"name": name, "n": 2}


def test_what_is_refused():
    with pytest.raises(ConfigError, match="amortised is True or False"):
        resolve("posterior", "planar:n=2,amortised=often")
