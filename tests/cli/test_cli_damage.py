"""Damaged run folders: config.json says nothing that could not have been typed; no pipe hangs."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

COMMANDS = (
    "info {}",
    "evaluate {} --samples 2",
    "sample {} -n 2 --out {}/s.npy",
    "latent {} --out {}/l.npy",
    "train --resume --epochs 4 --no-plots --out {}",
)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run that may be damaged."""
    return shutil.copytree(trained, tmp_path / "run")


def every(refused, run):
    for command in COMMANDS:
        yield refused(command.replace("{}", str(run)))


WRONG = [
    ("epochs", "x"), ("epochs", 0), ("epochs", 1.5), ("epochs", True), ("epochs", None),
    ("seed", -1), ("data", 5), ("data", None), ("holdout", 1), ("lr", 0),
    ("holdout", "0.1"), ("batch_size", None), ("batch_size", [32]), ("hidden", "400"),
    ("hidden", [1e400]), ("hidden", [0]), ("hidden", [[1]]), ("beta", float("nan")),
    ("binarise", 1), ("columns", {"a": 5}), ("columns", []), ("missing_cells", {"a": "b"}),
    ("objective", None), ("objective", {"name": "elbo"}), ("threads", -2), ("patience", "3"),
]  # fmt: skip


def turns(cases):
    """Each case with one of the commands, which take turns."""
    return [(*case, COMMANDS[i % len(COMMANDS)]) for i, case in enumerate(cases)]


@pytest.mark.parametrize(("name", "value", "command"), turns(WRONG))
def test_settings_that_nobody_typed(refused, run, name, value, command):
    config = json.loads((run / "config.json").read_text())
    config["training"][name] = value
    (run / "config.json").write_text(json.dumps(config))
    message = refused(command.replace("{}", str(run)))
    assert f"the setting '{name}' is" in message
    assert "config.json' is damaged" in message


@pytest.mark.parametrize(
    ("change", "wrong", "command"),
    turns([
        ({"image_shape": [8, -8]}, "'image_shape' is [8, -8]"), ({"image_shape": "88"}, "'88'"),
        ({"image_shape": [8]}, "'image_shape'"), ({"image_shape": [8.0, 8]}, "'image_shape'"),
        ({"columns": ["a"]}, "no name for each of 64"), ({"columns": {"a": 1}}, "'columns'"),
        ({"columns": [5] * 64}, "'columns'"), ({"model": []}, "'model'"), ({"training": 3}, "'tra"),
    ]),
)  # fmt: skip
def test_other_entries(refused, run, change, wrong, command):
    config = {**json.loads((run / "config.json").read_text()), **change}
    (run / "config.json").write_text(json.dumps(config))
    assert wrong in refused(command.replace("{}", str(run)))


@pytest.mark.parametrize("text", ["", "[", "[]", "5", "null", '{"a":' * 9000, "\0", '"\\ud800"'])
def test_no_json(refused, run, text):
    (run / "config.json").write_text(text)
    assert all("config.json' is damaged" in message for message in every(refused, run))


@pytest.mark.smoke(1)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["model.npz", "config.json", "rows.npy", "checkpoint.npz"])
def test_pipes_do_not_hang(npvae, run, name):
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    for command in COMMANDS:
        code, _, err = npvae(command.replace("{}", str(run)))
        assert code in (0, 2)
        assert "Traceback" not in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "xlsx", "parquet"])
def test_pipes_are_no_data(refused, tmp_path, suffix):
    pipe = tmp_path / f"x.{suffix}"
    os.mkfifo(pipe)
    assert "a device" in refused("train --data", pipe, "--out", tmp_path / "run")


def test_rows_that_claim_to_be_many(npvae, run):
    """A header of rows.npy that lies takes no memory."""
    with open(run / "rows.npy", "wb") as file:
        header = {"descr": "<u8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(file, header)
    code, _, err = npvae(f"evaluate {run} --samples 2")
    assert code == 2
    assert "rows.npy' is damaged" in err
