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
from .arguments import ARRAYS, PICTURES, TABLES, image_shape, one_of, output, texts, whole
from .console import BAD_INPUT, tell
from .hints import hint
from .train_options import DEFAULT_RUN, GROUPS

_OVERVIEW = f"""\
Variational autoencoders in pure NumPy, every gradient derived by hand
and proven.

  npvae train                        learn the 8 x 8 digits that come with it
  npvae train table.csv              or your own rows: see npvae train --help
  npvae evaluate {DEFAULT_RUN}           how good the model is
  npvae sample {DEFAULT_RUN} -n 100      new examples, drawn into samples.png
  npvae verify                       prove that every gradient is right"""

_TRAIN = """\
Train a variational autoencoder and write a run folder: model.npz, config.json,
history.csv, checkpoint.npz (for --resume), rows.npy (which rows were held out,
by their content), and pictures: loss.png, samples.png, reconstructions.png,
latent.png, interpolation.png; for a table columns.png, and for images in two
latent dimensions manifold.png.

PATH may stand without its --data. With no option it learns the 1,797 embedded
digits of 8 x 8 pixels, in seconds.
A table, .csv or .tsv, may have numbers, flags, counts, categories and missing
cells: each column gets a likelihood of its kind.
An earlier run in the folder is replaced once the new one has finished its first
epoch; of two runs at the same time the second is refused. Ctrl-C keeps the last
finished epoch, and --resume goes on from there as if training had never ended.

Exits with 1 where the model is far worse than the columns' own distributions.

Losses are in nats per example. The training loss is the objective's, and the
validation loss always -ELBO at beta 1: with --beta, --warmup, --free-bits or
another objective the two are not the same quantity."""

_EVALUATE = """\
Measure a model on data: the ELBO and its two terms, the log-likelihood by
importance sampling, and how many latent dimensions are active. All are means
over the rows, in nats per example.

Rows that the model was trained on flatter it. If the source has no test rows,
all rows are taken, those too; --split held-out leaves them out.

--rows-drawn N draws N rows and says how they differ from the data: column by
column, in the associations of columns, to a random forest that is to tell them
from real rows (with scikit-learn), by copies of training rows, and by
values out of range. The same is drawn into drawn_rows.png."""

_SAMPLE = """\
Make new examples: z drawn from the prior, and for each z the mean of
p(x given z). For a table they are draws from p(x given z), and a .csv has the
table's own columns, units and labels, however many rows there are.

For a table --given says what is known of each row: a value, a range with .. in
it, or one end of a range; the other columns are drawn from their distribution
given that. --balance draws as many rows of each label of a column."""

_RECONSTRUCT = """\
Encode and decode data, at the mean of q(z given x). A picture shows -n rows,
drawn at random, beside what came in; an array (.npy, .csv) has the
reconstructions of all rows, in their order. For a table they have its units and
labels, and missing cells are filled in; with --impute the known ones stay."""

_INTERPOLATE = """\
Walk in straight lines through latent space, between the posterior means of
pairs of rows drawn at random, and decode each step. An array (.npy) has the
shape (pairs, steps, columns)."""

_LATENT = """\
Draw where the rows lie in latent space: their posterior means, or the first two
principal components of more than two dimensions, coloured by label where the
data have labels. An array (.npy, .csv) has the posterior means of all rows, in
their order, and a .csv the labels too."""

_VERIFY = """\
Prove every gradient that npvae has, and every identity, against independent
computations. Exits with 1 where one fails."""

_INFO = """\
Versions, the kernels and threads that npvae train uses, and the names that its
options take; with RUN, what that run holds."""


TAKE_A_PATH = ("train", "evaluate", "reconstruct", "interpolate", "latent")
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
    for add in (_train, _evaluate, _sample, _reconstruct, _interpolate, _latent, _verify, _info):
        add(commands)
    known = commands.choices
    if not argv:
        parser.error(f"give a command: {', '.join(known)}")
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
    parser.error(f"there is no command {name!r}; {nearest(name, known)}")


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


def _train(commands: Any) -> None:
    parser = commands.add_parser(
        "train", usage="npvae train [PATH] [options]", help="train a model", description=_TRAIN
    )
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            option.add_to(group)


def _evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        usage="npvae evaluate RUN [PATH] [options]",
        help="ELBO, its two terms, log-likelihood, active units",
        description=_EVALUATE,
    )
    _run_and_data(parser)
    parser.add_argument(
        "--samples",
        type=whole(1),
        default=5000,
        metavar="K",
        help="importance samples per row (default: 5000)",
    )
    parser.add_argument(
        "--rows-drawn",
        type=whole(1),
        metavar="N",
        help="also draw N rows and compare them with the data",
    )
    parser.add_argument(
        "--out",
        type=output(*PICTURES),
        metavar="FILE",
        help=f"the picture of --rows-drawn: {', '.join(PICTURES)} (default: drawn_rows.png)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="new examples", description=_SAMPLE)
    _run(parser)
    parser.add_argument("-n", type=whole(1), default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--given",
        type=texts,
        action="extend",
        default=[],
        metavar="NAME=VALUE,..",
        help="of a table: draw rows of which this is known, such as town=Paris,age=30..40 or "
        "income=50000..; what has a comma in it stands in double quotes",
    )
    parser.add_argument(
        "--balance",
        metavar="NAME",
        help="of a table: as many rows of each label of this flag or category",
    )
    _output(parser, "samples.png", *PICTURES, *ARRAYS, *TABLES)
    _image_shape(parser)
    _seed(parser)


def _reconstruct(commands: Any) -> None:
    parser = commands.add_parser(
        "reconstruct",
        usage="npvae reconstruct RUN [PATH] [options]",
        help="input beside reconstruction",
        description=_RECONSTRUCT,
    )
    _run_and_data(parser)
    parser.add_argument(
        "-n",
        type=whole(1),
        metavar="N",
        help="rows in a picture (default: 10; for a table 1000)",
    )
    parser.add_argument(
        "--impute",
        action="store_true",
        help="for a table: keep the known cells as they are, and fill in the missing ones",
    )
    _output(parser, "reconstructions.png", *PICTURES, *ARRAYS, *TABLES)
    _image_shape(parser)


def _interpolate(commands: Any) -> None:
    parser = commands.add_parser(
        "interpolate",
        usage="npvae interpolate RUN [PATH] [options]",
        help="walks between pairs in latent space",
        description=_INTERPOLATE,
    )
    _run_and_data(parser)
    parser.add_argument("--pairs", type=whole(1), default=8, metavar="N", help="default: 8")
    parser.add_argument(
        "--steps",
        type=whole(2),
        default=10,
        metavar="N",
        help="from one of a pair to the other, both included (default: 10)",
    )
    _output(parser, "interpolation.png", *PICTURES, ".npy")
    _image_shape(parser)


def _latent(commands: Any) -> None:
    parser = commands.add_parser(
        "latent",
        usage="npvae latent RUN [PATH] [options]",
        help="the latent space, coloured by label where there is one",
        description=_LATENT,
    )
    _run_and_data(parser)
    _output(parser, "latent.png")


def _verify(commands: Any) -> None:
    parser = commands.add_parser(
        "verify", help="prove every gradient and every identity", description=_VERIFY
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _info(commands: Any) -> None:
    parser = commands.add_parser(
        "info", help="versions, kernels, threads; what a run holds", description=_INFO
    )
    _run(parser, nargs="?")


def _run(parser: Parser, nargs: str | None = None) -> None:
    parser.add_argument("run", metavar="RUN", nargs=nargs, help="a run folder, or a model.npz")


def _run_and_data(parser: Parser) -> None:
    _run(parser)
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="digits, or a file or folder as for npvae train (default: what RUN was trained on)",
    )
    parser.add_argument(
        "--split",
        type=one_of("train", "test", "held-out"),
        metavar="NAME",
        help="train or test, if the source has both; or held-out, the rows that npvae train kept "
        "for validation (default: test if the source has it, otherwise all rows, with those that "
        "RUN was trained on)",
    )
    parser.add_argument(
        "--rows",
        type=whole(1),
        metavar="N",
        help="only N of the rows, drawn by --seed (default: all)",
    )
    _seed(parser)


def _output(parser: Parser, default: str, *suffixes: str) -> None:
    kinds = suffixes or PICTURES + ARRAYS
    parser.add_argument(
        "--out",
        type=output(*kinds),
        default=default,
        metavar="FILE",
        help=f"{', '.join(kinds)} (default: {default})",
    )
    if ".csv" in kinds:
        parser.add_argument(
            "--no-formulas",
            action="store_true",
            help="in a .csv or .tsv, put ' before names and labels that Excel and its like would "
            "take for formulas: those that begin with =, +, - or @ and are no numbers",
        )


def _image_shape(parser: Parser) -> None:
    parser.add_argument(
        "--image-shape",
        type=image_shape,
        metavar="H,W",
        help="the shape of the images that the rows are, H,W,3 in colour, or none if they are no "
        "images (default: as when RUN was trained)",
    )


def _seed(parser: Parser) -> None:
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="default: 0")
