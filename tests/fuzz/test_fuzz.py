"""Some of the mutants that ``python -m tests.fuzz`` makes, and that it notices faults."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import npvae as nv
from npvae.kernels import kernels_in_use

from . import mutate, subjects, trial

MUTANTS = 160


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    before = kernels_in_use()
    nv.use_kernels("numpy")
    folder = tmp_path_factory.mktemp("fuzz")
    yield trial.Trials(subjects.make(folder), 7, folder)
    nv.use_kernels(before)


@pytest.mark.smoke(3)
@pytest.mark.parametrize("part", range(8))
def test_results_or_one_sentence(trials, part):
    """Each part has another kind of mutant."""
    verdicts = [trials.run(number) for number in range(part, MUTANTS, 8)]
    assert [v for v in verdicts if not v.ok] == []
    assert {v.kind for v in verdicts} == {"result", "sentence"}


def test_a_number_makes_the_same_mutant(trials):
    table = trials.subjects.tables["mixed.csv"]
    same = [mutate.any_table(table, np.random.default_rng(3)) for _ in range(2)]
    assert same[0] == same[1] != table


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: [][1], "IndexError"),
        (lambda: print("\x1b[31m") or "result", "raw control characters on the terminal"),
        (lambda: print("x" * 400_000) or "result", "a line without end"),
        (lambda: "sentence", "not one sentence"),
        (lambda: print("npvae: error: x", file=sys.stderr) or "result",
         "an error with exit code 0"),
        (lambda: print("npvae: error: not enough memory", file=sys.stderr) or "sentence",
         "took too much memory"),
        (lambda: print("fine") or "result", "result"),
    ],
)  # fmt: skip
def test_faults_are_noticed(trials, call, kind):
    assert trials._judged(0, "planted", call).kind == kind


@pytest.mark.skipif(trial.resource is None, reason="this system has no such limits")
def test_time_and_memory_have_limits(trials, monkeypatch):
    monkeypatch.setattr(trial, "PROCESSOR", 0.2)

    def forever():
        while True:
            pass

    assert trials._judged(0, "planted", forever).kind == "took too long"
    assert trials._judged(0, "planted", lambda: np.ones(1 << 28)).kind.endswith("MemoryError")
