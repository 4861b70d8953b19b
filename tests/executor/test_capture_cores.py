"""Threads that start together leave each other's cores."""

from __future__ import annotations

import os

import pytest
from capture_cases import network, numbers

import npvae as nv
from npvae.executor import cores


class Machine:
    """One thread at a time: where it is, and where it may be."""

    def __init__(self, monkeypatch, usable):
        self.usable, self.allowed, self.here = set(usable), set(usable), min(usable)
        monkeypatch.setattr(cores, "_core", lambda: self.here)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(self.allowed), raising=False)
        monkeypatch.setattr(os, "sched_setaffinity", self.move, raising=False)

    def move(self, pid, allowed):
        self.allowed = set(allowed)
        if self.here not in self.allowed:
            self.here = min(self.allowed)


def test_a_thread_leaves_a_taken_core_and_may_go_anywhere_afterwards(monkeypatch):
    machine, taken = Machine(monkeypatch, {3, 5, 7}), []
    for _ in range(3):
        machine.here = 3
        cores.own_core(taken)
        assert machine.allowed == {3, 5, 7}
    assert taken == [3, 5, 7]


def test_a_thread_on_a_free_core_stays(monkeypatch):
    machine, taken = Machine(monkeypatch, {0, 1, 2}), [0]
    machine.here = 2
    cores.own_core(taken)
    assert (machine.here, taken) == (2, [0, 2])


def test_more_threads_than_cores(monkeypatch):
    machine, taken = Machine(monkeypatch, {0, 1}), []
    for _ in range(4):
        cores.own_core(taken)
    assert taken[:2] == [0, 1]
    assert machine.allowed == {0, 1}


def test_a_system_without_the_call(monkeypatch):
    monkeypatch.setattr(cores, "_core", None)
    taken = []
    cores.own_core(taken)
    assert taken == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_training_leaves_the_affinity_as_it_was(share_all):
    before = os.sched_getaffinity(0)
    nv.fit(network(), numbers((64, 5)), epochs=2, batch_size=16, threads=3)
    assert os.sched_getaffinity(0) == before


def test_blas_is_held_to_one_thread_while_a_step_is_recorded(monkeypatch):
    """Its threads would go on spinning when training's own begin."""
    from npvae.training import captured as steps

    seen, held = [], []
    original = steps.blas_threads

    def watched(n, *arguments, **options):
        held.append(n)
        return original(n, *arguments, **options)

    def recording(*arguments, **options):
        seen.append(list(held))
        return record(*arguments, **options)

    record = steps.record
    monkeypatch.setattr(steps, "blas_threads", watched)
    monkeypatch.setattr(steps, "record", recording)
    x = numbers((40, 5))
    nv.fit(network(), x, valid=x[:7], epochs=1, batch_size=16)
    assert seen == [[1], [1], [1, 1]]
