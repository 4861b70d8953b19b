"""Runs that are interrupted, stopped early and resumed."""

from __future__ import annotations

import numpy as np
import pytest
from folders import config, history, names, without_seconds

import npvae as nv
from npvae.cli import job as jobs
from npvae.training import fit


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


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


def test_a_resumed_run_keeps_its_objective_however_it_is_typed(small_train, tmp_path, refused):
    small_train(tmp_path, "--objective", "iwae:n_samples=2", "--prior", "vamp:n_components=3")
    resume = ("--resume", "--epochs", 4)
    for said in ("iwae:n_samples=2", "iwae"):
        assert small_train(tmp_path, *resume, "--objective", said).code == 0
    again = ("train", "--resume", "--out", tmp_path)
    assert "keeps its --n-samples, here 2; got 3" in refused(*again, "--objective=iwae:n_samples=3")
    assert "keeps its --objective, here iwae; got elbo" in refused(*again, "--objective", "elbo")
    assert "here vamp:n_components=3; got vamp" in refused(*again, "--prior", "vamp")


def test_resume_without_a_run_names_the_folder_and_writes_nothing(refused, tmp_path):
    for there in (False, True):
        line = refused("train --resume --out", tmp_path / "typo")
        assert f"'{tmp_path / 'typo'}' has no run to resume; name the folder of one" in line
        assert (tmp_path / "typo").exists() == there
        (tmp_path / "typo").mkdir(exist_ok=True)
    assert names(tmp_path / "typo") == set()


def test_a_model_without_a_checkpoint_is_not_replaced_by_resuming(small_train, refused, tmp_path):
    small_train(tmp_path)
    (tmp_path / "checkpoint.npz").unlink()
    before = (tmp_path / "model.npz").read_bytes()
    line = refused("train --resume --epochs 9 --out", tmp_path)
    assert "has a model, and no checkpoint.npz that training could go on from" in line
    assert (tmp_path / "model.npz").read_bytes() == before


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(small_train, tmp_path):
    small_train(tmp_path)
    whole = (tmp_path / "model.npz").read_bytes()
    for name in ("checkpoint.npz", "history.csv"):
        (tmp_path / name).unlink()
    code, out, _ = small_train(tmp_path, "--resume")
    assert code == 0
    assert "has no epoch to resume, so training starts anew with its settings" in out
    assert (tmp_path / "model.npz").read_bytes() == whole


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
    monkeypatch.setattr(jobs, "train", interrupt)
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
        patch.setattr(fit._Run, "_epoch", interrupt)
        code, _, err = small_train(run, *options)
    assert (code, names(run)) == (130, {"config.json", "rows.npy"})
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


def test_an_interrupt_that_numba_wrapped_is_an_interrupt(small_train, tmp_path, monkeypatch):
    def wrapped(*arguments):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("returned a result with an exception set") from error

    def broken(*arguments):
        raise SystemError("a bug")

    monkeypatch.setattr(fit._Run, "_epoch", wrapped)
    code, _, err = small_train(tmp_path)
    assert code == 130
    assert err.startswith("npvae: interrupted before the end of the first epoch")
    monkeypatch.setattr(fit._Run, "_epoch", broken)
    with pytest.raises(SystemError, match="a bug"):
        small_train(tmp_path)


def test_a_run_without_an_epoch_keeps_its_settings_until_it_is_begun_anew(
    small_train, refused, npvae, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(fit._Run, "_epoch", interrupt)
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
        patch.setattr(fit._Run, "_epoch", interrupt)
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


def test_an_earlier_run_stays_until_the_new_one_has_an_epoch(small_train, tmp_path):
    small_train(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = small_train(tmp_path, "--lr", "1e7", "--likelihood", "gaussian")
    assert (code, err.count("\n")) == (2, 1)
    assert "in epoch 1" in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


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


def test_data_that_have_gone_are_not_looked_for_as_if_they_were_typed(
    small_train, refused, tmp_path
):
    source, run = tmp_path / "rows.npy", tmp_path / "run"
    np.save(source, np.random.default_rng(0).random((40, 4)))
    assert small_train(run, source).code == 0
    source.rename(tmp_path / "rows-of-old.npy")
    for command in (f"evaluate {run}", f"traverse {run}", f"train --resume --out {run}"):
        said = refused(*command.split())
        assert f"'{run}' was trained on '{source}', and from this folder there is no such" in said
    assert "no file or folder" in refused("evaluate", run, "--data", tmp_path / "nope.npy")
