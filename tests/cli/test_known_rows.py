"""Rows that a run held out are known by their content, wherever they stand later."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.cli.inputs import hold_out
from npvae.cli.known_rows import HELD_OUT, NEW, TRAINED, KnownRows, digests

HEADER = "size,weight,kind"
TRAIN = "train --quiet --no-plots --epochs 2 --hidden 8 --z-dim 1 --holdout 0.2 --data"


def table_lines(n=60, seed=0):
    rng = np.random.default_rng(seed)
    values = zip(rng.normal(size=n).round(3), rng.normal(70, 9, n).round(1), strict=True)
    return [f"{a},{b},{'abc'[i % 3]}" for i, (a, b) in enumerate(values)]


def write(path, lines):
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def lines():
    return table_lines()


@pytest.fixture
def run(npvae, tmp_path, lines):
    out = tmp_path / "run"
    assert npvae(TRAIN, write(tmp_path / "t.csv", lines), "--out", out).code == 0
    return out


def held_out_lines(npvae, run, tmp_path):
    """The rows that `--split held-out` takes, as `npvae reconstruct --impute` writes them."""
    out = tmp_path / "held.csv"
    code, said, err = npvae("reconstruct", run, "--split", "held-out", "--impute", "--out", out)
    assert (code, err) == (0, "")
    return out.read_text().splitlines()[1:], said


def alter(lines, how):
    rng = np.random.default_rng(1)
    if how == "reversed":
        return lines[::-1]
    if how == "shuffled":
        return [lines[i] for i in rng.permutation(len(lines))]
    if how == "appended":
        return lines + table_lines(30, seed=5)
    if how == "in front":
        return table_lines(7, seed=6) + lines
    return lines


@pytest.mark.smoke(1)
@pytest.mark.parametrize(
    ("how", "word"),
    [("same", ""), ("reversed", ""), ("shuffled", ""), ("appended", "30 rows came"),
     ("in front", "7 rows came")],
)  # fmt: skip
def test_the_rows_held_out_stay_the_same_rows(npvae, run, tmp_path, lines, how, word):
    wanted = {lines[i] for i in hold_out(60, 0.2, 0)[1]}
    write(tmp_path / "t.csv", alter(lines, how))
    found, said = held_out_lines(npvae, run, tmp_path)
    assert set(found) == wanted
    assert len(found) == 12
    assert (f"12 rows of {tmp_path / 't.csv'} held out in training; since then {word}" in said) == (
        bool(word)
    )


def test_edited_and_removed_rows_are_told(npvae, run, tmp_path, lines):
    held = set(hold_out(60, 0.2, 0)[1].tolist())
    first, second, *_ = sorted(held)
    changed = list(lines)
    changed[first] = "9.999" + changed[first][changed[first].index(",") :]
    del changed[second]
    write(tmp_path / "t.csv", changed)
    found, said = held_out_lines(npvae, run, tmp_path)
    assert set(found) == {lines[i] for i in held - {first, second}}
    assert "10 rows of" in said
    assert "; since then 1 row came and 2 rows went" in said
    said = npvae("evaluate", run, "--samples", 2).out
    path = tmp_path / "t.csv"
    assert f"all 59 rows of {path} (the model was trained on 48 of them; since" in said
    assert "--split held-out takes those held out." in said


def test_a_file_without_any_of_them_is_refused(npvae, refused, run, tmp_path):
    write(tmp_path / "t.csv", table_lines(seed=9))
    line = refused("evaluate", run, "--split", "held-out")
    assert "has no row that" in line
    assert "any more; since then 60 rows came and 60 rows went; give the file that" in line
    assert "trained on others; since then" in npvae("evaluate", run, "--samples", 2).out


def test_a_copy_under_another_name_is_known(npvae, run, tmp_path, lines):
    copy = write(tmp_path / "copy.csv", lines[::2])
    said = npvae("evaluate", run, "--samples", 2, "--data", copy).out
    trained = sum(i % 2 == 0 for i in hold_out(60, 0.2, 0)[0])
    assert f"all 30 rows of {copy} (the model was trained on {trained} of them)" in said


def test_rows_of_a_run_from_before_are_known_by_their_places(npvae, run, tmp_path, lines):
    (run / "rows.npy").unlink()
    found, _ = held_out_lines(npvae, run, tmp_path)
    assert set(found) == {lines[i] for i in hold_out(60, 0.2, 0)[1]}


@pytest.mark.smoke(1)
@pytest.mark.parametrize("content", [b"", b"none", None])
def test_a_damaged_file_is_refused_in_one_sentence(refused, run, content):
    if content is None:
        np.save(run / "rows.npy", np.zeros((2, 2)))
    else:
        (run / "rows.npy").write_bytes(content)
    assert "rows.npy' is damaged; remove it" in refused("evaluate", run, "--samples", 2)


@pytest.mark.slow
def test_drawn_rows_are_compared_with_rows_by_their_content(
    npvae, run, tmp_path, lines, monkeypatch
):
    pytest.importorskip("sklearn")
    monkeypatch.setattr("npvae.evaluate.classifier.TREES", 10)
    write(tmp_path / "t.csv", alter(lines, "shuffled"))
    line = ("evaluate", run, "--rows-drawn", 40, "--samples", 2, "--json", "--out",
            tmp_path / "d.png")  # fmt: skip
    shuffled = json.loads(npvae(*line).out)["drawn_rows"]
    write(tmp_path / "t.csv", lines)
    assert shuffled["nearer_to_training"] == pytest.approx(
        json.loads(npvae(*line).out)["drawn_rows"]["nearer_to_training"], abs=0.2
    )


# The digests themselves


def test_content_is_numbers_not_their_type_or_sign_of_zero():
    x = np.array([[1.0, 0.0], [2.0, np.nan], [3.0, 4.0]])
    same = np.array([[1, -0.0], [2, -np.nan], [3, 4]], np.float32)
    np.testing.assert_array_equal(digests(x), digests(same))
    assert len(set(digests(x).tolist())) == 3
    assert digests(x[:, ::-1])[2] != digests(x)[2]
    np.testing.assert_array_equal(digests(np.uint8([[3, 4]])), digests(x[2:]))


def test_of_equal_rows_as_many_are_held_out_as_were():
    a, b, c = [[0.0]], [[1.0]], [[2.0]]
    known = KnownRows.of(np.array(3 * a + b), np.array(2 * a))
    roles = known.roles(np.array(a + b + 6 * a + c))
    assert roles.tolist() == [
        HELD_OUT, TRAINED, HELD_OUT, TRAINED, TRAINED, TRAINED, NEW, NEW, NEW
    ]  # fmt: skip
    assert len(known) == 6


def test_they_survive_the_file(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    known = KnownRows.of(x[:15], x[15:])
    known.write(tmp_path)
    again = KnownRows.read(tmp_path)
    np.testing.assert_array_equal(again.roles(x[::-1]), 5 * [HELD_OUT] + 15 * [TRAINED])
    assert KnownRows.read(tmp_path / "none") is None


def test_the_digits_and_arrays_have_them_too(npvae, tmp_path):
    x = np.random.default_rng(0).random((50, 9))
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "run"
    assert npvae(TRAIN, tmp_path / "x.npy", "--out", out).code == 0
    np.save(tmp_path / "x.npy", x[::-1])
    code, _, _ = npvae(
        "reconstruct", out, "--split", "held-out", "--out", tmp_path / "r.npy", "--seed", 0
    )
    assert code == 0
    model, held = nv.load(out / "model.npz"), hold_out(50, 0.2, 0)[1]
    np.testing.assert_allclose(
        np.load(tmp_path / "r.npy"), model.reconstruct(x[held])[::-1], rtol=1e-6
    )
