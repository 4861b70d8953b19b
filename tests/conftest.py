"""What all tests share: which of them are slow, and how processes that run them get along."""

from __future__ import annotations

import os
import random
import signal
from collections import defaultdict

import hypothesis
import pytest

# Examples that are the same in each run, and may take their time on a busy machine.
hypothesis.settings.register_profile("npvae", deadline=None, derandomize=True)
hypothesis.settings.load_profile("npvae")

MOST_WORKERS = 4
"""Each process collects the whole suite, and many tests have threads of their own."""


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """SIGINT as a terminal has it: shells start background jobs, and what these start, without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """As many as there are cores to run on, and none beside pytest itself where there is one."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, MOST_WORKERS) if cores > 1 else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of a test that is marked with `smoke`, all cases are slow but a few."""
    grids = defaultdict(list)
    for item in items:
        if item.get_closest_marker("smoke") and not item.get_closest_marker("slow"):
            grids[item.nodeid.removesuffix(f"[{item.callspec.id}]")].append(item)
    for name, cases in grids.items():
        # The order is drawn, since in that of the parameters the first value of one would come
        # with all values of the others.
        random.Random(name).shuffle(cases)
        kept = few(cases, *cases[0].get_closest_marker("smoke").args)
        for case in cases:
            if case not in kept:
                case.add_marker(pytest.mark.slow)


def few(cases, n=None):
    """So many of the cases; or those that bring a value of a parameter that none before has."""
    if n is not None:
        return cases[:n]
    kept, seen = [], set()
    for case in cases:
        values = {(name, id(value)) for name, value in case.callspec.params.items()}
        if not values <= seen:
            seen |= values
            kept.append(case)
    return kept
