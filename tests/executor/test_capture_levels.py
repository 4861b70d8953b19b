"""Several latent levels in captured training, and noise that a model draws in its own way."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import numbers
from own_parts import Through
from two_levels import BottomUp

import npvae as nv
from npvae import kernels as k
from npvae.core import Losses, Terms
from npvae.training import captured as steps

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)

pytestmark = pytest.mark.usefixtures("share_all")


def two_levels(**options):
    return BottomUp(5, (2, 3), **{"hidden": (6,), "seed": 1, **options})


@pytest.mark.smoke(1)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "objective",
    [nv.ELBO(), nv.ELBO(nv.Linear(0, 2, epochs=2), n_samples=3), nv.IWAE(3)],
    ids=["elbo", "3 samples", "iwae"],
)
def test_two_levels(alike, objective, threads):
    """A model of a user's own, which only composes parts: compiled as a whole."""
    captured = alike(two_levels(), X, objective=objective, threads=threads, valid=X[:9], **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.smoke
@pytest.mark.parametrize("inference", ["top_down", "bottom_up", "chain"])
@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=2), nv.IWAE(2)], ids=["elbo", "iwae"])
def test_hierarchies(alike, inference, objective):
    model = nv.HierarchicalVAE(5, (4, 3, 2), hidden=(6,), inference=inference, seed=1)
    captured = alike(model, X, objective=objective, threads=2, **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_autoencoders(alike, noise):
    model = nv.Autoencoder(5, 2, hidden=(6,), noise=noise)
    captured = alike(model, X, objective=nv.ELBO(n_samples=2), valid=X[:9], **OPTIONS)
    assert not captured.full.python_calls


def test_a_prior_of_the_context(alike):
    model = nv.VAE(5, 3, hidden=(6,), context_dim=2, prior="conditional")
    captured = alike(model, X, objective=nv.ELBO(n_samples=2), context=X[:, :2], **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.smoke(1)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("hidden", [(6,), (7, 6), ()])
def test_a_label_that_is_summed_out(alike, hidden, threads):
    """Losses and weights are those of eager steps; some rows have their label and most not."""
    model = nv.SemiSupervisedVAE(5, 3, 4, hidden=hidden)
    labels = np.where(np.arange(50) % 3, -1, np.arange(50) % 4)
    for objective in (nv.ELBO(), nv.ELBO(beta=0.5, n_samples=3)):
        captured = alike(
            model.copy(), X, objective=objective, threads=threads, y=labels, valid=X[:9], **OPTIONS
        )
        assert not captured.full.python_calls


def test_two_levels_in_which_python_runs_an_activation(alike):
    captured = alike(two_levels(activation=Through()), X, objective=nv.IWAE(2), **OPTIONS)
    names = {made.call.kernel for made in captured.full.python_calls}
    assert names == {"Through.forward", "Through.backward"}


def test_noise_of_several_levels_is_drawn_for_a_chunk_of_steps(attempts):
    nv.fit(two_levels(), X, **OPTIONS)
    program, worker = attempts[0].full, attempts[0].training.worker
    assert steps._most_steps(program, attempts[0].table) > 1
    drawn = steps._noise(worker, program, 1, 4, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    levels = [worker.draw_noise(16, 1, rng) for _ in range(4)]
    np.testing.assert_array_equal(
        drawn, np.concatenate([np.ravel(n) for step in levels for n in step])
    )
    assert drawn.size == 4 * program.noise_size == 4 * 16 * 5


class Antithetic(nv.VAE, abstract=True):
    """Each sample has a mirror image."""

    def draw_noise(self, batch, n_samples, rng):
        half = super().draw_noise(batch, n_samples // 2, rng)
        return np.concatenate([half, -half])


def test_noise_that_a_model_draws_in_its_own_way(alike):
    alike(Antithetic(5, 2, hidden=(6,)), X, objective=nv.ELBO(n_samples=4), **OPTIONS)


# Losses of other names and numbers


class Named(nv.ELBO, abstract=True):
    """Four losses, the first of which is what is minimised."""

    losses = ("loss", "rec", "kl", "twice")

    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        return Losses(**losses, twice=k.add(losses["kl"], losses["kl"])), d_terms


class Alone(nv.ELBO, abstract=True):
    """Without a KL, and with a constant among its losses."""

    losses = ("loss", "rec", "weight")
    needs = ("log_px",)

    def __call__(self, terms, epoch=np.inf):
        rec, d = k.mean_loss(terms.log_px, terms.weights)
        level = nv.core.LevelTerms()
        return Losses(rec, rec, weight=0.25), Terms(d, [level for _ in terms.levels])


class InPython(Named, abstract=True):
    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        return Losses(**{name: 1.0 * loss for name, loss in losses.items()}), d_terms


@pytest.mark.smoke(1)
@pytest.mark.parametrize(
    ("objective", "calls"),
    [(Named(), []), (Alone(), []), (InPython(), ["InPython"])],
    ids=["four", "a constant", "by Python"],
)
def test_losses_of_any_names(alike, both, objective, calls):
    options = dict(hidden=(6,), activation="tanh", likelihood="gaussian")
    captured = alike(nv.VAE(5, 2, **options), X, objective=objective, **OPTIONS)
    assert [made.call.kernel for made in captured.full.python_calls] == calls
    (_, history), *_ = both(nv.VAE(5, 2, **options), X, objective=objective, **OPTIONS)
    last = history.records[-1]
    if isinstance(objective, Named):
        assert last["train_twice"] == pytest.approx(2 * last["train_kl"], rel=1e-6)
    else:
        assert last["train_weight"] == 0.25
        assert last["train_loss"] == last["train_rec"]
