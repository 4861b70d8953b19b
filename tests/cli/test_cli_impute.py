"""npvae impute: a table written again as it is, with its gaps filled in."""

from __future__ import annotations

import re

import numpy as np
import pytest

import npvae as nv

N = 60


def text(seed=0, end="\n"):
    """Ids, numbers as people write them, labels, a remark that is no column, and gaps."""
    rng = np.random.default_rng(seed)
    size = rng.normal(1500, 300, N)
    lines = ["id;size;member;colour;remark"]
    for i, v in enumerate(size):
        number = "" if i % 7 == 3 else f"{v:.2f}".replace(".", ",")
        member = "NA" if i % 11 == 5 else ["no", "Yes"][int(v > 1500)]
        colour = "?" if i % 13 == 2 else rng.choice(["red", '"light; green"', "blue"])
        lines.append(f"r{i:03};{number};{member};{colour};said on day {i} {rng.random():.9f}")
    return end.join(lines) + end


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from npvae.cli import main

    folder = tmp_path_factory.mktemp("gaps")
    (folder / "t.csv").write_bytes(text(end="\r\n").encode())
    line = f"train {folder / 't.csv'} --epochs 3 --quiet --no-plots --out {folder / 'run'}"
    assert main(line.split()) == 0
    return folder


def lines_of(path):
    return path.read_bytes().decode().split("\r\n")


def is_gap(cell):
    return cell in ("", "NA", "?")


def test_only_what_is_missing_is_written_anew(folder, npvae, tmp_path):
    out = tmp_path / "filled.csv"
    code, said, err = npvae("impute", folder / "run", "--out", out)
    assert (code, err) == (0, "")
    before, after = lines_of(folder / "t.csv"), lines_of(out)
    assert len(after) == len(before)
    changed = 0
    for old, new in zip(before, after, strict=True):
        cells = re.findall(r'("[^"]*"|[^;]*)(?:;|$)', old)
        again = re.findall(r'("[^"]*"|[^;]*)(?:;|$)', new)
        for a, b in zip(cells, again, strict=True):
            if is_gap(a) and a != b:
                changed += 1
                assert re.fullmatch(r'\d+,\d\d|no|Yes|red|blue|"light; green"', b)
            else:
                assert a == b
    assert f"{changed} missing cells filled in, in" in said
    assert re.search(r"size +\d+ cells; 90 % intervals are \d+% as wide as", said)
    assert re.search(r"member +\d cells; \d+% of draws agree on the label", said)
    assert re.search(r"of 200 importance samples a row, \d+ count in the middle row", said)
    assert re.search(r"moved towards linear guesses by \d+% of what lies between", said)
    filled = nv.tables.read(out, schema=nv.load(folder / "run").schema)
    assert not np.isnan(filled.x).any()


def test_what_is_written_is_what_python_gives(folder, npvae, tmp_path):
    model = nv.load(folder / "run")
    x = nv.tables.read(folder / "t.csv", schema=model.schema).x
    for how, given in ((["--median"], {"statistic": "median"}), (["--samples", 60], {})):
        out = tmp_path / "filled.csv"
        assert npvae("impute", folder / "run", "--out", out, "--seed", 3, *how).code == 0
        n = 60 if "--samples" in how else 200
        filled = nv.impute(model, x, n_samples=n, seed=3, **given)
        written = nv.tables.read(out, schema=model.schema).x
        np.testing.assert_array_equal(written, model.schema.array(model.schema.rows(filled)))


def test_draws_are_several_tables(folder, npvae, tmp_path):
    code, said, _ = npvae(
        "impute", folder / "run", folder / "t.csv", "--draws", 3, "--out", tmp_path / "f.csv"
    )
    assert code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f-1.csv", "f-2.csv", "f-3.csv"]
    assert f"{tmp_path / 'f-1.csv'} to f-3.csv: " in said
    tables = [(tmp_path / f"f-{i}.csv").read_bytes() for i in (1, 2, 3)]
    assert len(set(tables)) == 3


def test_a_sheet_gets_numbers_and_labels(folder, npvae, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    assert npvae("impute", folder / "run", "--out", tmp_path / "f.xlsx").code == 0
    header, *rows = openpyxl.load_workbook(tmp_path / "f.xlsx").active.values
    assert header == ("size", "member", "colour")
    assert len(rows) == N
    for size, member, colour in rows:
        assert isinstance(size, int | float)  # a sheet has 1228.00 as 1228
        assert member in ("no", "Yes")
        assert colour in ("red", "blue", "light; green")


def test_a_table_without_gaps_comes_back_as_it_is(folder, npvae, tmp_path):
    whole = [line for line in text().splitlines() if not re.search(r";;|;NA;|;\?;", line)]
    (tmp_path / "w.csv").write_text("\n".join(whole) + "\n")
    code, said, _ = npvae("impute", folder / "run", tmp_path / "w.csv", "--out", tmp_path / "f.csv")
    assert code == 0
    assert "0 missing cells filled in, in 0 rows of" in said
    assert lines_of(tmp_path / "f.csv")[:-1] == whole


def test_what_it_refuses(folder, refused, npvae, tmp_path):
    line = refused("impute", folder / "run", "--draws", 2, "--median", "--out", tmp_path / "f.csv")
    assert "--median is for one table" in line
    bare = nv.VAE(3, 2, hidden=())
    nv.save(bare, tmp_path / "bare.npz")
    line = refused("impute", tmp_path / "bare.npz", folder / "t.csv", "--out", tmp_path / "f.csv")
    assert "a model of bare rows" in line
    assert not (tmp_path / "f.csv").exists()
