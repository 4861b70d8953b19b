"""The examples refuse at once what would be lost after training."""

from __future__ import annotations

import runpy
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
def test_beta_checks_its_output_before_it_trains(tmp_path, out, said, monkeypatch, capsys):
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(sys, "argv", ["beta.py", "nowhere", "--out", str(tmp_path / out)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLES / "beta.py"), run_name="__main__")
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
