"""One checkout of npvae beside another."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bench import against
from bench.nets import Net
from bench.processes import ROOT, WorkerFailed, fresh

TINY = Net(12, (8,), 2, batch=16)


@pytest.fixture
def tiny(monkeypatch):
    for name, value in (("NETS", TINY), ("ROWS", 40), ("EPOCHS", 2)):
        monkeypatch.setattr(against, name, {"tiny": value, "ref": value})


def test_ratios_are_taken_round_by_round():
    found = against.compared({"old": [1.0, 2.0, 4.0], "new": [2.0, 2.0, 2.0]})
    assert found["new/old"] == {"median": 1, "least": 0.5, "most": 2, "rounds": [2, 1, 0.5]}
    assert found["old"] == {"median": 2, "least": 1, "most": 4}


def test_a_turn_is_the_median_of_its_epochs_and_the_first_is_none():
    def answers(*turns):
        return [{"wall": turn, "cpu": [0.5, 0.5], "loss": 3.0} for turn in turns]

    found = against.figures(
        {"old": answers([9, 9], [0.1, 0.2, 0.6]), "new": answers([9], [0.1, 0.1, 0.1])}, steps=100
    )
    assert [found["wall"][side]["median"] for side in ("old", "new")] == [2.0, 1.0]
    assert found["wall"]["new/old"]["rounds"] == [0.5]
    assert found["cpu"]["new/old"]["median"] == 1
    assert against.report(found, "ms/step").splitlines()[-1].startswith("new/old")


@pytest.mark.slow
def test_this_checkout_beside_itself(tiny, tmp_path, capsys):
    sides = {"old": ROOT, "new": ROOT}
    (result,) = against.trained(sides, tmp_path, [("tiny", 1)], rounds=2)
    assert len(result["wall"]["new/old"]["rounds"]) == 2
    assert min(result["wall"]["old"]["least"], result["cpu"]["new"]["least"]) > 0
    assert "on both sides the same to the last bit" in capsys.readouterr().out


def test_a_side_that_brings_another_npvae_is_refused(tmp_path):
    rows = against.save_rows(TINY, 16, tmp_path)
    with pytest.raises(WorkerFailed, match="npvae was to come from"):
        fresh(against.FIRST_STEP, against.arguments(tmp_path, rows, TINY, 1))


@pytest.mark.slow
def test_the_first_step_says_what_the_processor_took(tmp_path):
    rows = against.save_rows(TINY, 16, tmp_path)
    seconds, cpu = fresh(against.FIRST_STEP, against.arguments(ROOT, rows, TINY, 1))
    assert seconds > 0
    assert float(cpu) > 0


def test_rows_are_as_wide_as_the_net_and_bytes_where_mnist_s_are(tmp_path):
    assert np.load(against.save_rows(Net(784, (), 2), 3, tmp_path)).dtype == np.uint8
    x = np.load(against.save_rows(TINY, 3, tmp_path))
    assert (x.shape, x.dtype) == ((3, 12), np.float32)


def test_the_other_side_is_a_folder_or_a_commit(tmp_path):
    assert against.checkout(str(ROOT), tmp_path) == ROOT.resolve()
    for other in (str(tmp_path), "no-such-commit"):
        with pytest.raises(ValueError, match=r"holds no npvae/|is no folder, and no commit"):
            against.checkout(other, tmp_path / "old")
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True)
    if git.returncode:
        pytest.skip("no git repository")
    folder = against.checkout("HEAD", tmp_path / "old")
    assert (folder / "npvae" / "__init__.py").is_file()


@pytest.mark.parametrize("setups", ["ref", "other:1", "ref:0", "ref:x"])
def test_setups_that_are_none(setups, capsys):
    with pytest.raises(SystemExit):
        against.main(["HEAD", "--setups", setups])
    assert "--setups" in capsys.readouterr().err


def test_help_explains(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["against", "--help"])
    with pytest.raises(SystemExit) as stopped:
        against.main()
    assert stopped.value.code == 0
    assert "COMMIT_OR_FOLDER" in capsys.readouterr().out
