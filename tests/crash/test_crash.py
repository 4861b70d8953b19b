"""A few of the kills and full disks of `python -m tests.crash`, and that it would see a loss."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_no_run_is_lost():
    done = crash("-m", "tests.crash", "--scenario", "0", "--most", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 12 lost" in done.stdout


@pytest.mark.slow
def test_nothing_is_lost():
    done = crash("-m", "tests.crash", "--most", "8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_that_is_lost_is_seen():
    done = crash("-c", LOSING, "--scenario", "0", "--fate", "kill", "--most", "12")
    assert done.returncode == 1
    assert "there is no model" in done.stdout
