"""When a checkpoint is written, what waits where that takes long, and who may write to it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest

import npvae as nv
from npvae.core.files import WriteError
from npvae.models import storage
from npvae.training import checkpoint

X = np.random.default_rng(0).random((40, 5))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.fixture
def slow(monkeypatch):
    """Writing takes so long that after the first checkpoint none is due before the end."""
    monkeypatch.setattr(checkpoint, "SMALL", 0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)


class Watched:
    """A callback that sees what the checkpoint holds, and stops training in some way."""

    def __init__(self, path, stop_in=None, by=KeyboardInterrupt):
        self.path, self.stop_in, self.by = path, stop_in, by
        self.held, self.weights, self.calls = [], [], []

    def __call__(self, model, record):
        self.weights.append(model.flat.copy())
        self.held.append(epochs_in(self.path) if self.path.exists() else 0)
        if record["epoch"] == self.stop_in:
            raise self.by

    def saving(self, model):
        self.calls.append(("saving", model.flat.tobytes()))

    def saved(self):
        self.calls.append(("saved", epochs_in(self.path)))


def epochs_in(path):
    return len(storage.read(path)[0]["training"]["records"])


def fit(path, epochs, *callbacks, **options):
    model = nv.VAE(5, 2, hidden=(4,))
    stopping = nv.EarlyStopping(patience=50)
    options = {"seed": 3, "batch_size": 9, "valid": X[:9], "resume": True, **options}
    callbacks = [stopping, *callbacks]
    history = nv.fit(model, X, epochs=epochs, checkpoint=path, callbacks=callbacks, **options)
    return model.flat, [{**r, "seconds": 0} for r in history.records], stopping.best_loss


def assert_same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1:] == other[1:]


def test_a_small_checkpoint_is_written_after_each_epoch(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)
    watched = Watched(path)
    fit(path, 4, watched)
    assert watched.held == [0, 1, 2, 3]


def test_a_large_one_is_written_first_and_last(path, slow):
    watched = Watched(path)
    kept = fit(path, 5, watched)
    assert watched.held == [0, 1, 1, 1, 1]
    assert [call for call in watched.calls if call[0] == "saved"] == [("saved", 1), ("saved", 5)]
    assert_same(kept, fit(None, 5, resume=False))
    assert epochs_in(path) == 5


def test_a_large_one_is_written_once_training_took_ten_times_as_long(path, monkeypatch):
    """On a clock by which writing takes 3 seconds and an epoch 4."""
    now = [0.0]
    monkeypatch.setattr(checkpoint, "SMALL", 0)
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    class Clock(Watched):
        def __call__(self, model, record):
            super().__call__(model, record)
            now[0] += 4

        def saving(self, model):
            now[0] += 3

    watched = Clock(path)
    fit(path, 20, watched)
    # After the first, 10 · 3 s have passed with the 8th epoch of 4 s.
    assert watched.held == [0, *[1] * 8, *[9] * 8, *[17] * 3]


@pytest.mark.smoke(1)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, nv.NonFiniteLoss])
def test_what_waits_is_written_when_training_is_cut_short(path, slow, stop):
    watched = Watched(path, stop_in=4, by=stop)
    with pytest.raises(stop):
        fit(path, 8, watched)
    assert epochs_in(path) == 3
    assert watched.calls[-2:] == [("saving", watched.weights[2].tobytes()), ("saved", 3)]
    np.testing.assert_array_equal(nv.load(path).flat, watched.weights[2])
    assert_same(fit(path, 8), fit(None, 8, resume=False))


def test_the_model_that_was_cut_short_stays_as_it_was(path, slow):
    model = nv.VAE(5, 2, hidden=(4,))
    watched = Watched(path, stop_in=3)
    with pytest.raises(KeyboardInterrupt):
        nv.fit(model, X, epochs=5, checkpoint=path, callbacks=[watched])
    np.testing.assert_array_equal(model.flat, watched.weights[2])
    assert not np.array_equal(model.flat, nv.load(path).flat)


def test_a_disk_that_takes_nothing_is_asked_once(path, slow, monkeypatch):
    """The error is that of the write, and what waited is not tried again."""
    tried = []

    def full(*arguments):
        tried.append(arguments)
        raise WriteError("full")

    def fill(model, record):
        if record["epoch"] == 3:
            monkeypatch.setattr(storage, "write", full)

    with pytest.raises(WriteError, match="full"):
        fit(path, 3, fill)
    assert len(tried) == 1
    assert epochs_in(path) == 1


def test_a_second_run_of_one_checkpoint_is_refused(path):
    def again(model, record):
        with pytest.raises(
            WriteError, match=rf"is in use: process {os.getpid()} on .* another path"
        ):
            fit(path, 1)
        fit(path.with_name("other.npz"), 1)

    expected = fit(None, 2, lambda *_: None, resume=False)
    assert_same(fit(path, 2, again), expected)
    assert {p.name for p in path.parent.iterdir()} == {"model.npz", "other.npz"}


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links are POSIX's")
def test_a_link_to_it_is_the_same_checkpoint(path):
    link = path.with_name("link.npz")
    link.symlink_to(path)

    def again(model, record):
        with pytest.raises(WriteError, match="is in use"):
            fit(link, 1)

    fit(path, 1, again)


def test_the_lock_of_a_killed_run_means_nothing(path):
    left = path.with_name(".model.npz.lock")
    left.write_text("{}")
    fit(path, 1)
    assert not left.exists()


def test_a_place_that_takes_no_file_is_refused_before_training(tmp_path):
    seen = []
    for place in (tmp_path, tmp_path / "none" / "model.npz"):
        with pytest.raises(WriteError):
            fit(place, 1, lambda *arguments: seen.append(arguments))
    assert not seen
