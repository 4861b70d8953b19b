"""What the pictures show is what they were given: values, places, order, names."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest
from figures import legend_names, noise

from npvae import plots
from npvae.core.errors import DataError, MissingDependency

NAN = float("nan")


def record(epoch, train, valid=None, **more):
    """Total, reconstruction and KL as train + 0, 1, 2 and valid + 0, 1, 2."""
    terms = {"loss": 0.0, "rec": 1.0, "kl": 2.0}
    row = {f"train_{name}": train + shift for name, shift in terms.items()}
    row |= {f"valid_{n}": None if valid is None else valid + s for n, s in terms.items()}
    return {"epoch": epoch, **row, **more}


def test_loss_curves_draw_the_records():
    history = [record(e, 100.0 / e, 110.0 / e) for e in range(1, 7)]
    figure = plots.loss_curves(history)
    for axes, term in zip(figure.axes, ("loss", "rec", "kl"), strict=True):
        assert axes.get_ylabel() == "nats per example"
        for line, split in zip(axes.lines, ("train", "valid"), strict=True):
            assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
            assert list(line.get_ydata()) == [row[f"{split}_{term}"] for row in history]
    assert legend_names(figure) == ["train", "validation"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Loss", "Reconstruction term", "KL term"]


def test_loss_curves_skip_epochs_without_validation():
    history = [record(1, 9.0), record(2, 8.0, 8.5), record(3, 7.0, NAN), record(4, 6.0, 6.5)]
    del history[0]["valid_loss"]
    train, valid = plots.loss_curves(history).axes[0].lines
    assert list(train.get_xdata()) == [1, 2, 3, 4]
    assert valid.get_xydata().tolist() == [[2, 8.5], [4, 6.5]]
    assert legend_names(plots.loss_curves([record(1, 9.0), record(2, 8.0)])) == ["train"]


def test_loss_curves_of_one_epoch_and_of_many():
    one = plots.loss_curves([record(1, 9.0, 9.5)]).axes[0]
    assert one.lines[0].get_marker() == "o"
    assert [tick for tick in one.get_xticks() if abs(tick - 1) < 0.5] == [1]
    many = plots.loss_curves([record(e, 100 + 50 * 0.98**e) for e in range(1, 501)]).axes[0]
    assert many.lines[0].get_marker() in ("", "None")
    assert many.get_ylim()[1] > 149


def test_loss_curves_mark_the_epoch_that_they_cut():
    history = [record(1, 5432.0), *(record(e, 100.0 + 20 / e, 105.0) for e in range(2, 21))]
    axes = plots.loss_curves(history).axes[0]
    low, high = axes.get_ylim()
    assert low < 101
    assert 110 < high < 130
    assert [text.get_text() for text in axes.texts] == ["↑ cut: up to 5,432 (epoch 1)"]
    axes = plots.loss_curves([record(e, 100.0 + 80 / e) for e in range(1, 21)]).axes[0]
    assert axes.get_ylim()[1] > 180, "an ordinary first epoch stays"
    assert not axes.texts


def test_loss_curves_mark_the_epoch_that_was_kept():
    history = [record(e, 100.0 / e, 110.0 / e) for e in range(1, 7)]
    figure = plots.loss_curves(history, kept=4)
    for axes in figure.axes:
        assert list(axes.lines[2].get_xdata()) == [4, 4]
    assert legend_names(figure) == ["train", "validation", "kept: epoch 4"]


@pytest.mark.smoke(1)
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_save_writes_the_same_bytes_and_leaves_nothing_else(tmp_path, suffix):
    def write(name):
        plots.save(plots.latent(noise(30, 2), np.arange(30) % 3), tmp_path / name)
        return (tmp_path / name).read_bytes()

    first = write(f"a.{suffix}")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert write(f"b.{suffix}") == first
    assert write(f"a.{suffix}") == first
    assert matplotlib.__version__.encode() not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


X = np.zeros((3, 64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.loss_curves([]), "one epoch or more; got no record"),
        (lambda: plots.loss_curves([{"epoch": 1}]), "without train_kl, train_loss, train_rec"),
        (
            lambda: plots.image_grid(X, (8, 9)),
            "(h, w, 3) in colour; got (8, 9). Try (8, 8).",
        ),
        (lambda: plots.image_grid(X, (4, 4, 4)), "got (4, 4, 4). Try (8, 8)."),
        (lambda: plots.image_grid(X[:, :48], (4, 4, 4)), "got (4, 4, 4). Is it for other data?"),
        (lambda: plots.image_grid(X, None), "got None. Try (8, 8)."),
        (lambda: plots.image_grid(X, 8), "got 8. Try (8, 8)."),
        (lambda: plots.image_grid(X[0], (8, 8)), "(n, D), an image a row; got (64,)"),
        (
            lambda: plots.image_grid(X.astype(np.uint8) + 200, (8, 8)),
            "got 200. Divide by 255, or",
        ),
        (lambda: plots.image_grid(X.astype(np.uint8) + 16, (8, 8)), "got 16. Divide by the data's"),
        (lambda: plots.reconstructions(X, X[:2], (8, 8)), "one shape (N, D)"),
        (lambda: plots.reconstructions(X, X, (8, 8), n=0), "n=0"),
        (lambda: plots.reconstructions(X, X, (7, 7)), "in colour; got (7, 7)"),
        (lambda: plots.interpolation(X, (8, 8)), "got (3, 64). One pair: pass decoded[None]."),
        (lambda: plots.walks(X), "got (3, 64). One pair: pass decoded[None]."),
        (lambda: plots.walks(X[None], ends=X), "ends must be (1, 2, 64), two rows for each pair"),
        (lambda: plots.walks(X[None], ["a"]), "one for each of the 64 columns; got 1"),
        (lambda: plots.latent(X[0]), "mu must be (N, Z)"),
        (lambda: plots.latent(X * NAN), "192 values NaN"),
        (lambda: plots.latent(X, [1, 2]), "labels must be (3,)"),
        (lambda: plots.latent(X, np.eye(3)), "labels.argmax(1)"),
        (lambda: plots.manifold(lambda z: X, (8, 8), n=2), "one image for each z, here 4; got 3"),
        (lambda: plots.columns(X[0], X), "x must be (n, D) and finite; got (64,)"),
        (lambda: plots.columns(X, X * NAN), "samples must be (n, D) and finite"),
        (lambda: plots.columns(X, X[:, :9]), "the same columns; got 64 and 9"),
        (lambda: plots.reconstructions(X, X, None, names=["a"]), "each of the 64 columns; got 1"),
        (lambda: plots.interpolation(X[None], None, names=["a"]), "each of the 64 columns; got 1"),
        (lambda: plots.traversal(X, (8, 8), [0], [1.0]), "(1, 1, D) with two values or more"),
        (lambda: plots.attribute(X, (8, 8), [0, 1]), "got (3, 64) and strengths of shape (2,)"),
        (
            lambda: plots.attribute(X[None], (8, 8), [0, 1, 2], []),
            "a name for each of 1 rows; got 0",
        ),
        (lambda: plots.walks(X[None], called=["a", "b"]), "a name for each of 1 pairs; got 2"),
        (lambda: plots.columns(X, X, ["a"]), "one for each of the 64 columns; got 1"),
        (lambda: plots.save(plots.latent(X), "picture.bmp"), "Try picture.png"),
    ],
)
def test_a_bad_argument_gets_one_clear_sentence(call, message):
    with pytest.raises(DataError, match=re.escape(message)):
        call()


@pytest.mark.slow
def test_pyplot_is_never_imported_and_settings_are_left_alone():
    code = """
import sys
from npvae import plots
assert "matplotlib" not in sys.modules
import io, matplotlib, numpy as np
matplotlib.rcParams["font.size"] = 21
before = matplotlib.rcParams.copy()
x = np.random.default_rng(0).random((9, 64))
row = dict(epoch=1, train_loss=3.0, train_rec=2.0, train_kl=1.0)
figures = [plots.loss_curves([row]), plots.image_grid(x, (8, 8)),
           plots.reconstructions(x, x, (8, 8)), plots.reconstructions(x, x, None),
           plots.interpolation(x[None], (8, 8)), plots.interpolation(x[None], None),
           plots.traversal(x[None, :5], (8, 8), [3], range(5)),
           plots.latent(x, np.arange(9)), plots.latent(x[:, :1]), plots.latent(x, x[:, 0]),
           plots.columns(x, x), plots.columns(x[:, :4], x[:, :4]),
           plots.manifold(lambda z: x, (8, 8), n=3)]
for figure in figures:
    figure.savefig(io.BytesIO())
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependency, match=re.escape("pip install matplotlib")):
        plots.latent([[1.0, 2.0]])


@pytest.mark.slow
def test_threads_draw_at_once_and_restore_the_settings(tmp_path):
    before = matplotlib.rcParams.copy()

    def draw(i):
        plots.save(plots.latent(noise(20, 2)), tmp_path / f"{i}.png")
        return (tmp_path / f"{i}.png").read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1
    assert matplotlib.rcParams.copy() == before
