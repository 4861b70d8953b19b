"""The command line: ``npvae COMMAND``.

Only the parser is imported before the command is known, so that ``npvae --help`` answers at once;
a command is the function of its name in the module that `COMMANDS` gives.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from ..core.errors import NpvaeError
from .console import BAD_INPUT, DONE, INTERRUPTED, tell
from .parser import parse

COMMANDS = {
    "train": "train",
    "evaluate": "reports",
    "sample": "new_rows",
    "reconstruct": "latent_space",
    "impute": "impute",
    "interpolate": "latent_space",
    "traverse": "latent_space",
    "attribute": "latent_space",
    "latent": "latent_space",
    "anomalies": "anomalies",
    "verify": "reports",
    "info": "reports",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 a check failed, 2 bad input or usage; and, as shells count them, 130 after Ctrl-C,
    141 for training cut short because nobody reads its output.
    """
    _take_closed_descriptors()
    _print_whatever_the_encoding()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: tell(f"note: {message}")
            code = _run(sys.argv[1:] if argv is None else list(argv))
        _flush()
        return code
    except NpvaeError as error:
        tell(f"error: {error}")
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # as in `npvae info | head -1`: the reader has had enough
        _flush()
        return DONE
    except MemoryError as error:
        tell(f"error: there is not enough memory for this: {str(error) or 'the system gave none'}")
    except OSError as error:
        file = f"'{error.filename}': " if error.filename else ""
        tell(f"error: {file}{(error.strerror or str(error)).lower()}")
    return BAD_INPUT


def _run(argv: list[str]) -> int:
    try:
        options = parse(argv)
    except SystemExit as stop:  # after --help and --version, and where the parser refuses
        return stop.code if isinstance(stop.code, int) else DONE
    if options.command == "train":
        from ..executor.operations.compiler import start_early

        start_early()
    module = import_module(f".{COMMANDS[options.command]}", __name__)
    code = getattr(module, options.command)(options)
    return DONE if code is None else code


def _take_closed_descriptors() -> None:
    """Open nothing in place of closed standard streams: else a model's file could become one."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:  # the lowest that is free is taken first
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)


def _print_whatever_the_encoding() -> None:
    """Escape what the terminal can't show (a path, say) rather than fail on it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not stream.closed:
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Send the output on, or nowhere if nobody reads it: Python would complain at exit."""
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
