"""A few of the kills and full disks of `python -m tests.crash`, and that it would see a loss."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from npvae.cli import main
from npvae.cli.known_rows import KnownRows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")

ROOT = Path(__file__).parents[2]
LOSING = """
import runpy, sys
from npvae.cli import folder, takeover
from npvae.cli.folder import RunFolder

def keep_earlier_run(self):
    for name in takeover.FILES:
        (self.path / name).unlink(missing_ok=True)

RunFolder.keep_earlier_run = keep_earlier_run
sys.argv = ["tests.crash", *sys.argv[1:]]
runpy.run_module("tests.crash", run_name="__main__")
"""


def crash(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_no_run_is_lost():
    done = crash("-m", "tests.crash", "--scenario", "0", "--most", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 12 lost" in done.stdout


def test_a_run_that_ended_while_it_noted_its_rows_can_be_begun_again(tmp_path, monkeypatch):
    """What says whose the folder is stands there first."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    line = ["train", "--quiet", "--no-plots", "--hidden", "4", "--epochs", "1", "--batch-size",
            "600", "--out", str(tmp_path / "run")]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("npvae.cli.job.runs.write_config", killed)
        with pytest.raises(Killed):
            main(line)
    assert not (tmp_path / "run" / "rows.npy").exists()
    with monkeypatch.context() as patch:
        patch.setattr(KnownRows, "write", killed)
        with pytest.raises(Killed):
            main(line)
    assert main(line) == 0


@pytest.mark.slow
def test_nothing_is_lost():
    done = crash("-m", "tests.crash", "--most", "8")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_that_is_lost_is_seen():
    done = crash("-c", LOSING, "--scenario", "0", "--fate", "kill", "--most", "12")
    assert done.returncode == 1
    assert "there is no model" in done.stdout
