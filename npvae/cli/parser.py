"""What can be typed after ``npvae``. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn

from .._version import __version__
from ..core.errors import nearest
from .commands import COMMANDS
from .console import BAD_INPUT, tell
from .hints import hint
from .train_options import DEFAULT_RUN

_OVERVIEW = f"""\
Variational autoencoders in pure NumPy, every gradient derived by hand
and proven.

  npvae train                        learn the 8 x 8 digits that come with it
  npvae train table.csv              or your own rows: see npvae train --help
  npvae evaluate {DEFAULT_RUN}           how good the model is
  npvae sample {DEFAULT_RUN} -n 100      new examples, drawn into samples.png
  npvae verify                       prove that every gradient is right"""

TAKE_A_PATH = (
    "train", "evaluate", "reconstruct", "impute", "interpolate", "traverse", "attribute", "latent",
)  # fmt: skip
"""The commands whose --data can be given without the word."""
_HelpFormatter = partial(argparse.RawDescriptionHelpFormatter, max_help_position=25)


class Parser(argparse.ArgumentParser):
    """argparse with errors on one line and options in full."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["allow_abbrev"] = False
        kwargs["formatter_class"] = _HelpFormatter
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        stop = "" if message.endswith((".", "?")) else "."
        tell(f"error: {message}{stop} See {self.prog} --help.")
        raise SystemExit(BAD_INPUT)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options that `argv` gives; exits with 2 and one line on standard error if it can't."""
    parser = Parser("npvae", usage="npvae COMMAND [options]", description=_OVERVIEW)
    parser.add_argument("--version", action="version", version=f"npvae {__version__}")
    commands = parser.add_subparsers(
        dest="command",
        prog="npvae",
        title="commands",
        metavar="COMMAND --help",
        help="what it does, in full, and its options",
    )
    for declare in COMMANDS:
        declare(commands)
    known = commands.choices
    if not argv:
        parser.error(f"give a command: {', '.join(known)}")
    if argv[0].startswith("-") and not known.keys().isdisjoint(argv):
        parser.error(f"the command comes first, and then {argv[0]}; give one of {', '.join(known)}")
    if not argv[0].startswith("-") and argv[0] not in known:
        _refuse_command(argv[0], parser, known)
    options, unknown = parser.parse_known_args(argv)
    if options.command in TAKE_A_PATH:
        unknown = _take_path(options, unknown, known[options.command])
    if unknown:
        _refuse(unknown, options, known[options.command] if options.command else parser)
    return options


def _take_path(options: argparse.Namespace, unknown: list[str], parser: Parser) -> list[str]:
    """Take the data that were given without --data; gives what is left.

    An optional argument of argparse's would be lost behind an option, before Python 3.13.
    """
    if not unknown or any(argument.startswith("-") for argument in unknown):
        return unknown
    path, *others = unknown
    if options.data is not None:
        parser.error(f"the data are given once; got {path!r} and --data {options.data}")
    options.data = path
    return others


def _refuse_command(name: str, parser: Parser, known: Iterable[str]) -> NoReturn:
    if os.path.exists(name) or "." in name:
        shown = shlex.quote(name)
        parser.error(f"a command comes first, such as npvae train {shown}; got {name!r}")
    parser.error(f"there is no command {name!r}{nearest(name, known)}")


def _refuse(unknown: list[str], options: argparse.Namespace, parser: Parser) -> NoReturn:
    argument = next((a for a in unknown if a.startswith("-")), unknown[0])
    if not argument.startswith("-"):
        out = hasattr(options, "out") and options.command != "train"
        parser.error(
            f"{argument!r} is one argument too many"
            + (f"; did you mean --out {shlex.quote(argument)}?" if out else "")
        )
    name, equals, value = argument.partition("=")
    after = unknown[unknown.index(argument) + 1 :]
    if not equals and after and not after[0].startswith("-"):
        value = after[0]
    typed = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", parser.format_help())
    found = hint(options.command or "", name, value, sorted(set(typed)))
    parser.error(f"there is no option {name}{found}")
