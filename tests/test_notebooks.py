"""The notebooks run, and show what their text says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import npvae as nv

pytest.importorskip("sklearn", "1.6")
FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"


@pytest.fixture
def run(monkeypatch):
    """The names that a notebook's cells leave behind, and what each cell shows."""

    def call(name):
        monkeypatch.chdir(FOLDER)
        book = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
        names = {}
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
        return names

    nv.use_kernels("numpy")
    yield call
    nv.use_kernels(None)


def test_every_notebook_is_plain_and_has_no_output():
    for path in FOLDER.glob("*.ipynb"):
        book = json.loads(path.read_text(encoding="utf-8"))
        assert book["nbformat"] == 4
        assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
        assert not any(cell.get("outputs") for cell in book["cells"])


@pytest.mark.slow
def test_the_mistakes_are_among_the_strange_rows(run):
    names = run("outliers")
    assert set(names["mistakes"]) <= set(names["strange"].index)
    blamed = names["blame"].loc[names["mistakes"]].idxmax(axis=1)
    assert blamed.tolist() == ["bill_depth_mm", "body_mass_g"]


@pytest.mark.slow
def test_gaps_are_filled_better_than_by_medians(run):
    result = run("gaps")["result"]
    assert (result["VAEImputer"] < result["median or mode"]).all()


@pytest.mark.slow
def test_new_rows_are_like_the_table_s(run):
    names = run("new_rows")
    real, drawn = names["shares"]["real"], names["shares"]["drawn"]
    assert abs(real - drawn.reindex_like(real).fillna(0)).sum().sum() < 0.4
    assert names["figure"].axes
    assert set(names["such"]["species"]) == {"Gentoo"}
    assert names["such"]["body_mass_g"].between(4000, 4500).all()
    assert names["vae"].inverse_transform(names["z"][:1] + names["to_gentoo"])["species"][0] == (
        "Gentoo"
    )
