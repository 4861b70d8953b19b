"""What may happen to a process at one of its file operations: it is killed, or the disk is full.

The operations are counted by functions put in the place of those of `os`, in a forked process.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import time
import traceback

OPERATIONS = (
    "open", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "chmod", "utime",
    "ftruncate", "write",
)  # fmt: skip
NEEDS_SPACE = ("open", "fsync", "mkdir", "write")
FATES = ("kill", "full", "interrupt")


class Fate:
    """What happens at the operation `at`, counted from 0.

    Parameters
    ----------
    kind : "kill", "full", "interrupt" or "none"
        SIGKILL, in the middle of what is written; no space left, from then on; or Ctrl-C.
    """

    def __init__(self, kind, at):
        self.kind, self.at, self.count = kind, at, 0

    def meet(self, operation, creates, half=lambda: None):
        """Count an operation that is about to be done; `half` does the first half of it."""
        mine, self.count = self.count, self.count + 1
        if self.kind == "kill" and mine == self.at:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.kind == "interrupt" and mine == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        elif self.kind == "full" and mine >= self.at and operation in NEEDS_SPACE and creates:
            half()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def install(self):
        """Let it happen in this process."""
        for name in OPERATIONS:
            setattr(os, name, self._counted(name, getattr(os, name)))

        os.fdopen = lambda descriptor, mode="r", *rest, **more: (
            _Unbuffered(self, descriptor, mode)
            if "w" in mode
            else open(descriptor, mode, *rest, **more)  # noqa: SIM115  (the caller closes it)
        )

    def _counted(self, name, function):
        def call(*arguments, **options):
            creates = name != "open" or bool(arguments[1] & os.O_CREAT)
            self.meet(name, creates)
            return function(*arguments, **options)

        return call


class _Unbuffered(io.FileIO):
    """A file of which each write is one of the system's, and meets its fate."""

    def __init__(self, fate, descriptor, mode):
        super().__init__(descriptor, mode)
        self._fate = fate

    def write(self, data):
        view = memoryview(data).cast("B")
        half = view[: len(view) // 2]
        self._fate.meet("write", True, lambda: io.FileIO.write(self, half))
        return super().write(view)


def in_child(action, fate=None, seconds=None):
    """Run an action in a forked process; returns its exit code, negative where a signal ended it.

    It is killed after so many seconds, if it still lives. Nothing that it prints is seen.
    """
    child = os.fork()
    if child == 0:
        code = 99
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 1)
            if not os.environ.get("CRASH_SHOW"):
                os.dup2(nowhere, 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if fate is not None:
                fate.install()
            code = action() or 0
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    if seconds is not None:
        _kill_after(child, seconds)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _kill_after(child, seconds):
    """Kill a child after some seconds; it stays to be waited for."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)


def count(action):
    """How many file operations an action has, and how many seconds it takes."""
    reader, writer = os.pipe()
    fate = Fate("none", 0)

    def counted():
        code = action()
        os.write(writer, str(fate.count).encode())
        return code

    began = time.perf_counter()
    code = in_child(counted, fate)
    seconds = time.perf_counter() - began
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    if code != 0:
        raise SystemExit(f"an action fails with {code} where nothing happens to it")
    return int(said), seconds
