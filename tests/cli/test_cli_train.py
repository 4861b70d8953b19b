"""``npvae train``: what it writes, says, chooses and refuses."""

from __future__ import annotations

import csv
import json
import re
import sys

import numpy as np
import pytest

import npvae as nv
from npvae.cli import job as jobs
from npvae.cli.data import hold_out

FILES = {"model.npz", "config.json", "history.csv", "checkpoint.npz"}
PICTURES = {"loss.png", "samples.png", "reconstructions.png", "latent.png", "interpolation.png"}


def names(folder):
    return {path.name for path in folder.iterdir()}


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def without_seconds(folder):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history(folder)]


def config(folder):
    return json.loads((folder / "config.json").read_text())


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 3000


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


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
        "training": {
            "data": "digits", "holdout": 0.1, "z_dim": 2, "hidden": [16], "activation": "relu",
            "likelihood": "bernoulli", "objective": "elbo", "n_samples": 1, "beta": 1.0,
            "warmup": 0.0, "free_bits": 0.0, "epochs": 3, "batch_size": 300, "lr": 0.002,
            "weight_decay": 0.0, "clip_norm": None, "patience": None, "seed": 0, "threads": None,
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
    listed = set(re.findall(r"^  (\S+) +\S", out, re.MULTILINE))
    assert listed == FILES | PICTURES == names(tmp_path / "npvae-run")


def test_with_no_option_the_digits_take_300_epochs(monkeypatch, npvae, tmp_path):
    asked = {}

    def fit(model, x, **options):
        asked.update(options, model=model)
        raise nv.ConfigError("that will do")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "fit", fit)
    npvae("train", "--quiet")
    assert (asked["epochs"], asked["batch_size"], asked["lr"]) == (300, 64, 0.002)
    assert (asked["model"].z_dim, asked["model"].hidden) == (4, (256, 128))
    assert asked["progress"] is False


def test_every_option_reaches_fit(monkeypatch, npvae, tmp_path):
    asked = {}

    def fit(model, x, **options):
        asked.update(options, model=model, rows=len(x))
        raise nv.ConfigError("that will do")

    monkeypatch.setattr(jobs, "fit", fit)
    npvae(
        "train --epochs 7 --batch-size 50 --lr 0.01 --z-dim 3 --hidden 20,10 --activation tanh "
        "--likelihood gaussian --beta 4 --n-samples 2 --warmup 5 --free-bits 0.25 --seed 9 "
        "--threads 1 --weight-decay 0.125 --clip-norm 2 --patience 4 --holdout 0.5",
        "--out", tmp_path,
    )  # fmt: skip
    model, objective, adam = asked["model"], asked["objective"], asked["optimiser"]
    assert (model.z_dim, model.hidden, model.seed) == (3, (20, 10), 9)
    assert (model.activation.name, model.likelihood.name) == ("tanh", "gaussian")
    assert (asked["epochs"], asked["batch_size"], asked["lr"]) == (7, 50, 0.01)
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
    assert re.search(r"^No pictures: .*pip install 'npvae\[plot\]'$", out, re.MULTILINE)
    assert names(tmp_path) == FILES


def test_a_resumed_run_is_the_unbroken_one(small_train, tmp_path, trained):
    assert small_train(tmp_path, "--epochs", 1).code == 0
    assert len(history(tmp_path)) == 1
    code, out, _ = small_train(tmp_path, "--resume", "--epochs", 3)
    assert code == 0
    assert "training goes on after epoch 1" in out
    assert "earlier run" not in out
    for name in ("model.npz", "config.json"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()
    assert without_seconds(tmp_path) == without_seconds(trained)


def test_resume_knows_the_settings_and_refuses_to_change_them(
    npvae, small_train, tmp_path, refused
):
    small_train(tmp_path, "--seed", 4, "--image-shape", "4,16")
    resume = ("train", "--resume", "--no-plots", "--out", tmp_path)
    before = (tmp_path / "model.npz").read_bytes()
    assert "keeps its --hidden, here 16; got 8" in refused(*resume, "--hidden", 8)
    assert "keeps its --seed, here 4; got 5" in refused(*resume, "--seed", 5)
    assert "keeps its --patience" not in npvae(*resume, "--patience", 5).err
    code, out, _ = npvae(*resume)
    assert code == 0
    assert f"{tmp_path} has all its 3 epochs; --epochs gives it more" in out
    assert (tmp_path / "model.npz").read_bytes() == before
    assert npvae(*resume, "--epochs", 4, "--lr", 0.5).code == 0
    assert [row["lr"] for row in history(tmp_path)] == [0.002, 0.002, 0.002, 0.5]
    assert config(tmp_path)["image_shape"] == [4, 16]
    assert (config(tmp_path)["training"]["seed"], config(tmp_path)["training"]["epochs"]) == (4, 4)


def test_resume_without_a_run_starts_one(small_train, tmp_path, trained):
    code, out, _ = small_train(tmp_path / "new", "--resume")
    assert code == 0
    assert "has no checkpoint to resume, so training starts anew" in out
    assert (tmp_path / "new/model.npz").read_bytes() == (trained / "model.npz").read_bytes()


def test_a_resumed_run_that_is_stopped_at_once_loses_nothing(small_train, tmp_path, monkeypatch):
    small_train(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("npvae.cli.runs.write_config", interrupt)
    code, _, err = small_train(tmp_path, "--resume", "--epochs", 9)
    assert code == 130
    assert err.startswith(
        f"npvae: interrupted; the model after epoch 3 of 9 is in {tmp_path / 'model.npz'}."
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_stopped_before_the_first_epoch(small_train, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "fit", interrupt)
    nothing = "npvae: interrupted before the end of the first epoch, so nothing was kept"
    assert small_train(tmp_path)[::2] == (130, f"{nothing}\n")
    (tmp_path / "model.npz").write_bytes(b"of an earlier run")
    earlier = f"; the earlier run in {tmp_path} is as it was"
    assert small_train(tmp_path)[::2] == (130, f"{nothing}{earlier}\n")


def test_a_run_that_stopped_in_its_first_epoch_is_resumed_with_its_settings(
    small_train, npvae, tmp_path, monkeypatch
):
    x = np.random.default_rng(0).random((40, 6, 5))
    np.save(tmp_path / "x.npy", x)
    options = ("--data", tmp_path / "x.npy", "--seed", 3, "--image-shape", "5,6")
    small_train(tmp_path / "unbroken", *options)
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(nv.train._Run, "_gradient", interrupt)
        code, _, err = small_train(run, *options)
    assert (code, names(run)) == (130, {"config.json"})
    assert err == (
        "npvae: interrupted before the end of the first epoch, so nothing was kept but the "
        f"settings. Start again with: npvae train --resume --out {run}\n"
    )
    code, out, _ = npvae("train --no-plots --resume --out", run)
    assert code == 0
    assert f"{run} has no epoch to resume, so training starts anew with its settings" in out
    assert "earlier run" not in out
    for name in ("model.npz", "config.json"):
        assert (run / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()


def test_a_run_without_an_epoch_keeps_its_settings_until_it_is_begun_anew(
    small_train, refused, npvae, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(nv.train._Run, "_gradient", interrupt)
        small_train(tmp_path, "--seed", 3)
    line = refused("train", "--resume", "--seed", 4, "--out", tmp_path)
    assert "keeps its --seed, here 3; got 4" in line
    assert "holds no model.npz" in refused("info", tmp_path)
    code, out, _ = small_train(tmp_path, "--seed", 4)
    assert code == 0
    assert "earlier run" not in out
    assert config(tmp_path)["training"]["seed"] == 4


def test_an_earlier_run_keeps_its_settings_while_a_new_one_has_no_epoch(
    small_train, tmp_path, monkeypatch
):
    small_train(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(nv.train._Run, "_gradient", interrupt)
        code, _, err = small_train(tmp_path, "--seed", 4)
    assert code == 130
    assert err.endswith(f"nothing was kept; the earlier run in {tmp_path} is as it was\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_data_that_fit_refuses_leave_no_settings_behind(refused, tmp_path):
    np.save(tmp_path / "x.npy", np.full((9, 4), 1.5))
    run = tmp_path / "run"
    line = "train --quiet --likelihood bernoulli --data"
    assert "Bernoulli needs data" in refused(line, tmp_path / "x.npy", "--out", run)
    assert names(run) == set()


def test_a_damaged_run_is_not_resumed(small_train, tmp_path, refused):
    small_train(tmp_path)
    resume = ("train", "--resume", "--out", tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "config.json' is damaged" in refused(*resume)
    (tmp_path / "config.json").unlink()
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 cut short")
    assert "checkpoint.npz' is no npvae model, or was cut short" in refused(*resume)


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


def test_an_earlier_run_stays_until_the_new_one_has_an_epoch(small_train, tmp_path):
    small_train(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = small_train(tmp_path, "--lr", "1e7", "--likelihood", "gaussian")
    assert (code, err.count("\n")) == (2, 1)
    assert "in epoch 1" in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_loss_that_is_no_number_leaves_the_last_good_epoch(small_train, tmp_path, monkeypatch):
    small_train(tmp_path / "two", "--epochs", 2)
    whole_gradient = nv.train._Run._gradient

    def poisoned(run, worker, gradient, batch, noise, epoch):
        losses = whole_gradient(run, worker, gradient, batch, noise, epoch)
        return losses._replace(loss=np.nan) if epoch >= 2 else losses

    monkeypatch.setattr(nv.train._Run, "_gradient", poisoned)
    code, _, err = small_train(tmp_path / "broken")
    assert code == 2
    assert re.match("npvae: error: the loss became nan in epoch 3.*checkpoint.npz'.\n$", err)
    assert without_seconds(tmp_path / "broken") == without_seconds(tmp_path / "two")
    np.testing.assert_array_equal(
        nv.load(tmp_path / "broken/model.npz").flat, nv.load(tmp_path / "two/model.npz").flat
    )


def test_patience_keeps_the_best_model(npvae, tmp_path):
    code, out, _ = npvae(
        "train --epochs 60 --hidden 64 --lr 0.03 --patience 2 --no-plots --out", tmp_path
    )
    assert code == 0
    losses = [row["valid_loss"] for row in history(tmp_path)]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 60
    assert f"epoch {best + 3} of 60 reached, 2 after the best one" in out
    assert f"the model is that of epoch {best + 1}" in out
    assert f"validation loss {min(losses):.2f}" in out
    assert "for --resume, say with --patience 4, since it stopped early" in out
    # The file has the best weights, and not those of the last epoch.
    assert nv.load(tmp_path / "model.npz").flat.tolist() != (
        nv.load(tmp_path / "checkpoint.npz").flat.tolist()
    )


def test_a_run_that_stopped_early_goes_on_with_more_patience(npvae, tmp_path):
    options = "train --hidden 64 --lr 0.03 --no-plots --out"
    npvae(options, tmp_path / "once", "--epochs", 40, "--patience", 4)
    npvae(options, tmp_path / "twice", "--epochs", 40, "--patience", 2)
    reached = len(history(tmp_path / "twice"))
    resume = ("train --no-plots --resume --out", tmp_path / "twice")
    out = npvae(*resume).out
    assert f"{tmp_path / 'twice'} stopped early, 2 epochs after its best one; a --patience" in out
    assert "training goes on" not in out
    assert len(history(tmp_path / "twice")) == reached
    out = npvae(*resume, "--patience", 4).out
    assert "stopped early, 2 epochs" not in out
    assert f"training goes on after epoch {reached}" in out
    assert without_seconds(tmp_path / "twice") == without_seconds(tmp_path / "once")


def test_a_run_that_stopped_in_its_last_epoch_needs_more_of_both(npvae, tmp_path):
    out = npvae(
        "train --hidden 8 --epochs 3 --lr 1e-30 --patience 2 --no-plots --out", tmp_path
    ).out
    assert "for --resume, say with --patience 4 and --epochs 6" in out


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_refused_at_once(refused, tmp_path, out, monkeypatch):
    monkeypatch.setattr(jobs, "fit", None)
    (tmp_path / "file").write_text("in the way")
    assert "can't be written" in refused("train", "--out", tmp_path / out)


def test_a_folder_that_takes_no_file_is_refused_at_once(refused, tmp_path, monkeypatch):
    def full(dir):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "fit", None)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "no space left on device; choose another folder" in refused("train", "--out", tmp_path)
