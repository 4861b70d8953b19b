"""The process that makes machine code, by `build.py`; where it can, it becomes two of them.

It needs what the process that trains imports no longer than that takes, and may be killed. It gets
nothing but numbers, so that the code is the same whoever asks for it. Importing Numba takes it a
third of a second, which `npvae train` hides: it starts this first, and reads its data meanwhile.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import IO

from ...core.threads import usable_cores
from .declare import LOOP

_RUN = """
import json, sys
sys.path[:], processes = json.loads(sys.argv[1])
sys.modules["scipy"] = None  # Numba would import it, for products that nobody asks for here
from npvae.executor.operations.build import main
main(processes)
"""
_FORKS = sys.platform == "linux"
"""Whether one process imports Numba and then becomes several; elsewhere each imports it."""
_MOST = 2
"""Processes that compile; each compiles anew what operations have in common."""


class Compiler:
    """Processes that wait to be asked for machine code, once.

    They take the places of functions from one pipe, as they get to them, so that they end together.
    """

    def __init__(self) -> None:
        self._owned = contextlib.ExitStack()
        try:
            reader, writer = os.pipe()
            self._queue = self._owned.enter_context(os.fdopen(reader, "rb", 0))
            self._asked = self._owned.enter_context(os.fdopen(writer, "wb", 0))
            self._children = [self._started()]
        except BaseException:
            self.close()
            raise

    def make(self, places: Sequence[int]) -> dict[str, bytes] | None:
        """Object files by the names of functions, given by their places in `loop.FUNCTIONS`.

        They are begun in this order. None if a process failed.
        """
        made: dict[str, bytes] = {}
        try:
            while not _FORKS and len(self._children) < min(_processes(), len(places)):
                self._children.append(self._started())
            self._asked.write(bytes(places))
            self._asked.close()
            for child, answer in self._children:
                if child.wait() != 0:
                    return None
                answer.seek(0)
                made |= {n: base64.b64decode(code) for n, code in json.load(answer).items()}
        except (OSError, ValueError):
            return None
        finally:
            self.close()
        return made

    def close(self) -> None:
        """Leave no process behind."""
        self._owned.close()

    def _started(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        """A process, and the file that it writes to."""
        path = [os.path.abspath(folder) for folder in sys.path]
        order = json.dumps([path, _processes() if _FORKS else 1])
        answer = self._owned.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _RUN, order],
            stdin=self._queue, stdout=answer, stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a second one spins at its start
            cwd=Path(__file__).parent,  # where no .numba_config.yaml of the user's is
            start_new_session=_FORKS,
        )  # fmt: skip
        self._owned.callback(_end, child)
        return child, answer


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process, and its forks, unless it has ended."""
    if child.poll() is None:
        if _FORKS:
            os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        child.wait()


_early: Compiler | None = None


def start_early() -> None:
    """Start it before there is anything to compile, if not even the loop is in the cache."""
    global _early
    if _early is not None or not can_start() or util.find_spec("numba") is None:
        return
    from .cache import Cache

    if Cache().read(LOOP) is None:
        with contextlib.suppress(OSError):
            _early = Compiler()
            atexit.register(_early.close)


def ready() -> Compiler:
    """The one that was started early, or another."""
    global _early
    found, _early = _early, None
    return found or Compiler()


def can_start() -> bool:
    """Whether Python can be started; a program that has Python in it would start itself."""
    executable = Path(sys.executable or "").name.lower()
    return "python" in executable and not getattr(sys, "frozen", False)


def _processes() -> int:
    return min(_MOST, usable_cores())
