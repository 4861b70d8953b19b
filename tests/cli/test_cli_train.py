"""``npvae train``: what it writes, says, chooses and refuses."""

from __future__ import annotations

import re
import shlex
import sys

import numpy as np
import pytest
from folders import config, history, names, without_seconds

import npvae as nv
from npvae.cli import job as jobs
from npvae.cli.inputs import hold_out
from npvae.cli.objective_options import in_words
from npvae.cli.parser import parse
from npvae.training import fit
from npvae.training.steps import NotFinite

FILES = {"model.npz", "config.json", "history.csv", "checkpoint.npz", "rows.npy"}
PICTURES = {"loss.png", "samples.png", "reconstructions.png", "latent.png", "interpolation.png"}


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 3000


def note(out, start):
    return next(line for line in out.splitlines() if line.startswith(start))


def test_a_run_folder_is_complete(trained):
    assert names(trained) == FILES | PICTURES | {"manifold.png"}
    assert all(is_png(trained / name) for name in PICTURES | {"manifold.png"})
    assert [row["epoch"] for row in history(trained)] == [1, 2, 3]
    model = nv.load(trained / "model.npz")
    assert (model.x_dim, model.z_dim, model.hidden) == (64, 2, (16,))
    assert config(trained) == {
        "npvae": nv.__version__,
        "model": model.config,
        "image_shape": [8, 8],
        "objective": {"name": "elbo", "beta": 1.0, "n_samples": 1, "free_bits": 0.0},
        "training": {
            "data": "digits", "columns": None, "missing_cells": None, "encoding": None,
            "sheet": None, "holdout": 0.1, "model": "vae", "condition": None, "z_dim": 2,
            "hidden": [16], "channels": None,
            "activation": "relu", "likelihood": "bernoulli", "posterior": "gaussian",
            "prior": "standard",
            "objective": "elbo", "n_samples": 1, "beta": 1.0, "warmup": 0.0, "free_bits": 0.0,
            "epochs": 3, "batch_size": 300, "lr": 0.002, "weight_decay": 0.0, "clip_norm": None,
            "binarise": False, "hide": 0.0, "patience": None, "fit_prior": None, "seed": 0,
            "threads": None,
        },
    }  # fmt: skip


def test_a_run_is_what_fit_makes_of_the_rows_that_are_not_held_out(trained):
    x, _ = nv.datasets.digits()
    rows, held_out = hold_out(len(x), 0.1, seed=0)
    model = nv.VAE(64, 2, hidden=(16,))
    records = nv.fit(model, x[rows], valid=x[held_out], epochs=3, batch_size=300, lr=0.002).records
    np.testing.assert_array_equal(nv.load(trained / "model.npz").flat, model.flat)
    written = history(trained)
    for column in ("train_loss", "valid_loss", "train_kl", "beta"):
        assert [row[column] for row in written] == [record[column] for record in records]


@pytest.mark.slow
def test_a_hierarchy_of_levels(npvae, tmp_path):
    options = ["--epochs", 2, "--hidden", "16", "--quiet", "--out", tmp_path / "run"]
    model = "hierarchical:z_dims=[3,2],inference=chain"
    assert npvae("train", *options, "--model", model).code == 0
    trained = nv.load(tmp_path / "run")
    assert (trained.z_dims, trained.inference) == ((3, 2), "chain")
    for command in ("evaluate", "sample", "reconstruct", "interpolate", "latent"):
        more = ["--samples", 5] if command == "evaluate" else ["--out", tmp_path / "x.npy"]
        code, _, err = npvae(command, tmp_path / "run", *more)
        assert (code, err) == (0, ""), command
    assert npvae("train", *options, "--resume", "--epochs", 3).code == 0
    npvae("train", *options, "--model", "hierarchical", "--z-dim", 6)
    assert nv.load(tmp_path / "run").z_dims == (6, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("ladder", "model must be a registered name; got 'ladder'"),
        ("hierarchical:levels=3", "model 'hierarchical' takes"),
        ("hierarchical:z_dims=[0]", "each width in z_dims is a whole number"),
    ],
)
def test_models_that_can_not_be(refused, model, said):
    assert said in refused("train", "--model", model)


def test_it_says_what_it_does_and_where_everything_is(npvae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = npvae("train", "--epochs", 2, "--threads", 2)
    assert (code, err) == (0, "")
    assert note(out, "data ") == (
        "data       digits: images of 8 x 8, 64 columns; 1,617 rows to train on, 180 to validate"
    )
    assert note(out, "model ") == (
        "model      64 - 256 - 128 - z 4 - 128 - 256 - 64; relu, bernoulli, "
        f"{nv.VAE(64, 4, hidden=(256, 128)).n_params:,} parameters"
    )
    assert "ELBO, 1 sample, beta 1; 2 epochs, batches of 64, learning rate 0.002" in out
    assert note(out, "kernels ") == f"kernels    {nv.kernels_in_use()}, 2 threads at most"
    assert "the likelihood is bernoulli, since all values lie in [0, 1]" in out
    assert "earlier run" not in out
    assert re.search(r"^epoch 2/2  loss ", out, re.MULTILINE)
    last = history(tmp_path / "npvae-run")[-1]
    assert f"Train loss {last['train_loss']:.2f}, validation loss {last['valid_loss']:.2f}" in out
    listed = set(re.findall(r"^  (\S+) +\S", out.split("Next:")[0], re.MULTILINE))
    assert listed == FILES | PICTURES == names(tmp_path / "npvae-run")


def test_with_no_option_the_digits_take_300_epochs(monkeypatch, npvae, tmp_path):
    asked = {}

    def train(model, settings, x, valid, context):
        asked.update(vars(settings), model=model)
        raise nv.ConfigError("that will do")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "train", train)
    npvae("train", "--quiet")
    assert (asked["epochs"], asked["batch_size"], asked["lr"](0)) == (300, 64, 0.002)
    assert (asked["model"].z_dim, asked["model"].hidden) == (4, (256, 128))
    assert asked["progress"] is False


def test_every_option_reaches_fit(monkeypatch, npvae, tmp_path):
    asked = {}

    def train(model, settings, x, valid, context):
        asked.update(vars(settings), model=model, rows=len(x))
        raise nv.ConfigError("that will do")

    monkeypatch.setattr(jobs, "train", train)
    npvae(
        "train --epochs 7 --batch-size 50 --lr 0.01 --z-dim 3 --hidden 20,10 --activation tanh "
        "--likelihood gaussian --beta 4 --n-samples 2 --warmup 5 --free-bits 0.25 --seed 9 "
        "--threads 1 --weight-decay 0.125 --clip-norm 2 --patience 4 --holdout 0.5",
        "--out", tmp_path,
    )  # fmt: skip
    model, objective, adam = asked["model"], asked["objective"], asked["optimiser"]
    assert (model.z_dim, model.hidden, model.seed) == (3, (20, 10), 9)
    assert (model.activation.name, model.likelihood.name) == ("tanh", "gaussian")
    assert (asked["epochs"], asked["batch_size"], asked["lr"](0)) == (7, 50, 0.01)
    assert (asked["seed"], asked["threads"], asked["rows"]) == (9, 1, 899)
    assert (objective.n_samples, objective.free_bits) == (2, 0.25)
    assert [objective.beta(epoch) for epoch in (0, 2.5, 5, 9)] == [0, 2, 4, 4]
    assert (adam.weight_decay, adam.clip_norm) == (0.125, 2.0)
    assert asked["callbacks"][1].patience == 4
    npvae("train", "--objective", "iwae", "--n-samples", 3, "--out", tmp_path)
    assert isinstance(asked["objective"], nv.IWAE)
    assert asked["objective"].n_samples == 3
    npvae("train", "--objective", "iwae", "--out", tmp_path)
    assert asked["objective"].n_samples == 5


def test_names_take_arguments(small_train, tmp_path):
    code, out, _ = small_train(
        tmp_path, "--objective", "iwae:n_samples=2", "--likelihood", "student_t:df=3",
        "--prior", "mixture:n_components=4", "--posterior", "planar:n=2",
    )  # fmt: skip
    assert code == 0
    assert "IWAE, 2 samples; 3 epochs" in out
    assert "; relu, student_t:df=3, " in out
    model, written = nv.load(tmp_path / "model.npz"), config(tmp_path)
    assert (model.likelihood.df, model.prior.n_components) == (3, 4)
    assert (model.posterior.n, written["training"]["posterior"]) == (2, "planar:n=2")
    assert written["objective"] == {"name": "iwae", "n_samples": 2}
    assert written["training"]["objective"] == "iwae"
    assert (written["training"]["n_samples"], written["training"]["beta"]) == (2, None)


@pytest.mark.parametrize(
    ("typed", "short"),
    [
        ("iwae:n_samples=3", "iwae --n-samples 3"),
        ("elbo:beta=4,free_bits=0.25", "elbo --beta 4 --free-bits 0.25"),
        ("renyi:alpha=-inf,n_samples=3", "renyi:alpha=-inf --n-samples 3"),
    ],
)
def test_short_forms_mean_the_same(small_train, tmp_path, typed, short):
    for name, options in (("typed", typed), ("short", short)):
        run = tmp_path / name
        assert small_train(run, "--epochs", 1, "--objective", *options.split()).code == 0
    one, other = config(tmp_path / "typed"), config(tmp_path / "short")
    assert one == other
    assert without_seconds(tmp_path / "typed") == without_seconds(tmp_path / "short")


def test_a_schedule_can_be_typed(small_train, tmp_path):
    beta = "elbo:beta=(linear:start=0,stop=2,epochs=2)"
    assert "ELBO, 1 sample, beta linear:" in small_train(tmp_path, "--objective", beta).out
    assert [row["beta"] for row in history(tmp_path)] == pytest.approx([5 / 6, 11 / 6, 2])
    short = small_train(tmp_path, "--beta", 2, "--warmup", 2).out
    assert "beta 2, raised from 0 over 2 epochs" in short
    assert [row["beta"] for row in history(tmp_path)] == pytest.approx([5 / 6, 11 / 6, 2])


@pytest.mark.smoke(2)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--beta 1", []),
        ("--beta 4", ["Validation"]),
        ("--warmup 2", ["Validation"]),
        ("--free-bits 0.5", ["0.5 nats at least", "Validation"]),
        ("--objective iwae", ["loss - rec, and can be below 0", "Validation"]),
        ("--objective iwae --holdout 0", ["loss - rec, and can be below 0"]),
    ],
)
def test_it_says_what_its_columns_mean(small_train, tmp_path, options, said):
    out = small_train(tmp_path, *options.split()).out
    between = out.split("KL the other.\n")[1].split("epoch 1/3")[0].splitlines()
    assert len(between) == len(said)
    assert all(words in line for words, line in zip(said, between, strict=True))


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("elbo", "each latent dimension"),
        ("elbo:free_bits_per=level", "each latent level"),
        ("elbo:free_bits_per=2", "each group of 2 dimensions"),
    ],
)
def test_the_plan_says_what_bits_are_free_for(objective, said):
    choices = {"objective": objective, "n_samples": 1, "beta": 1, "warmup": 0, "free_bits": 0.5}
    assert in_words(choices) == f"ELBO, 1 sample, beta 1, 0.5 nats free for {said}"


def test_same_settings_same_bytes(small_train, tmp_path, trained):
    small_train(tmp_path / "again")
    small_train(tmp_path / "other", "--seed", 1)
    for name in ("model.npz", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (trained / name).read_bytes()
    assert without_seconds(tmp_path / "again") == without_seconds(trained)


def test_quiet_prints_nothing_and_no_plots_draws_nothing(small_train, tmp_path):
    assert small_train(tmp_path, "--quiet") == (0, "", "")
    assert names(tmp_path) == FILES


def test_without_matplotlib_it_trains_and_says_how_to_get_pictures(npvae, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = npvae("train", "--epochs", 1, "--hidden", 8, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert re.search(r"^No pictures: .*pip install matplotlib$", out, re.MULTILINE)
    assert names(tmp_path) == FILES


def test_a_new_run_replaces_an_earlier_one_and_says_so(small_train, tmp_path, trained):
    small_train(tmp_path, "--hidden", 8)
    (tmp_path / "manifold.png").write_bytes(b"of the earlier run")
    (tmp_path / ".model.npz.x1y2").write_bytes(b"left by a kill")
    (tmp_path / "notes.txt").write_text("the user's own")
    code, out, _ = small_train(tmp_path)
    assert code == 0
    assert f"the earlier run in {tmp_path} is replaced" in out
    assert names(tmp_path) == FILES | {"notes.txt"}
    assert (tmp_path / "model.npz").read_bytes() == (trained / "model.npz").read_bytes()


def test_a_loss_that_is_no_number_leaves_the_last_good_epoch(small_train, tmp_path, monkeypatch):
    small_train(tmp_path / "two", "--epochs", 2)
    stepping = fit._Run._steps

    def poisoned(run, training):
        steps = stepping(run, training)
        whole_epoch = steps.run

        def third_is_nan(epoch, *others):
            if epoch == 3:
                raise NotFinite(0, np.nan)
            return whole_epoch(epoch, *others)

        steps.run = third_is_nan
        return steps

    monkeypatch.setattr(fit._Run, "_steps", poisoned)
    code, _, err = small_train(tmp_path / "broken")
    assert code == 2
    assert re.match("npvae: error: the loss became nan in epoch 3.*checkpoint.npz'.\n$", err)
    assert without_seconds(tmp_path / "broken") == without_seconds(tmp_path / "two")
    np.testing.assert_array_equal(
        nv.load(tmp_path / "broken/model.npz").flat, nv.load(tmp_path / "two/model.npz").flat
    )


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_refused_at_once(refused, tmp_path, out, monkeypatch):
    monkeypatch.setattr(jobs, "train", None)
    (tmp_path / "file").write_text("in the way")
    assert "can't be written" in refused("train", "--out", tmp_path / out)


def test_a_folder_that_takes_no_file_is_refused_at_once(refused, tmp_path, monkeypatch):
    def full(dir):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "train", None)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "no space left on device; choose another folder" in refused("train", "--out", tmp_path)


@pytest.mark.smoke(2)
@pytest.mark.parametrize("folder", ["run", "my run", "a'b;c$d", "-dash"])
def test_it_ends_with_commands_that_can_be_typed(folder, npvae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = npvae("train", "--epochs", 1, "--hidden", 8, "--no-plots", f"--out={folder}").out
    lines = out.split("Next:\n")[1].splitlines()
    assert len(lines) == 3
    named = set()
    for line in lines:
        command = shlex.split(line.split("    ")[0], posix=True)
        options = parse(command[1:])
        assert nv.load(options.run).x_dim == 64
        named.add(options.command)
    assert named == {"evaluate", "sample", "latent"}


def test_of_a_table_they_are_others(npvae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i * 0.37 % 5},{'xyz'[i % 3]}" for i in range(40)]
    for name, more in (("whole", []), ("gaps", [",x", ",y"])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b", *rows, *more]))
        out = npvae("train", f"{name}.csv", "--epochs", 1, "--no-plots", "--holdout", 0).out
        commands = [line.split("  ")[1] for line in out.split("Next:\n")[1].splitlines()]
        third = (
            "impute npvae-run --out filled.csv"
            if more
            else "reconstruct npvae-run --out rebuilt.csv"
        )
        assert commands == [
            "npvae evaluate npvae-run",
            "npvae sample npvae-run -n 1000 --out new.csv",
            f"npvae {third}",
        ]
        assert npvae(*commands[2].split()[1:]).code == 0
