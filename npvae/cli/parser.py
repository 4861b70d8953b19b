"""What can be typed after ``npvae``. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import difflib
import re
from functools import partial
from typing import Any, NoReturn

from .._version import __version__
from ..core.errors import nearest
from .arguments import (  # fmt: skip
    ARRAYS,
    PICTURES,
    column_kinds,
    fraction,
    image_shape,
    not_negative,
    one_of,
    output,
    positive,
    whole,
    widths,
)
from .console import BAD_INPUT, tell

DEFAULT_RUN = "npvae-run"

_OVERVIEW = f"""\
Variational autoencoders in pure NumPy, every gradient derived by hand
and proven.

  npvae train                        learn the 8 x 8 digits that come with it
  npvae train --data table.csv       or your own rows: see npvae train --help
  npvae evaluate {DEFAULT_RUN}           how good the model is
  npvae sample {DEFAULT_RUN} -n 100      new examples, drawn into samples.png
  npvae verify                       prove that every gradient is right"""

_TRAIN = """\
Train a variational autoencoder and write a run folder: model.npz, config.json,
history.csv, checkpoint.npz (for --resume), and pictures: loss.png, samples.png,
reconstructions.png, latent.png, interpolation.png; for a table columns.png, and
for images in two latent dimensions manifold.png.

With no option it learns the 1,797 embedded digits of 8 x 8 pixels, in seconds.
A table, .csv or .tsv, may have numbers, flags, counts, categories and missing
cells: each column gets a likelihood of its kind.
An earlier run in the folder is replaced once the new one has finished its first
epoch. Ctrl-C keeps the last finished epoch, and --resume goes on from there as
if training had never stopped.

Losses are in nats per example. The training loss is that of the objective, the
validation loss always -ELBO at beta 1: with --beta, --warmup, --free-bits or
--objective iwae the two are not the same quantity."""

_EVALUATE = """\
Measure a model on data: the ELBO and its two terms, the log-likelihood by
importance sampling, and how many latent dimensions are active. All are means
over the rows, in nats per example.

Rows that the model was trained on flatter it, and by default they are among the
rows where the source has no test rows: --split held-out leaves them out."""

_SAMPLE = """\
Make new examples: z drawn from the prior, and for each z the mean of
p(x given z). Of a model of a table the rows are draws from p(x given z), and a
.csv has them as the table has its own: the same columns, units and labels."""

_RECONSTRUCT = """\
Encode and decode data, at the mean of q(z given x). A picture shows -n rows,
drawn at random, beside what came in; an array (.npy, .csv) has the
reconstructions of all rows, in their order. Of a table they come in its own
units and labels, missing cells filled in; with --impute those alone."""

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
        parser.error(f"there is no command {argv[0]!r}; {nearest(argv[0], known)}")
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        _refuse(unknown[0], known[options.command] if options.command else parser)
    return options


def _refuse(argument: str, parser: Parser) -> NoReturn:
    if not argument.startswith("-"):
        parser.error(f"{argument!r} is one argument too many")
    name = argument.split("=")[0]
    known = re.findall(r"--[a-z][a-z-]*", parser.format_help())
    close = difflib.get_close_matches(name, known, n=1)
    parser.error(f"there is no option {name}{f'; did you mean {close[0]}?' if close else ''}")


def _train(commands: Any) -> None:
    parser = commands.add_parser(
        "train", usage="npvae train [options]", help="train a model", description=_TRAIN
    )
    add = parser.add_argument_group("data").add_argument
    add(
        "--data",
        metavar="PATH",
        help="digits (the default); or a .csv, .tsv, .npy or .npz file, "
        "an IDX file, or a folder of IDX files such as MNIST's (./digits for a file of that name)",
    )
    add(
        "--columns",
        type=column_kinds,
        metavar="NAME=KIND,..",
        help="what columns of a .csv or .tsv are, where that is not to be inferred: number, flag, "
        "count, category, label (colours the latent space), or skip",
    )
    add(
        "--holdout",
        type=fraction,
        metavar="F",
        help="the share of rows, drawn by --seed, that "
        "validates and is not trained on (default: the source's test rows where it has such, "
        "otherwise 0.1)",
    )
    add(
        "--image-shape",
        type=image_shape,
        metavar="H,W",
        help="rows are grey images of this shape, or H,W,3 colour images, or none (default: as the "
        "source says; rows in [0, 1] of 16, 25, ... 784 ... columns without names are taken for "
        "square images)",
    )

    add = parser.add_argument_group("model").add_argument
    add(
        "--z-dim",
        type=whole(1),
        metavar="N",
        help="latent dimensions (default: 4 for the digits; 8 for a table, or one less than its "
        "columns; otherwise 20, or the columns, where those are fewer)",
    )
    add(
        "--hidden",
        type=widths,
        metavar="W,W",
        help="widths of the encoder's hidden layers, "
        "mirrored in the decoder, or none (default: 256,128 for the digits; 64 for a table, 256 "
        "from 1,000 rows on; otherwise 400)",
    )
    add("--activation", metavar="NAME", help="default: relu; npvae info lists all")
    add(
        "--likelihood",
        metavar="NAME",
        help="of the data given z (default: for a table mixed, one for each kind of columns; "
        "bernoulli for values in [0, 1] and for images of bytes, otherwise gaussian; npvae info "
        "lists all)",
    )
    add("--prior", metavar="NAME", help="of z: standard (the default), mixture or vamp")

    add = parser.add_argument_group("objective").add_argument
    add(
        "--objective",
        type=one_of("elbo", "iwae"),
        metavar="elbo|iwae",
        help="default: elbo. The KL that iwae shows in training is what its bound has besides rec, "
        "and can be below 0",
    )
    add(
        "--n-samples",
        type=whole(1),
        metavar="K",
        help="draws of z per row and step (default: 1; 5 for iwae)",
    )
    add("--beta", type=not_negative, help="weight of the KL term (default: 1)")
    add(
        "--warmup",
        type=not_negative,
        metavar="EPOCHS",
        help="raise beta from 0 in a straight line over the first epochs (default: 0)",
    )
    add(
        "--free-bits",
        type=not_negative,
        metavar="NATS",
        help="KL per latent dimension below which it is not pressed further, and as which it then "
        "counts in the training loss (default: 0)",
    )

    add = parser.add_argument_group("training").add_argument
    add(
        "--epochs",
        type=whole(1),
        metavar="N",
        help="default: 300 for the digits; for a table by its size, with --patience; otherwise 10",
    )
    add(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help="default: 64 for the digits; 32 for a table of less than 3,000 rows; otherwise 128",
    )
    add(
        "--lr",
        type=positive,
        help="Adam's learning rate (default: 0.002 for digits and tables, otherwise 0.001)",
    )
    add("--weight-decay", type=not_negative, metavar="F", help="decoupled (default: 0)")
    add(
        "--clip-norm",
        type=positive,
        metavar="F",
        help="greatest norm of the gradient (default: no limit)",
    )
    add(
        "--binarise",
        action="store_true",
        default=None,
        help="take values in [0, 1] for probabilities, and draw ones and zeros from them anew "
        "whenever a row is visited",
    )
    add(
        "--patience",
        type=whole(1),
        metavar="EPOCHS",
        help="stop after so many epochs without a better validation loss, and keep the best model; "
        "with --resume, more of it lets a run that stopped go on (default: train to the end)",
    )
    add(
        "--seed",
        type=whole(0),
        metavar="N",
        help="of the rows held out, initial weights, order "
        "and noise: same seed, threads and machine, same model (default: 0)",
    )
    add(
        "--threads",
        type=whole(1),
        metavar="N",
        help="at most; one is used where matrices are small (default: all usable cores)",
    )

    add = parser.add_argument_group("run").add_argument
    add(
        "--out",
        metavar="DIR",
        default=DEFAULT_RUN,
        help=f"run folder, made where it is missing (default: {DEFAULT_RUN})",
    )
    add(
        "--resume",
        action="store_true",
        help="go on with the run in DIR, with the settings that "
        "it has; --epochs, --lr, --patience and --threads may be given anew, and --data where "
        "the file has moved. Where DIR has no finished epoch, training starts anew, with the "
        "settings in its config.json if it has one",
    )
    add("--no-plots", action="store_true", help="no pictures")
    add("--quiet", action="store_true", help="print errors only")


def _evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate", help="ELBO, its two terms, log-likelihood, active units", description=_EVALUATE
    )
    _run_and_data(parser)
    parser.add_argument(
        "--samples",
        type=whole(1),
        default=5000,
        metavar="K",
        help="importance samples per row (default: 5000)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="new examples", description=_SAMPLE)
    _run(parser)
    parser.add_argument("-n", type=whole(1), default=64, metavar="N", help="how many (default: 64)")
    _output(parser, "samples.png")
    _image_shape(parser)
    _seed(parser)


def _reconstruct(commands: Any) -> None:
    parser = commands.add_parser(
        "reconstruct", help="input beside reconstruction", description=_RECONSTRUCT
    )
    _run_and_data(parser)
    parser.add_argument(
        "-n",
        type=whole(1),
        metavar="N",
        help="rows in a picture (default: 10; of a table 1000)",
    )
    parser.add_argument(
        "--impute",
        action="store_true",
        help="of a table: keep the known cells as they are, and fill in the missing ones",
    )
    _output(parser, "reconstructions.png")
    _image_shape(parser)


def _interpolate(commands: Any) -> None:
    parser = commands.add_parser(
        "interpolate", help="walks between pairs in latent space", description=_INTERPOLATE
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
        "latent", help="the latent space, coloured by label where there is one", description=_LATENT
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
        help="train or test, of a source that has both; held-out, the rows that npvae train kept "
        "for validation (default: test where the source has it, otherwise all rows, those that "
        "RUN was trained on too)",
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


def _image_shape(parser: Parser) -> None:
    parser.add_argument(
        "--image-shape",
        type=image_shape,
        metavar="H,W",
        help="rows are grey images of this shape, or H,W,3 colour images, or none "
        "(default: as when RUN was trained)",
    )


def _seed(parser: Parser) -> None:
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="default: 0")
