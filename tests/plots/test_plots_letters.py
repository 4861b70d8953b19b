"""Names and labels of any letters: drawn as they are, and never a traceback."""

from __future__ import annotations

import re
import warnings
from itertools import islice

import numpy as np
import pytest
from figures import noise

from npvae import plots
from npvae.plots import style

NAMES = ["$", "$a_{1}$", r"\frac{$", "_^\\{}", "\x1b[31m", "\ud800", "a\nb\t\r\0", "x" * 400, "<&>"]


@pytest.fixture
def anew():
    """What is said once a process can be said again."""
    style._note_of_letters.cache_clear()
    yield
    style._note_of_letters.cache_clear()


def pictures(names):
    """A picture of each kind that has the names of columns, of labels or of classes."""
    n, d = 40, len(names)
    x = noise(n, d)
    labels = [tuple(names[:3])] + [()] * (d - 1)
    x[:, 0] = np.arange(n) % 3
    classes = np.array(names, object)[np.arange(n) % d]
    yield plots.columns(x, x, names, labels=labels)
    yield plots.column_bars(np.arange(d), names, "title", "x")
    yield plots.columns_reconstructed(x, x, names, labels)
    yield plots.reconstructions(x, x, None, names=names)
    yield plots.interpolation(x[None], None, names=names)
    yield plots.latent(x[:, :2], classes)
    yield plots.latent(x[:, :1], np.array([f"${i}$" for i in range(n)]))


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("png", 1),
        *(pytest.param(kind, None, marks=pytest.mark.slow) for kind in ("png", "svg", "pdf")),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:constrained_layout")
def test_any_name_is_drawn(tmp_path, kind, first):
    for i, figure in enumerate(islice(pictures(NAMES), first)):
        path = tmp_path / f"{i}.{kind}"
        plots.save(figure, path)
        assert path.stat().st_size > 1000


def test_dollars_begin_no_formula(tmp_path):
    """An SVG has the text of each string beside its outlines, and of a formula the source."""
    plots.save(
        plots.column_bars([1.0, 2.0, 3.0], ["$a_1$", "$$", "5 $"], "t", "x"), tmp_path / "a.svg"
    )
    drawn = re.findall(r"<!-- (.*?) -->", (tmp_path / "a.svg").read_text())
    assert {"$a_1$", "$$", "5 $"} <= set(drawn)
    assert not any("\\" in text for text in drawn)


def test_letters_without_a_font_are_one_note(tmp_path, anew, monkeypatch):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(3):
            names = ["\ue000\ue001", "\ue002", "\ue003"]  # private: no font has letters for them
            plots.save(plots.column_bars([1.0, 2.0, 3.0], names, "t", "x"), tmp_path / f"{i}.png")
    assert [str(w.message)[:30] for w in caught] == ["no font has some letters of th"]


def test_other_warnings_stay(tmp_path, monkeypatch):
    figure = plots.column_bars([1.0], ["a"], "t", "x")

    def savefig(file, **_):
        warnings.warn("something else", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.warns(RuntimeWarning, match="something else"):
        plots.save(figure, tmp_path / "a.png")
