"""The processes that compile: what they are asked for, how they end, and when one starts early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from npvae.executor.operations import cache, compiler, machine
from npvae.executor.operations.loop import FUNCTIONS

STAND_IN = """
import base64, json, os, sys
asked = iter(lambda: os.read(0, 1), b"")
json.dump({f"function {each[0]}": base64.b64encode(each).decode() for each in asked}, sys.stdout)
"""


@pytest.fixture
def started(monkeypatch):
    """Processes that answer without Numba; those that were started."""
    found, popen = [], subprocess.Popen

    def start(*command, **options):
        found.append(popen(*command, **options))
        return found[-1]

    monkeypatch.setattr(compiler, "_RUN", STAND_IN)
    monkeypatch.setattr(compiler.subprocess, "Popen", start)
    monkeypatch.setattr(compiler, "_early", None)
    return found


def fail(monkeypatch):
    monkeypatch.setattr(compiler, "_RUN", "raise SystemExit(1)")


# Code


@pytest.mark.slow
def test_code_is_the_same_wherever_it_is_compiled():
    """By one process or another, or by this one, where what tests called is compiled already."""
    names = ["bias_relu", "fill"]
    apart = machine.made_apart(names)
    assert apart is not None
    assert machine.made_apart(names[::-1]) == apart
    assert machine.made_here(names) == apart


@pytest.mark.slow
def test_processes_that_can_not_fork_share_one_list(monkeypatch):
    """As on Windows and macOS, where each imports Numba."""
    names = ["add", "fill", "product"]
    apart = machine.made_apart(names)
    monkeypatch.setattr(compiler, "_FORKS", False)
    assert machine.made_apart(names) == apart


@pytest.mark.slow
def test_where_no_process_can_be_started_this_one_compiles(monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler.subprocess, "Popen", refuse)
    code = machine.code_of(["fill"])
    monkeypatch.undo()
    assert code == machine.made_apart(["fill"])


def test_every_function_has_a_place_of_one_byte():
    assert FUNCTIONS[0] == machine.LOOP
    assert len(set(FUNCTIONS)) == len(FUNCTIONS) <= 256


# Processes


def test_a_process_is_asked_for_functions_by_their_places(started):
    names = ["add", "product"]
    places = [FUNCTIONS.index(name) for name in names]
    wanted = {f"function {place}": bytes([place]) for place in places}
    assert machine.made_apart(names) == wanted
    assert [child.returncode for child in started] == [0]


def test_what_takes_longest_is_begun_first(started):
    first, *_ = machine.made_apart(["adam", "add", "product", "noise"])
    assert first == f"function {FUNCTIONS.index('product')}"


@pytest.mark.parametrize("forks", [True, False])
def test_processes_take_what_the_others_have_not_begun(started, monkeypatch, forks):
    monkeypatch.setattr(compiler, "_FORKS", forks and compiler._FORKS)
    monkeypatch.setattr(compiler, "_processes", lambda: 2)
    made = compiler.Compiler().make(range(50))
    assert made == {f"function {n}": bytes([n]) for n in range(50)}
    assert len(started) == (1 if compiler._FORKS else 2)


def test_a_process_that_fails_makes_nothing(started, monkeypatch):
    fail(monkeypatch)
    assert machine.made_apart(["add"]) is None


@pytest.mark.parametrize("program", [None, "", "/opt/tool/tool"])
def test_a_program_that_has_python_in_it_is_not_started_again(started, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert machine.made_apart(["fill"]) is None
    compiler.start_early()
    assert started == []


def test_what_compiles_is_ended_by_an_interrupt(started, monkeypatch):
    monkeypatch.setattr(compiler, "_RUN", "import time; time.sleep(60)")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        machine.made_apart(["add"])
    assert started[0].poll() not in (None, 0)
    machine.addresses([])  # and the lock is free


# One that is started early


def test_what_is_started_early_is_what_is_asked(started, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    compiler.start_early()
    compiler.start_early()
    assert len(started) == 1
    assert machine.made_apart(["add"]) is not None
    assert len(started) == 1
    assert machine.made_apart(["add"]) is not None  # and then there is another
    assert len(started) == 2


def test_nothing_is_started_where_the_loop_is_in_the_cache(started, monkeypatch):
    monkeypatch.setattr(cache.Cache, "read", lambda self, name: b"its code")
    compiler.start_early()
    assert started == []


def test_what_was_started_and_not_asked_ends(started):
    """By itself as well, if this process is killed: then nobody writes to its pipe."""
    unasked, left = compiler.Compiler(), compiler.Compiler()
    unasked.close()
    left._asked.close()
    assert started[1].wait(timeout=30) == 0
    left.close()
    assert started[0].returncode is not None


def test_where_nothing_can_be_started_early_nothing_is_said(started, monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler.subprocess, "Popen", refuse)
    compiler.start_early()
    assert compiler._early is None


def test_a_warm_process_needs_no_numba(tmp_path):
    """It is half of the time that its first step would take."""
    code = """
import sys, numpy as np, npvae as nv
nv.fit(nv.VAE(5, 2, hidden=(6,)), np.ones((40, 5), "float32"), epochs=1)
print([name for name in ("numba", "npvae.executor.operations.build") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
