"""The command line as a process: signals, pipes, terminals, and warnings as errors."""

from __future__ import annotations

import csv
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest

import npvae as nv
from npvae.cli import main

COMMAND = [sys.executable, "-W", "error", "-m", "npvae"]
SETTINGS = "train --no-plots --epochs 30 --hidden 32 --batch-size 200 --out".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The run that all processes here should end with, trained in this one."""
    folder = tmp_path_factory.mktemp("unbroken")
    assert main([*SETTINGS, str(folder), "--quiet"]) == 0
    return folder


def start(*arguments, **options):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], text=True, stderr=subprocess.PIPE, **options
    )


def stopped_early(folder, how):
    """Start training, send a signal some epochs after the first; returns exit code and stderr."""
    with start(*SETTINGS, folder, "--epochs", 5_000, stdout=subprocess.PIPE) as process:
        while process.poll() is None and not (folder / "checkpoint.npz").exists():
            time.sleep(0.001)
        time.sleep(0.1)
        process.send_signal(how)
        _, err = process.communicate()
    return process.returncode, err


def without_seconds(folder):
    with open(folder / "history.csv", newline="") as file:
        return [[v for k, v in row.items() if k != "seconds"] for row in csv.DictReader(file)]


def assert_same_run(folder, unbroken):
    assert (folder / "model.npz").read_bytes() == (unbroken / "model.npz").read_bytes()
    assert without_seconds(folder) == without_seconds(unbroken)


@pytest.mark.slow
def test_killed_and_resumed_is_as_if_never_stopped(tmp_path, unbroken):
    code, _ = stopped_early(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert nv.load(tmp_path / "model.npz").n_params == nv.load(unbroken / "model.npz").n_params
    (tmp_path / ".model.npz.k1ll3d").write_bytes(b"half")
    assert main(["train", "--no-plots", "--quiet", "--resume", "--epochs", "30",
        "--out", str(tmp_path)]) == 0  # fmt: skip
    assert_same_run(tmp_path, unbroken)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in unbroken.iterdir()
    )


@pytest.mark.slow
def test_ctrl_c_keeps_the_last_epoch_and_says_how_to_go_on(tmp_path, unbroken):
    code, err = stopped_early(tmp_path, signal.SIGINT)
    assert code == 130
    said = re.fullmatch(
        r"npvae: interrupted; the model after epoch (\d+) of 5000 is in (\S+)\. "
        r"Go on with: npvae (train --resume --out \S+)\n", err,
    )  # fmt: skip
    assert said, err
    epochs, file, resume = int(said[1]), said[2], said[3].split()
    assert epochs == len(without_seconds(tmp_path)) >= 2
    assert without_seconds(tmp_path) == without_seconds(unbroken)[:epochs]
    np.testing.assert_array_equal(nv.load(file).flat, nv.load(tmp_path / "checkpoint.npz").flat)
    assert main([*resume, "--epochs", "30", "--quiet", "--no-plots"]) == 0
    assert_same_run(tmp_path, unbroken)


@pytest.mark.slow
def test_on_a_terminal_a_bar_and_the_same_bytes(tmp_path, unbroken):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *SETTINGS, str(tmp_path)], stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:  # Linux says EIO where the other side has closed
                chunk = b""
            if not chunk:
                break
            shown += chunk
    os.close(master)
    assert process.returncode == 0
    assert b"epoch 30/30" in shown
    assert b"\r" in shown.replace(b"\r\n", b"")
    # What stays on the screen: a line for every second of 30 epochs, above what comes after.
    lines = [
        line for line in shown.replace(b"\r", b"\n").decode().split("\n") if "  |  valid" in line
    ]
    assert [int(re.match(r"epoch +(\d+)/30  loss", line)[1]) for line in lines] == list(
        range(2, 31, 2)
    )
    losses = [float(row[1]) for row in without_seconds(tmp_path)[1::2]]
    assert [float(re.search(r"loss (\S+),", line)[1]) for line in lines] == pytest.approx(
        losses, abs=0.006
    )
    assert b"Written to " in shown
    assert_same_run(tmp_path, unbroken)


def test_training_that_nobody_listens_to_stops_and_is_kept(tmp_path):
    with start(*SETTINGS, tmp_path, "--epochs", 5_000, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith("epoch"):
                break
        process.stdout.close()
        err = process.stderr.read().splitlines()
    assert process.returncode == 141
    # That something compiles is said where it takes seconds, in a folder that has no cache yet.
    (said,) = [line for line in err if not line.startswith("npvae: compiling")]
    assert said.startswith("npvae: interrupted; the model after epoch ")
    assert len(without_seconds(tmp_path)) >= 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_had_enough_is_no_error(unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with start("info", stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")


def test_an_error_is_one_line_and_no_traceback(tmp_path):
    with start("evaluate", tmp_path / "none", stdout=subprocess.PIPE) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch("npvae: error: [^\n]+\n", err)


def test_warnings_are_one_line_too():
    code = """if True:
        import sys, warnings
        from npvae.cli import main
        import npvae.cli.reports as reports
        reports.info = lambda options: warnings.warn("mind the gap", stacklevel=1)
        sys.exit(main(["info"]))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "npvae: note: mind the gap\n")
