"""Each peer in a process of its own: the same cores and threads, and they take turns."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from .nets import Net

Result = TypeVar("Result")
ROOT = Path(__file__).parents[1]
REST = 0.15
"""Seconds between two turns: the threads of OpenBLAS and OpenMP go on spinning after their work."""
THREADS = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMBA")


class WorkerFailed(RuntimeError):
    """A peer's process ended before its answer; the text is the last line it wrote."""


@dataclass(frozen=True)
class Job:
    """What a worker does: see the tasks in `worker.py`."""

    task: str
    peer: str
    threads: int
    net: Net | None = None
    data: str = "random"
    rows: int = 0
    model: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        fields = json.loads(text)
        return cls(**{**fields, "net": fields["net"] and Net.of(fields["net"])})


@contextlib.contextmanager
def cores(n: int) -> Iterator[None]:
    """What is started in the block may use n cores, where the system has such a rule.

    Without it a library that takes all the cores it sees (XLA does) would not be held to n.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:n])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(threads: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: this repository first, and so many threads in every library."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        **{f"{library}_NUM_THREADS": str(threads) for library in THREADS},
        **(more or {}),
    }


class Worker:
    """A Python process that works round by round, each round when it is told to."""

    def __init__(
        self, arguments: Sequence[str], threads: int, env: Mapping[str, str] | None = None
    ) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in `close`)
        with cores(threads):
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment(threads, env),
                text=True,
            )

    @classmethod
    def of(cls, job: Job, env: Mapping[str, str] | None = None) -> Worker:
        return cls(["-m", "bench.worker", job.to_json()], job.threads, env)

    def answer(self) -> dict[str, Any]:
        """Wait for the figures of the running round; the first, a warm-up, runs by itself."""
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise WorkerFailed(last_line(self._errors) or f"exit {self._process.returncode}")
        return json.loads(line)

    def round(self) -> dict[str, Any]:
        time.sleep(REST)
        with contextlib.suppress(BrokenPipeError):  # `answer` says what happened
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()


def last_line(file: Any) -> str:
    file.seek(0)
    lines = [line.strip() for line in file if line.strip()]
    return lines[-1][:300] if lines else ""


def attempt(name: str, call: Callable[[], Result]) -> Result | None:
    """What the call gives; None, and a line on stderr, where its process fails."""
    try:
        return call()
    except WorkerFailed as error:
        print(f"{name} failed and is left out: {error}", file=sys.stderr)
        return None


def interleaved(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """The answers of the worker of each job, in turn."""
    return take_turns({name: partial(Worker.of, job) for name, job in jobs.items()}, rounds)


def take_turns(
    starts: Mapping[str, Callable[[], Worker]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """The answers of each worker: the warm-up's, then those of rounds in which each has one turn.

    Never do two run at a time, and a machine that slows down slows all of them. A worker that fails
    is left out.
    """
    workers: dict[str, Worker] = {}
    answers: dict[str, list[Any]] = {}
    try:
        for name, start in starts.items():
            worker = workers[name] = start()
            answers[name] = [attempt(name, worker.answer)]
        for _ in range(rounds):
            for name, worker in workers.items():
                if answers[name][-1] is not None:
                    answers[name].append(attempt(name, worker.round))
    finally:
        for worker in workers.values():
            worker.close()
    return {name: given for name, given in answers.items() if given[-1] is not None}


def fresh(
    code: str,
    arguments: Sequence[str] = (),
    threads: int = 1,
    env: Mapping[str, str] | None = None,
) -> tuple[float, str]:
    """Run code in a new interpreter: seconds until it prints its first line, and all it printed."""
    with tempfile.TemporaryFile("w+") as errors, cores(threads):
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(threads, env),
            text=True,
        ) as process:
            first = process.stdout.readline()
            seconds = time.perf_counter() - started
            rest = process.stdout.read()
        if process.returncode:
            raise WorkerFailed(last_line(errors) or f"exit {process.returncode}")
    return seconds, first + rest


def fresh_interleaved(
    programs: Mapping[str, str],
    arguments: Mapping[str, Sequence[str]],
    rounds: int,
    threads: int,
    env: Mapping[str, str] | None = None,
) -> dict[str, list[tuple[float, str]]]:
    """`fresh` for each program in turn, the first turn as a warm-up at the head of the list."""
    results: dict[str, list[tuple[float, str]]] = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name in list(results):
            once = partial(fresh, programs[name], arguments.get(name, ()), threads, env)
            result = attempt(name, once)
            if result is None:
                del results[name]
            else:
                results[name].append(result)
    return results
