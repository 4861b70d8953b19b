"""The KL of each latent level: in histories, files and pictures, and with a weight of its own."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from proofs import each_proof

import npvae as nv
from npvae.core.errors import ConfigError

x, _ = nv.datasets.digits()


@pytest.fixture
def use():
    yield nv.use_kernels
    nv.use_kernels(None)


def ladder(**options):
    return nv.HierarchicalVAE(64, (5, 3), hidden=(16,), seed=1, **options)


@pytest.mark.parametrize("inference", ["top_down", "chain"])
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_a_history_has_the_kl_of_each_level(inference, kernels, use, tmp_path):
    use(kernels)
    history = nv.fit(ladder(inference=inference), x[:300], valid=x[300:400], epochs=2)
    for split in ("train", "valid"):
        each = history[f"{split}_kl_1"] + history[f"{split}_kl_2"]
        assert np.allclose(each, history[f"{split}_kl"], rtol=1e-5)
    history.to_csv(tmp_path / "h.csv")
    with (tmp_path / "h.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["valid_kl_2"]) == history.records[-1]["valid_kl_2"]
    panels = [axes.get_title("left") for axes in nv.plots.loss_curves(history).axes]
    assert panels[-2:] == ["KL of level 1", "KL of level 2"]


def test_progress_has_them(capsys):
    nv.fit(ladder(), x[:200], epochs=1, progress=True)
    assert " by level)" in capsys.readouterr().out


def test_one_level_has_no_more_losses_than_before():
    records = nv.fit(nv.VAE(64, 2, hidden=(8,)), x[:100], epochs=1).records
    assert not [name for name in records[0] if "kl_" in name]


def test_the_first_level_s_weight_is_the_first():
    model, rng = ladder(dtype="float64"), np.random.default_rng(0)
    eps = model.draw_noise(20, 1, rng)
    terms, _ = model.forward(x[:20], eps)
    kls = [level.kl.sum(-1).mean() for level in terms.levels]
    losses, _ = nv.ELBO(beta=2.0, level_betas=[1, 0.25])(terms)
    assert losses.loss == pytest.approx(losses.rec + 2 * (kls[0] + 0.25 * kls[1]))
    assert losses.kl == pytest.approx(sum(kls))
    assert [losses.kl_1, losses.kl_2] == pytest.approx(kls)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("inference", ["top_down", "bottom_up", "chain"])
@each_proof
def test_gradients_with_a_weight_for_each_level(inference, methods):
    model = nv.HierarchicalVAE(6, (3, 2), hidden=(5,), activation="tanh", inference=inference,
                               dtype="float64")  # fmt: skip
    objective = nv.ELBO(beta=1.5, level_betas=[0.5, 2.0])
    assert nv.check_gradients(model, objective=objective, methods=methods).ok


def test_levels_are_warmed_up_one_after_the_other():
    objective = nv.ELBO(level_betas=[1, nv.Linear(0, 1, epochs=4)])
    terms, _ = ladder().forward(x[:9], ladder().draw_noise(9, 1, np.random.default_rng(0)))
    losses = [objective(terms, epoch)[0] for epoch in (0.0, 2.0, 9.0)]
    assert [each.loss - each.rec - each.kl_1 for each in losses] == pytest.approx(
        [0, losses[0].kl_2 / 2, losses[0].kl_2], abs=1e-5
    )
    again = nv.objectives.as_objective(objective.config)
    assert again.config == objective.config


def test_captured_steps_agree_with_eager_ones(use):
    trained = []
    for kernels in ("numpy", "numba"):
        use(kernels)
        model, objective = ladder(), nv.ELBO(level_betas=[1, nv.Linear(0, 1, epochs=2)])
        nv.fit(model, x[:256], epochs=2, objective=objective)
        trained.append(model.flat)
    assert np.allclose(*trained, atol=1e-4)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="the model has 2"):
        nv.fit(ladder(), x[:50], epochs=1, objective=nv.ELBO(level_betas=[1]))
    with pytest.raises(ConfigError, match="a list with a number or schedule"):
        nv.ELBO(level_betas=3)
