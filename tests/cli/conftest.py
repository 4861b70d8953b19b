"""The command line called in this process, and a small run that the tests share."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pytest

import npvae as nv
from npvae.cli import main

# Signals and pseudo-terminals as POSIX has them.
collect_ignore = ["test_cli_processes.py"] if os.name == "nt" else []

SMALL = ["--epochs", "3", "--hidden", "16", "--z-dim", "2", "--batch-size", "300"]


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Kernels that are compiled: the notice of that is no part of what a command says."""
    x = np.random.default_rng(0).random((4, 3))
    for likelihood in ("bernoulli", "gaussian"):
        nv.fit(nv.VAE(3, 2, hidden=(2,), likelihood=likelihood), x, epochs=1, valid=x)


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def npvae(capsys):
    """``npvae("sample RUN", "-n", 3)`` -> exit code, standard output, standard error.

    Without the word that something compiles, which comes only where it takes seconds.
    """

    def call(line, *more):
        code = main([*line.split(), *map(str, more)])
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines(True) if not line.startswith("npvae: compiling")]
        return Answer(code, out, "".join(lines))

    return call


@pytest.fixture
def refused(npvae):
    """A call that must exit with 2 and one line on standard error; returns that line."""

    def call(*arguments):
        code, out, err = npvae(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("npvae: error: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a small run on the digits; tests read it and leave it as it is."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    assert main(["train", *SMALL, "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def small_train(npvae):
    """``npvae train`` with a small model and no pictures, unless the arguments say otherwise."""

    def call(out, *arguments):
        return npvae("train", *SMALL, "--no-plots", "--out", out, *arguments)

    return call
