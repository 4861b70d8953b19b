"""A run that was stopped anywhere, even killed, and goes on as if it never had."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from resumed import X, assert_same, small

import npvae as nv
from npvae.core.schedules import Cosine, Linear
from npvae.models import storage as files
from npvae.training import rows

# Runs are cut short here, and a schedule with them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:beta reaches its end after"),
    pytest.mark.usefixtures("kernels"),
]

OTHER = "params/encoder.layers.0.W.npy"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def run(epochs, path=None, model=None, **options):
    """Train, with everything that has a state; gives the model, the records without times."""
    model = small() if model is None else model
    stopping = nv.EarlyStopping(patience=options.pop("patience", 50), min_delta=0.001)
    settings = {
        "lr": Cosine(0.02, 0.001, epochs=8), "objective": nv.ELBO(Linear(0, 1, epochs=6)),
        "batch_size": 9, "seed": 3, "optimiser": nv.Adam(weight_decay=0.01, clip_norm=3.0),
        "valid": X[:10], "callbacks": [stopping], "resume": path is not None,
    }  # fmt: skip
    history = nv.fit(model, X, epochs=epochs, checkpoint=path, **{**settings, **options})
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in history.records]
    return model, records, stopping


@pytest.mark.smoke
@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
@pytest.mark.parametrize("stops", [[1], [4], [2, 3, 6]])
def test_resuming_is_the_same_as_never_stopping(kernels, path, kernel_set, stops):
    kernels(kernel_set)
    expected = run(8)
    for epochs in stops:
        run(epochs, path)
    # A model of another seed takes the weights from the file.
    assert_same(run(8, path, small(seed=77)), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"objective": nv.IWAE(3)}, {"objective": None, "lr": 1e-3, "optimiser": None},
        {"batch_size": 1000}, {"valid": None, "callbacks": []},
    ],
    ids=["iwae", "default", "one batch", "without validation"],
)  # fmt: skip
def test_resuming_with_other_settings(path, options):
    expected = run(5, **options)
    run(2, path, **options)
    assert_same(run(5, path, **options), expected)


CHILD = """
import os, sys
import numpy as np
import npvae as nv
from npvae.core.schedules import Cosine, Linear

path, where, when = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.random.default_rng(0).integers(0, 256, (40, 5)).astype("uint8")
nv.use_kernels("numpy")

def wait():
    print("waiting", flush=True)
    sys.stdin.read()

class Objective(nv.ELBO, abstract=True):
    step = 0
    def __call__(self, terms, epoch):
        self.step += 1
        if where == "step" and self.step == when:
            wait()
        return super().__call__(terms, epoch)

replace, writes = os.replace, []
def slow_replace(source, target):
    writes.append(target)
    if where == "write" and len(writes) == when:
        wait()
    replace(source, target)
os.replace = slow_replace

def callback(model, record):
    if where == "callback" and record["epoch"] == when:
        wait()

nv.fit(
    nv.VAE(5, 2, hidden=(4,)), x, epochs=8, checkpoint=path, batch_size=9, seed=3,
    lr=Cosine(0.02, 0.001, epochs=8), objective=Objective(Linear(0, 1, epochs=6)),
    optimiser=nv.Adam(weight_decay=0.01, clip_norm=3.0), valid=x[:10],
    callbacks=[nv.EarlyStopping(patience=50, min_delta=0.001), callback],
)
"""


@pytest.mark.smoke(2)
@pytest.mark.parametrize(
    ("where", "when", "epochs_kept"),
    [("callback", 4, 3), ("step", 5 * 5 + 3, 5), ("write", 3, 2), ("step", 2, 0)],
    ids=["in a callback", "in an epoch", "while writing", "before the first checkpoint"],
)
def test_resuming_after_kill_minus_9(path, where, when, epochs_kept):
    arguments = [sys.executable, "-c", CHILD, str(path), where, str(when)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, **pipes) as child:
        assert child.stdout.readline() == "waiting\n", child.stderr.read()
        child.kill()
        child.wait(timeout=30)
    assert child.returncode != 0
    if epochs_kept:
        np.testing.assert_array_equal(nv.load(path).flat, last_weights(epochs_kept))
    else:
        assert not path.exists()
    assert_same(run(8, path), run(8))


def last_weights(epochs):
    """The weights after so many epochs, which EarlyStopping puts aside for the best ones."""
    seen = []
    run(epochs, callbacks=[nv.EarlyStopping(50, 0.001), lambda m, r: seen.append(m.flat.copy())])
    return seen[-1]


def test_the_checkpoint_is_a_model_file_of_the_last_epoch(path):
    model, _, _ = run(3, path, callbacks=[])
    loaded = nv.load(path)
    np.testing.assert_array_equal(loaded.flat, model.flat)
    assert loaded.config == model.config
    assert loaded.scale == 255.0
    with np.load(path, allow_pickle=False) as arrays:
        assert {"training/m", "training/v"} < set(arrays)


def test_a_checkpoint_is_written_after_each_epoch(path):
    kept = []

    def look(model, record):
        kept.append(len(files.read(path)[0]["training"]["records"]) if path.exists() else 0)

    run(3, path, callbacks=[look])
    assert kept == [0, 1, 2]
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_the_scale_comes_back_with_the_checkpoint(path):
    run(2, path)
    model = small()
    floats = X / np.float32(255)
    options = dict(batch_size=9, seed=3, checkpoint=path, resume=True)
    options |= dict(
        objective=nv.ELBO(Linear(0, 1, epochs=6)),
        optimiser=nv.Adam(weight_decay=0.01, clip_norm=3.0),
    )
    nv.fit(model, floats, epochs=3, **options)
    assert model.scale == 255.0
    assert nv.load(path).scale == 255.0


def test_numbers_of_numpy_in_a_record_are_kept(path):
    def measure(model, record):
        record["mse"] = np.float32(0.1) * record["epoch"]
        record["by_column"] = np.arange(3)

    run(2, path, callbacks=[measure])
    _, records, _ = run(3, path, callbacks=[measure])
    assert [r["mse"] for r in records] == pytest.approx([0.1, 0.2, 0.3])
    assert [list(r["by_column"]) for r in records] == [[0, 1, 2]] * 3


def test_what_no_file_can_hold_is_named(path):
    with pytest.raises(nv.ConfigError, match="numbers, text, lists and dicts; got set in a record"):
        run(2, path, callbacks=[lambda model, record: record.update(seen={1, 2})])


def test_without_resume_training_starts_anew(path):
    run(4, path)
    assert_same(run(2, path, resume=False), run(2))
    assert len(files.read(path)[0]["training"]["records"]) == 2


def test_nothing_is_trained_where_the_epochs_are_done(path):
    expected = run(4, path)
    for epochs in (4, 2, 0):
        model, records, _ = run(epochs, path)
        np.testing.assert_array_equal(model.flat, expected[0].flat)
        assert records == expected[1]


def test_resume_without_a_file_starts_anew_and_says_so(path):
    message = f"'{path}' is not there yet, so training starts anew"
    with pytest.warns(UserWarning, match=re.escape(message)):
        found = run(3, path, resume=True)
    assert_same(found, run(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 10}, "same batch_size as before, 9; got 10"),
        ({"seed": 4}, "same seed as before, 3; got 4"),
        ({"model": small(hidden=(3,))}, "another model"),
        ({"model": small(likelihood=nv.Gaussian(2.0))}, "another model"),
        ({"model": small(dtype="float64")}, "another model"),
        ({"model": small(activation="tanh")}, "another model"),
    ],
)
def test_a_run_with_other_settings_is_no_continuation(path, options, message):
    run(2, path)
    before = path.read_bytes()
    with pytest.raises(nv.ConfigError, match=message) as caught:
        run(4, path, **options)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_other_data_are_no_continuation(path):
    run(2, path)
    with pytest.raises(nv.ConfigError, match="same rows as before, 40; got 39"):
        nv.fit(small(), X[:39], epochs=4, batch_size=9, seed=3, checkpoint=path, resume=True)


@pytest.mark.parametrize("n", [40, 5000])
@pytest.mark.parametrize("digested", [1 << 24, 64])
def test_other_data_of_the_same_shape_are_no_continuation(path, monkeypatch, n, digested):
    monkeypatch.setattr(rows, "_DIGESTED", digested)
    x = np.random.default_rng(1).random((n, 5))
    weights = np.linspace(1, 2, n)

    def resume(epochs, data, **options):
        return nv.fit(
            small(likelihood="gaussian"), data, epochs=epochs, batch_size=n,
            checkpoint=path, resume=True, **{"weights": weights, **options},
        )  # fmt: skip

    resume(1, x)
    assert len(resume(2, x).records) == 2
    assert len(resume(3, np.asfortranarray(x), weights=2 * weights).records) == 3
    for data, options in (
        (5 * x + 1, {}), (x[::-1], {}), (x, {"weights": weights[::-1]}), (x, {"weights": None}),
    ):  # fmt: skip
        with pytest.raises(nv.ConfigError, match="the same data as before, got others"):
            resume(4, data, **options)


def test_a_checkpoint_without_a_digest_is_resumed(path):
    run(2, path)
    header, arrays = files.read(path)
    del header["training"]["settings"]["data"], header["training"]["settings"]["losses"]
    files.write(path, nv.load(path), {"training": header["training"]}, {
        name: array for name, array in arrays.items() if name.startswith("training/")
    })  # fmt: skip
    assert_same(run(4, path), run(4))


def test_a_model_without_a_state_of_training_is_no_checkpoint(path):
    nv.save(small(scale=255), path)
    with pytest.raises(nv.ConfigError, match="holds a model but no state of training"):
        run(4, path)


def test_a_damaged_checkpoint_is_refused(path):
    run(2, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    model = small()
    with pytest.raises(nv.ModelFileError, match="cut short or altered"):
        run(4, path, model)
    path.write_bytes(b"")
    with pytest.raises(nv.ModelFileError):
        run(4, path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda header, arrays: header["training"].pop("t"), "its number of steps is None"),
        (lambda header, arrays: header["training"].pop("settings"), "its settings are missing"),
        (lambda header, arrays: header["training"].update(settings={}), "its settings are empty"),
        (lambda header, arrays: header["training"].update(records=5), "its records are missing"),
        (
            lambda header, arrays: header["training"].update(callbacks=[5]),
            "the state of a callback is no dict",
        ),
        (
            lambda header, arrays: header["training"]["callbacks"][0].pop("best_epoch"),
            "state of training can't be used",
        ),
        (lambda header, arrays: arrays.pop("training/m.npy"), "state of training can't be used"),
        (
            lambda header, arrays: arrays.update({"training/v.npy": arrays[OTHER]}),
            "state of training can't be used",
        ),
    ],
)
def test_a_state_of_training_that_makes_no_sense_is_refused(path, damage, said):
    run(2, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members.pop(files.HEADER))
    damage(header, members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {files.HEADER: json.dumps(header).encode(), **members}.items():
            archive.writestr(name, content)
    with pytest.raises(nv.ModelFileError, match=f"(?s)model.npz.*{said}") as caught:
        run(4, path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objective": nv.ELBO(Linear(0, 2, epochs=6))}, "same objective as before, beta=.*stop=1"),
        ({"objective": nv.ELBO(Linear(0, 1, epochs=6), free_bits=0.5)},
         r"same objective as before, free_bits=0\.0; got free_bits=0\.5\. Start anew"),
        ({"optimiser": nv.Adam(weight_decay=0.01)},
         r"same optimiser as before, clip_norm=3\.0; got clip_norm=none\. Start anew"),
        ({"objective": nv.IWAE(3)}, r"before, elbo:.*; got iwae:n_samples=3\. Start anew"),
    ],
    ids=range(4),
)  # fmt: skip
def test_a_resumed_run_keeps_its_objective_and_optimiser(path, changed, message):
    run(1, path)
    with pytest.raises(nv.ConfigError, match=message):
        run(2, path, **changed)


def test_what_a_callback_changes_in_the_objective_does_not_hinder_resuming(path):
    def anneal(model, record):
        objective.n_samples = 2

    for epochs in (1, 2):
        objective = nv.ELBO(Linear(0, 1, epochs=6))
        _, records, _ = run(epochs, path, objective=objective, callbacks=[anneal])
    assert len(records) == 2
