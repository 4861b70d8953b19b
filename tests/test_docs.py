"""The documentation keeps its word: code runs, links lead somewhere, names and extras exist."""

from __future__ import annotations

import configparser
import re
import runpy
from pathlib import Path

import matplotlib
import pytest

import npvae as nv
from npvae.evaluate import classifier

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
GONE = {"bench.twins"}
"""Commands of an earlier commit, which the page names."""


@pytest.mark.slow
def test_the_blocks_of_the_api_reference_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier, "TREES", 10)
    blocks = list(re.finditer(r"^```python\n(.*?)^```", API, re.MULTILINE | re.DOTALL))
    names: dict = {}
    for block in blocks:
        line = API[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], "docs/api.md", "exec"), names)
    assert len(blocks) > 10
    written = {path.name for path in tmp_path.iterdir()}
    assert {"model.npz", "run.npz", "history.csv", "columns.png", "manifold.png"} <= written
    assert "pyplot" not in vars(matplotlib)


@pytest.mark.parametrize("name", sorted(set(nv.__all__) - {"__version__"}))
def test_every_public_name_is_in_the_api_reference(name):
    assert re.search(rf"\bnv\.{name}\b", API), f"say in docs/api.md what nv.{name} is for"


@pytest.mark.parametrize(
    "module", [nv.plots, nv.datasets, nv.tables], ids=["plots", "datasets", "tables"]
)
def test_the_functions_of_the_modules_are_in_it_too(module):
    functions = [name for name in module.__all__ if name.islower()]
    assert [name for name in functions if not re.search(rf"\b{name}\b", API)] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_to_what_is_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, f"{page.name} links to {target}"


def test_every_extra_that_is_named_exists():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = set(config["options.extras_require"])
    sources = [*PAGES, *ROOT.glob("npvae/**/*.py"), *ROOT.glob("bench/**/*.py")]
    named = {
        name
        for path in [*sources, ROOT / "setup.cfg"]
        for group in re.findall(r"(?:npvae|\.)\[([a-z,]+)\]", path.read_text(encoding="utf-8"))
        for name in group.split(",")
    }
    assert {"fast", "plot", "all"} <= named
    assert named <= extras, f"no such extras: {sorted(named - extras)}"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_the_files_and_commands_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    tops = "npvae|tests|bench|docs|examples"
    for path in set(re.findall(rf"\b(?:{tops})/[\w/]*\w\.(?:py|md|svg|png)\b", text)):
        assert (ROOT / path).exists(), f"{page.name} names {path}"
    for path in set(re.findall(rf"`((?:{tops})(?:/\w+)+)/?`", text)):
        assert (ROOT / path).is_dir(), f"{page.name} names {path}"
    for module in set(re.findall(r"python -m ((?:bench|tests|npvae)(?:\.\w+)*)", text)) - GONE:
        path = ROOT / module.replace(".", "/")
        command = path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        assert command, f"{page.name} names {module}"


def test_every_room_is_in_the_table_of_rooms():
    table = re.findall(r"^\| (`[^|]*) \|", DESIGN, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(table)))
    own = (ROOT / "npvae").iterdir()
    rooms = {path.stem for path in own if path.is_dir() or path.suffix == ".py"}
    assert {room for room in rooms if not room.startswith("_")} == named


def test_the_map_shows_the_rooms_as_they_are():
    """docs/images/map.svg is what docs/map.py draws now."""
    drawn = runpy.run_path(str(ROOT / "docs" / "map.py"))["picture"]()
    kept = (ROOT / "docs" / "images" / "map.svg").read_text(encoding="utf-8")
    assert drawn == kept, "draw it anew: python docs/map.py"


def test_the_citation_names_the_version():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert cited[1] == nv.__version__
