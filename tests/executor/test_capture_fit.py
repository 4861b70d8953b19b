"""Captured training against eager training on NumPy: the same seed, the same losses."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import (
    ACTIVATIONS,
    LAYOUTS,
    LIKELIHOODS,
    OBJECTIVES,
    network,
    numbers,
    settings,
)

import npvae as nv
from npvae.executor.operations import machine
from npvae.training import captured as steps
from npvae.training import sources as table

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)


@pytest.mark.smoke(6)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 7},  # the last batch has one row
        {"batch_size": 25},
        {"batch_size": 50},
        {"batch_size": 1, "epochs": 1},
        {"batch_size": 1000},
        {"lr": nv.Cosine(0.01, 0.001, epochs=2)},
        {"lr": lambda now: 1e-3 * (1 + now)},
        {"lr": 0.01, "optimiser": nv.Adam(beta1=0.5, beta2=0.9, eps=1e-2)},
        {"optimiser": nv.Adam(weight_decay=0.1)},
        {"optimiser": nv.Adam(clip_norm=0.1)},
        {"optimiser": nv.Adam(beta1=0.99, eps=5e-6, v_start=0.0025)},
        {"optimiser": nv.Adam(clip_norm=1e6)},
        {"valid": X[:7]},
        {"threads": 1},
        {"threads": 2},
        {"threads": 7},
    ],
    ids=settings,
)
def test_settings_of_a_run(alike, options):
    captured = alike(network(), X, **{**OPTIONS, **options})
    assert captured.full.batch == min(50, options.get("batch_size", 16))


def test_the_clipping_bites():
    """The run above is not the one without it."""
    flats = []
    for clip in (None, 0.1):
        model = network()
        nv.fit(model, X, optimiser=nv.Adam(clip_norm=clip, eps=0.1), **OPTIONS)
        flats.append(model.flat)
    assert np.abs(flats[0] - flats[1]).max() > 1e-3


@pytest.mark.smoke
@pytest.mark.parametrize(
    "objective",
    [
        *OBJECTIVES.values(),
        nv.ELBO(beta=nv.Linear(0, 4, epochs=1.5)),
        nv.ELBO(beta=lambda now: 1 + now, n_samples=2),
    ],
    ids=[*OBJECTIVES, "warm-up", "a function"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_objectives(alike, share_all, objective, threads):
    captured = alike(network(), X, objective=objective, threads=threads, **OPTIONS)
    assert captured.full.threads == threads
    assert not captured.full.python_calls


@pytest.mark.smoke
@pytest.mark.parametrize("likelihood", [*LIKELIHOODS, nv.Gaussian(0.5)], ids=str)
@pytest.mark.parametrize("context_dim", [0, 2])
def test_likelihoods(alike, likelihood, context_dim):
    context = numbers((50, 2), 9) if context_dim else None
    model = network(likelihood=likelihood, context_dim=context_dim)
    alike(model, X, context=context, valid=(X[:9], None if context is None else context[:9]),
          objective=nv.ELBO(n_samples=2), **OPTIONS)  # fmt: skip


@pytest.mark.smoke(3)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(alike, activation):
    alike(network(activation=activation), X, **OPTIONS)


@pytest.mark.smoke(3)
@pytest.mark.parametrize("hidden", LAYOUTS, ids=str)
def test_layouts(alike, share_all, hidden):
    alike(network(hidden=hidden), X, threads=3, **OPTIONS)


def test_a_model_that_is_trained_again(alike, attempts):
    model = network()
    nv.fit(model, X[:20], **OPTIONS)
    attempts.clear()
    alike(model, X[20:], **OPTIONS)


# Forms of the data

BYTES = np.random.default_rng(0).integers(0, 256, (50, 5)).astype("uint8")
BINARY = BYTES > 127


def odd_address(x):
    """Numbers that begin at an odd address, as those in a packed record do."""
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    view = np.frombuffer(buffer.data, x.dtype, x.size, offset=1).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


FORMS = {
    "plain": lambda x: x,
    "read-only": read_only,
    "by columns": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "some columns": lambda x: np.hstack([x, x])[:, : x.shape[1]],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "odd address": odd_address,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "masked": np.ma.asarray,
    "list": lambda x: x.tolist(),
}


@pytest.mark.smoke(4)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("x", [BYTES / np.float32(255), BYTES / 255], ids=["float32", "float64"])
def test_forms_of_floating_data(alike, x, form):
    alike(network(), form(x), **OPTIONS)


@pytest.mark.smoke(3)
@pytest.mark.parametrize("form", [f for f in FORMS if f not in ("odd address", "list")])
def test_forms_of_bytes(alike, form):
    alike(network(), FORMS[form](BYTES), **OPTIONS)


@pytest.mark.smoke(3)
@pytest.mark.parametrize(
    "x",
    [
        BINARY, BINARY.astype("uint8"), BINARY.astype("int8"), BINARY.astype("int64"),
        BINARY.astype("uint16"), BINARY.astype("float16"), BINARY.astype("longdouble"),
    ],
    ids=lambda x: x.dtype.name,
)  # fmt: skip
def test_types_of_the_data(alike, x):
    alike(network(), x, **OPTIONS)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", ">f4"])
def test_memory_mapped_data(alike, tmp_path, dtype):
    np.save(tmp_path / "x.npy", BYTES if dtype == "uint8" else X.astype(dtype))
    alike(network(), np.load(tmp_path / "x.npy", mmap_mode="r"), **OPTIONS)


def test_counts_under_a_gaussian(alike):
    """With an activation that does not saturate: tanh's tiny slopes would be mostly rounding."""
    alike(network(likelihood=nv.Gaussian(50.0), activation="leaky_relu"), BYTES, **OPTIONS)


def test_a_scale_that_the_model_has_already(alike):
    alike(network(scale=100.0), BYTES // 3, **OPTIONS)
    alike(network(scale=100.0), (BYTES // 3).astype("int32"), **OPTIONS)


@pytest.mark.smoke
@pytest.mark.parametrize("context_type", ["uint8", "float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("x", [BYTES, X, X.astype("float64")], ids=lambda x: x.dtype.name)
def test_context_of_another_type(alike, x, context_type):
    context = (3 * numbers((50, 2), 5)).astype(context_type)
    alike(network(context_dim=2), x, context=context, **OPTIONS)


def test_data_that_change_between_epochs_are_read_anew():
    """They are never copied as a whole."""
    flats = []
    for kernel_set in (None, "numpy"):
        nv.use_kernels(kernel_set)
        x, model = X.copy(), network()

        def flip(*_, x=x):
            x[...] = 1 - x

        nv.fit(model, x, callbacks=[flip], **OPTIONS)
        flats.append(model.flat)
    np.testing.assert_allclose(*flats, atol=1e-5)


# Where it isn't captured


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float64"}, {"optimiser": type("Own", (nv.Adam,), {})()}],
    ids=["float64", "an optimiser of one's own"],
)
def test_what_is_not_captured_runs_eagerly(attempts, options):
    dtype = {k: options.pop(k) for k in ("dtype",) if k in options}
    model = network(**dtype)
    history = nv.fit(model, X, **OPTIONS, **options)
    assert attempts == [None]
    assert np.isfinite(history.records[-1]["train_loss"])


def test_no_epochs_train_nothing(attempts):
    model = network()
    before = model.flat.copy()
    nv.fit(model, X, epochs=0)
    bias = model.params["decoder.layers.1.b"]
    assert bias.any()
    np.testing.assert_array_equal(model.flat, before)


@pytest.mark.slow
def test_one_compiled_executor_serves_all_of_these(monkeypatch):
    """Whatever the data, the network and the threads: nothing is compiled twice."""
    asked, code_of = [], machine.code_of
    monkeypatch.setattr(machine, "_addresses", {})
    monkeypatch.setattr(machine, "code_of", lambda names: asked.extend(names) or code_of(names))
    for x in (BYTES, X, X.astype("float64"), np.asfortranarray(X), BINARY, read_only(BYTES), X[:1]):
        for threads, batch_size in ((1, 16), (2, 50), (3, 7)):
            nv.fit(network(), x, epochs=1, threads=threads, batch_size=batch_size)
    context = BYTES[:, :2] / 255
    nv.fit(network(context_dim=2), X, context=context, objective=nv.IWAE(2), epochs=1)
    assert {"execute", "product", "iwae"} <= set(asked)
    assert len(set(asked)) == len(asked)


# How the work is cut


def test_chunks_grow_and_stay_within_their_bounds(monkeypatch):
    lengths = []
    chunk_of = steps.CapturedSteps._do

    def spy(self, program, first, rows, noise, rates, *rest):
        assert len(rows) == len(rates) * program.batch
        lengths.append(len(rates))
        return chunk_of(self, program, first, rows, noise, rates, *rest)

    monkeypatch.setattr(steps.CapturedSteps, "_do", spy)
    monkeypatch.setattr(steps, "CHUNK_SECONDS", 1e9)  # as long as it likes
    x = numbers((1003, 5))
    nv.fit(network(), x, epochs=1, batch_size=10)
    assert lengths == [4, 8, 16, 32, 40, 1]
    for module, name, most, rows in (
        (table, "STAGED_ROWS", 35, x.astype(float)),
        (steps, "NOISE_NUMBERS", 65, x),
    ):
        lengths.clear()
        with monkeypatch.context() as patch:
            patch.setattr(module, name, most)
            nv.fit(network(), rows, epochs=1, batch_size=10)
        assert max(lengths) == 3
        assert sum(lengths) == 101


def test_what_was_done_is_shown_chunk_by_chunk(capsys):
    history = nv.fit(network(), X, progress=True, **OPTIONS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert f"loss {history.records[0]['train_loss']:.2f}" in lines[0]
