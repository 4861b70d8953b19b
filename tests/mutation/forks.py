"""Jobs in forks of this process, a few at a time, and what they send back."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

Job = Callable[[Connection], None]


def in_forks(jobs: Iterable[tuple[Any, Job]], workers: int) -> Iterator[tuple[Any, list[Any]]]:
    """Run each job in a fork of this process, and yield all that it sent before it ended.

    A job is a label and a function of the connection; a job that dies has sent what it has sent.
    """
    waiting = iter(jobs)
    running: dict[Any, tuple[Any, Any, list[Any]]] = {}
    while True:
        while len(running) < workers and (job := next(waiting, None)) is not None:
            label, function = job
            receiver, process = _fork(function)
            running[receiver] = label, process, []
        if not running:
            return
        for receiver in list[Any](wait(list(running))):
            label, process, words = running[receiver]
            try:
                words.append(receiver.recv())
            except EOFError:
                del running[receiver]
                process.join()
                yield label, words


def _fork(function: Job) -> tuple[Any, Any]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_in_child, args=(function, sender))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forks beside threads: BLAS sees to its own
        process.start()
    sender.close()
    return receiver, process


def _in_child(function: Job, sender: Connection) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        function(sender)
    finally:
        os._exit(0)  # without what the tests may have left to be done at exit
