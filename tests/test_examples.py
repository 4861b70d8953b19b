"""The examples refuse at once what would be lost after training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("folder.png", "it takes a file to write; got the folder"),
        ("none/beta.png", "to write in; make it first"),
        ("beta.gif", "a file that ends in .png, .svg, .pdf"),
    ],
)
def test_beta_checks_its_output_before_it_trains(tmp_path, out, said):
    (tmp_path / "folder.png").mkdir()
    done = subprocess.run(
        [sys.executable, EXAMPLES / "beta.py", "nowhere", "--out", tmp_path / out],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
