"""What all tests share: which of them are slow, and how processes that run them get along."""

from __future__ import annotations

import gc
import os
import random
import signal
from collections import defaultdict

import pytest

try:
    import fcntl
except ImportError:  # on Windows, where each process compiles for itself
    fcntl = None

# Processes that run tests share the cores; a second thread of OpenBLAS would wait for its next
# product in a loop, which takes many times the processor time of small products themselves.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

MOST_WORKERS = 4
"""Each process collects the whole suite, and many tests have threads of their own."""
MANY = 1000
"""Tests that need nearly all operations among them."""


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """SIGINT as a terminal has it: shells start background jobs, and what these start, without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def kernels():
    """use_kernels; a test runs on NumPy unless it says otherwise, and what it chose is put back."""
    import npvae as nv

    nv.use_kernels("numpy")
    yield nv.use_kernels
    nv.use_kernels(None)


@pytest.fixture(scope="session", autouse=True)
def compiled_once(request, tmp_path_factory):
    """Of the processes that run tests one compiles a kernel, and the others find it in the cache.

    Without a lock all that meet it at the same time would compile it, which takes far longer than
    the tests of it. For many tests all are compiled at the beginning: a process that compiles a
    single one takes longer to start than to compile, and tests start processes that find them.
    """
    if fcntl is None or not hasattr(request.config, "workerinput"):
        yield
        return
    from npvae.executor.operations import machine
    from npvae.executor.operations.declare import OPERATIONS

    file = (tmp_path_factory.getbasetemp().parent / "compiling").open("w")
    between_processes, code_of = Lock(file), machine.code_of
    if len(request.session.items) > MANY:  # before any test starts a process that needs them
        with between_processes:
            code_of([*OPERATIONS, machine.LOOP])

    def locked(names):
        with between_processes:
            return code_of(names)

    with file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "code_of", locked)
        yield


class Lock:
    """A lock between processes, which may be taken again by the one that has it."""

    def __init__(self, file):
        self._file, self._depth = file, 0

    def __enter__(self):
        if not self._depth:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._depth += 1

    def __exit__(self, *_):
        self._depth -= 1
        if not self._depth:
            fcntl.flock(self._file, fcntl.LOCK_UN)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """As many as there are cores to run on, and none beside pytest itself where there is one."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, MOST_WORKERS) if cores > 1 else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session):
    """Collect without looking for garbage: of all that is made for thousands of tests none is.

    What is there then is never looked at again. That halves the time, and tests have less to wait.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


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
    """So many of the cases; or such that each value of each parameter comes up."""
    if n is not None:
        return cases[:n]
    rest = [
        (case, {(name, id(value)) for name, value in case.callspec.params.items()})
        for case in cases
    ]
    missing, kept = set().union(*(values for _, values in rest)), []
    while missing:
        case, values = max(rest, key=lambda pair: len(pair[1] & missing))
        missing -= values
        kept.append(case)
    return kept
