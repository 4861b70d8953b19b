"""How long `npvae train` trains, and what it says of that at the end."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from folders import config, history

import npvae as nv
from npvae.cli.choices import how_long
from npvae.cli.outcome import how_it_ended

# Epochs and batches


def chosen(n, n_params=10_000, wide=False, held_out=True, **given):
    choices = {"epochs": None, "batch_size": None, "patience": None, "warmup": 0.0, **given}
    notes = how_long(choices, n, n_params, wide, held_out)
    return choices, notes


@pytest.mark.parametrize(
    ("n", "wide", "batch", "epochs"),
    [
        (60, False, 32, 1000),  # two steps an epoch: as many epochs as there may be
        (540, False, 32, 1000),
        (2000, False, 32, 476),  # 63 steps an epoch
        (5000, False, 128, 750),
        (1_000_000, False, 128, 10),
        (360, True, 32, 416),  # ORL's faces: 12 steps an epoch
        (60_000, True, 128, 10),  # MNIST
    ],
)
def test_epochs_by_the_number_of_steps(n, wide, batch, epochs):
    choices, notes = chosen(n, wide=wide)
    assert (choices["batch_size"], choices["epochs"]) == (batch, epochs)
    assert choices["patience"] == max(5, epochs // 10)
    steps = -(-n // batch)
    assert notes[0].startswith(f"{epochs:,} epochs of {steps:,} step")
    assert 10 <= epochs <= 1000


def test_a_large_model_takes_fewer_steps():
    small, _ = chosen(360, wide=True)
    large, _ = chosen(360, 8_000_000, wide=True)
    assert large["epochs"] == 2500 // 12 < small["epochs"]


def test_what_is_given_wins():
    choices, notes = chosen(360, epochs=7)
    assert (choices["epochs"], choices["batch_size"], choices["patience"]) == (7, 32, None)
    assert notes == []
    choices, _ = chosen(360, batch_size=360)
    assert (choices["epochs"], choices["batch_size"]) == (1000, 360)
    assert chosen(360, patience=3)[0]["patience"] == 3
    assert chosen(360, held_out=False)[0]["patience"] is None
    assert chosen(360, warmup=30.5)[0]["patience"] == 131  # while beta rises nothing is awaited


@pytest.mark.slow
def test_an_image_set_gets_its_steps_and_stops_by_the_rows_held_out(npvae, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.random((40, 4, 4)))
    out = tmp_path / "run"
    line = "train --no-plots --hidden 4 --z-dim 1 --lr 0.05 --data"  # so fast that it overfits soon
    said = npvae(line, tmp_path / "x.npy", "--out", out)
    settings = config(out)["training"]
    assert (settings["epochs"], settings["batch_size"], settings["patience"]) == (1000, 32, 100)
    assert len(history(out)) < 1000
    assert "1,000 epochs of 2 steps at most; training stops 100 epochs after" in said.out


# The end


class Stopped:
    def done(self):
        return True


def said(losses, n=640, batch=64, stopping=None, valid=True):
    job = SimpleNamespace(
        folder="run", stopping=stopping, choices={"batch_size": batch},
        train=SimpleNamespace(x=np.zeros((n, 2))), model=SimpleNamespace(n_params=1000),
    )  # fmt: skip
    of = [
        {"train_loss": v if not valid else 0.0, "valid_loss": v if valid else None} for v in losses
    ]
    return list(how_it_ended(job, of))


def settled(n=100):
    return (50 + 50 * np.exp(-np.arange(n) / 8)).tolist()


def test_nothing_is_said_of_a_run_that_has_settled():
    assert said(settled()) == []
    assert said([50.0] * 100) == []
    assert said(settled()[::-1], stopping=Stopped()) == []


def test_training_that_had_barely_begun():
    (line,) = said([9.0, 8, 7], n=360, batch=128)
    assert line == (
        "training had barely begun: 3 epochs of 3 steps each; a smaller --batch-size has more of "
        "them, or npvae train --resume --out run --epochs 1000 goes on"
    )
    (line,) = said([9.0, 8, 7])
    assert line.endswith("10 steps each; npvae train --resume --out run --epochs 500 goes on")


@pytest.mark.parametrize(("valid", "name"), [(True, "validation"), (False, "training")])
def test_a_loss_that_still_falls(valid, name):
    (line,) = said(np.linspace(100, 50, 101).tolist(), valid=valid)
    assert line.startswith(f"the {name} loss was still falling, by 5 nats in the last 10 epochs;")
    assert line.endswith("--epochs 202 goes on")


def test_a_validation_loss_that_has_risen():
    losses = settled() + (50 + np.arange(60) / 4).tolist()
    (line,) = said(losses)
    assert line == (
        f"the validation loss was least after epoch {int(np.argmin(losses)) + 1}, 15 nats below "
        "the last: the model overfits; --patience 16 keeps the best"
    )
    assert said(losses, valid=False) == []


# Worse than none


def test_a_run_that_ends_far_above_its_columns_fails(npvae, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.poisson(4.0, (80, 5)))
    line = ("train --no-plots --quiet --hidden 8 --likelihood negative_binomial --data",
            tmp_path / "x.npy", "--out", tmp_path / "run", "--epochs", 40)  # fmt: skip
    code, out, err = npvae(*line, "--lr", 3.0)
    assert (code, out) == (1, "")
    assert err.startswith("npvae: training failed: the loss of ")
    assert "the columns' distributions alone give" in err
    assert "Try --lr 0.3" in err
    assert nv.load(tmp_path / "run").x_dim == 5  # what there is, is kept
    assert npvae(*line)[::2] == (0, "")
    few = npvae(*line, "--lr", 3.0, "--holdout", 0.05)  # four rows: those of training decide
    assert few.code == 1


# A prior that is fitted after training


def test_a_prior_is_fitted_after_training(npvae, refused, tmp_path):
    """Rows of two clusters: one Gaussian draws between them, two do not."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((400, 1)) < 0.3, -3.0, 3.0) + 0.3 * rng.normal(size=(400, 4))
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "run"
    line = "train --no-plots --likelihood gaussian --hidden 16 --z-dim 1 --epochs 30 --data"
    told = npvae(line, tmp_path / "x.npy", "--out", out, "--lr", 0.003, "--fit-prior", 4)
    assert "drawn rows from 4 Gaussians, fitted to the rows' z" in told.out
    first = nv.load(out)
    assert isinstance(first.prior, nv.Mixture)
    assert first.prior.n_components == 4
    assert (np.abs(first.sample(1000)[:, 0]) < 1.5).mean() < 0.05
    resumed = npvae("train --no-plots --resume --epochs 31 --out", out)
    assert resumed.code == 0
    assert nv.load(out).prior.n_components == 4
    assert len(history(out)) == 31
    many = ("--model", "hierarchical", "--out", tmp_path / "b", "--fit-prior", 2)
    assert "2 levels" in refused(line, tmp_path / "x.npy", *many)
    assert not (tmp_path / "b").exists()
