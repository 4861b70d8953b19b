"""A checkpoint with a damaged state of training: one sentence, of which file and what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.models import storage

X = np.random.default_rng(0).random((20, 4))


def fit(file, epochs, resume=True):
    model = nv.VAE(4, 2, hidden=(3,))
    stopping = nv.EarlyStopping(3)
    return nv.fit(
        model, X, epochs=epochs, batch_size=8, valid=X[:5], checkpoint=file, resume=resume,
        callbacks=[stopping],
    )  # fmt: skip


@pytest.fixture
def damaged(tmp_path):
    """Write a checkpoint in which a part of the state is changed."""
    file = tmp_path / "c.npz"
    fit(file, 2, resume=False)

    def write(change=None, **arrays):
        header, found = storage.read(file)
        model = storage.build(header, found, "it")
        training = header["training"]
        if change is not None:
            change(training)
        kept = {n: a for n, a in found.items() if n.startswith("training/")}
        kept.update({f"training/{name.replace('__', '/')}": a for name, a in arrays.items()})
        storage.write(file, model, {"training": training}, kept)
        return file

    return write


def test_what_is_whole_is_resumed(damaged):
    assert len(fit(damaged(), 3).records) == 3


def setting(name, value):
    return lambda training: training.update({name: value})


def in_record(name, value):
    return lambda training: training["records"][1].update({name: value})


@pytest.mark.smoke(8)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("t", "6"), "number of steps is '6'"), (setting("t", 6.0), "number of steps"),
        (setting("t", True), "number of steps"), (setting("t", -1), "number of steps"),
        (setting("t", 10**400), "number of steps"), (setting("t", None), "number of steps"),
        (setting("t", 7), "have 6 steps, and it counts 7"),
        (setting("records", {}), "records are missing or no list"),
        (setting("records", [1, 2]), "record of epoch 1 is no dict"),
        (setting("callbacks", None), "callbacks are missing"),
        (setting("callbacks", [3]), "callback is no dict"),
        (setting("callbacks", [{"waited": "x"}]), "epochs waited is a whole number"),
        (setting("callbacks", [{"waited": -1}]), "epochs waited"),
        (lambda t: t["callbacks"][0].update(best_loss="x"), "best_loss is a finite number"),
        (lambda t: t["callbacks"][0].update(best_epoch=0.5), "best_epoch is a whole number"),
        (lambda t: t["callbacks"][0].pop("best_loss"), "best_loss"),
        (in_record("epoch", 3), "epoch 2 has the number 3"), (in_record("epoch", "2"), "epoch 2"),
        (in_record("train_loss", "x"), "has train_loss = 'x'"),
        (in_record("train_rec", None), "has train_rec = None"),
        (in_record("valid_kl", [1]), "has valid_kl = [1]"),
        (in_record("lr", True), "has lr = True"), (in_record("seconds", {}), "has seconds = {}"),
        (lambda t: t["records"][0].pop("train_kl"), "records are of different losses"),
    ],
)  # fmt: skip
def test_damaged_states(damaged, change, message):
    file = damaged(change)
    with pytest.raises(nv.ModelFileError) as caught:
        fit(file, 3)
    assert message in str(caught.value)
    assert f"'{file}' is altered" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"m": np.zeros(1)}, {"m": np.full(100, np.nan)}, {"v": np.zeros((2, 2))},
        {"m": np.array(0.0)}, {"callbacks__0__weights": np.zeros(1)},
        {"callbacks__0__weights": np.zeros(3, "i4")},
    ],
)  # fmt: skip
def test_damaged_arrays(damaged, arrays):
    with pytest.raises(nv.ModelFileError, match="finite numbers; got"):
        fit(damaged(**arrays), 3)


def test_moments_that_are_none(damaged):
    n = nv.VAE(4, 2, hidden=(3,)).n_params
    with pytest.raises(nv.ModelFileError, match="Adam's v has numbers below 0"):
        fit(damaged(v=np.full(n, -1.0)), 3)
    with pytest.raises(nv.ModelFileError, match="Adam's m"):
        fit(damaged(m=np.full(n, np.inf)), 3)


@pytest.mark.parametrize(
    ("name", "value"), [("rows", "x"), ("losses", [1]), ("losses", None), ("batch_size", None)]
)
def test_settings_of_another_run(damaged, name, value):
    file = damaged(lambda training: training["settings"].update({name: value}))
    with pytest.raises(nv.ConfigError, match=f"needs the same {name} as before"):
        fit(file, 3)
