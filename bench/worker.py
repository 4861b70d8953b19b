"""The other end of a `processes.Worker`: does one peer's job, and answers after each round."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import nets, peak, peers, products
from .processes import Job
from .resident import peak_mib

FOREVER = 10**6
ROWS = (1, 16, 256, 10_000)
SECONDS = 0.05
"""How long a call is repeated in a round, to be timed finely."""


class Parent:
    """Who asked: takes an answer, and then says go, or ends this process."""

    def __init__(self) -> None:
        self.channel, sys.stdout = sys.stdout, sys.stderr  # a library's own lines are no answers
        self.started, self.used = time.perf_counter(), time.process_time()

    def answer(self, **figures: Any) -> None:
        """Answer with the time since the last go, and the processor time of all threads."""
        seconds = time.perf_counter() - self.started
        given = {"seconds": seconds, "cpu_seconds": time.process_time() - self.used, **figures}
        print(json.dumps(given), file=self.channel, flush=True)
        if not sys.stdin.readline():
            sys.exit()
        self.started, self.used = time.perf_counter(), time.process_time()


def train(job: Job, parent: Parent) -> None:
    """A round is an epoch of one model that is trained without a break."""
    x, programs, what = nets.load(job.data, job.net.x_dim, job.rows), peers.module(job.peer), ()
    if job.model:
        programs = peers.families_module(job.peer)
        what = (job.model, nets.load_labels(job.data, job.model, job.rows))
    programs.train(
        job.peer,
        job.net,
        x,
        FOREVER,
        job.threads,
        lambda loss: parent.answer(loss=loss, peak_mib=peak_mib()),
        *what,
    )


def infer(job: Job, parent: Parent) -> None:
    """A round times each call, at each number of rows, on the same random weights."""

    def answer(**functions: Callable[[np.ndarray], Callable[[], Any]]) -> None:
        rng = np.random.default_rng(0)
        x = rng.random((max(ROWS), job.net.x_dim), dtype=np.float32)
        z = rng.standard_normal((max(ROWS), job.net.z_dim), dtype=np.float32)
        inputs = {"encode": x, "decode": z, "score": x}
        calls = {
            f"{name} {n}": function(inputs[name][:n])
            for name, function in functions.items()
            for n in ROWS
        }
        sums = {name: total(call()) for name, call in calls.items()}
        while True:
            us = {name: seconds_of(call) * 1e6 for name, call in calls.items()}
            parent.answer(us=us, sums=sums)

    peers.module(job.peer).infer(job.peer, job.net, job.threads, answer)


def multiply_adds(job: Job, parent: Parent) -> None:
    """The rate of multiply-adds in registers, in GFLOP/s."""
    while True:
        parent.answer(gflops=peak.rate(job.threads))


def multiply(job: Job, parent: Parent) -> None:
    """The time of a matrix product of each size."""
    seconds_of_each = products.seconds_of_each(job)
    while True:
        parent.answer(each=seconds_of_each())


def seconds_of(call: Callable[[], Any]) -> float:
    """The mean time of a call, repeated for `SECONDS`."""
    started = time.perf_counter()
    call()
    once = time.perf_counter() - started
    repeats = max(1, int(SECONDS / once))
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def total(outputs: Any) -> float:
    """The sum of a call's first output: what shows that two peers computed the same."""
    first = outputs[0] if isinstance(outputs, (tuple, list)) else outputs
    return float(np.asarray(first).sum(dtype=np.float64))


TASKS = {"train": train, "infer": infer, "peak": multiply_adds, "products": multiply}

if __name__ == "__main__":
    job = Job.from_json(sys.argv[1])
    TASKS[job.task](job, Parent())
