"""The commands of ``npvae``, each with its options."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from . import about
from .arguments import (
    ARRAYS,
    PICTURES,
    TABLES,
    image_shape,
    one_of,
    output,
    places,
    real,
    span,
    texts,
    whole,
)  # fmt: skip
from .train_options import AS_TABLE, GROUPS, SETTINGS


def train(commands: Any) -> None:
    parser = commands.add_parser(
        "train", usage="npvae train [PATH] [options]", help="train a model", description=about.TRAIN
    )
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            option.add_to(group)


def evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        usage="npvae evaluate RUN [PATH] [options]",
        help="ELBO, its two terms, log-likelihood, active units",
        description=about.EVALUATE,
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
        "--naive",
        action="store_true",
        help="also estimate the log-likelihood by naive Monte Carlo, from draws of the prior; it "
        "falls short in more than a few latent dimensions",
    )
    parser.add_argument(
        "--gap-rows",
        type=whole(1),
        metavar="N",
        help="also split the log-likelihood's lead over the ELBO into what the encoder and what a "
        "Gaussian posterior loses, for N rows evenly spread; each gets a Gaussian of its own",
    )
    parser.add_argument(
        "--factors",
        metavar="PATH",
        help="also score how far single latent dimensions stand for single factors, such as "
        "position and size: a file as for --data, a column of whole numbers for each factor (needs "
        "scikit-learn)",
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


def sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="new examples", description=about.SAMPLE)
    _run(parser)
    parser.add_argument("-n", type=whole(1), default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--class",
        dest="label",
        metavar="NAME",
        help="of a run of --condition label or --model semi: the class of all of them (default: "
        "every class in turn)",
    )
    parser.add_argument(
        "--given",
        type=texts,
        action="extend",
        default=[],
        metavar="NAME=VALUE,..",
        help="of a table: draw rows of which this is known, such as town=Paris,age=30..40 or "
        "income=50000..; what has a comma in it stands in double quotes; of a column that RUN is "
        "conditioned on, the value",
    )
    parser.add_argument(
        "--balance",
        metavar="NAME",
        help="of a table: as many rows of each label of this flag or category",
    )
    _output(parser, "samples.png", *PICTURES, *ARRAYS, *TABLES)
    _image_shape(parser)
    _seed(parser)


def reconstruct(commands: Any) -> None:
    parser = commands.add_parser(
        "reconstruct",
        usage="npvae reconstruct RUN [PATH] [options]",
        help="input beside reconstruction",
        description=about.RECONSTRUCT,
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


def impute(commands: Any) -> None:
    parser = commands.add_parser(
        "impute",
        usage="npvae impute RUN [PATH] [options]",
        help="a table's missing cells filled in",
        description=about.IMPUTE,
    )
    _run(parser)
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a table with the columns that RUN was trained on (default: that one)",
    )
    parser.add_argument(
        "--draws",
        type=whole(1),
        metavar="M",
        help="write M tables of draws from p(missing given known) (default: one of means)",
    )
    parser.add_argument(
        "--median", action="store_true", help="fill in medians of numbers in place of means"
    )
    parser.add_argument(
        "--samples",
        type=whole(1),
        metavar="K",
        help="importance samples per row (default: 60, of draws and medians 200)",
    )
    _seed(parser)
    kinds = (".csv", *TABLES)
    parser.add_argument(
        "--out",
        type=output(*kinds),
        default="filled.csv",
        metavar="FILE",
        help=f"{', '.join(kinds)} (default: filled.csv)",
    )


def interpolate(commands: Any) -> None:
    parser = commands.add_parser(
        "interpolate",
        usage="npvae interpolate RUN [PATH] [options]",
        help="walks between pairs in latent space",
        description=about.INTERPOLATE,
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
    parser.add_argument(
        "--spherical",
        action="store_true",
        help="walk along arcs around the origin in place of straight lines",
    )
    _output(parser, "interpolation.png", *PICTURES, ".npy")
    _image_shape(parser)


def traverse(commands: Any) -> None:
    parser = commands.add_parser(
        "traverse",
        usage="npvae traverse RUN [PATH] [options]",
        help="what each latent dimension changes",
        description=about.TRAVERSE,
    )
    _run_and_data(parser)
    parser.add_argument(
        "--dims",
        type=places,
        metavar="I,I",
        help="the dimensions, counted from 0 (default: the eight that vary most over the rows)",
    )
    parser.add_argument(
        "--values",
        type=span,
        default=(-3.0, 3.0),
        metavar="LOW..HIGH",
        help="from where to where each goes; --values=-2..2 (default: -3..3)",
    )
    parser.add_argument("--steps", type=whole(2), default=11, metavar="N", help="default: 11")
    parser.add_argument(
        "--row",
        type=whole(0),
        metavar="N",
        help="the row to start from, counted from 0 (default: the mean of all)",
    )
    _output(parser, "traversal.png", *PICTURES, ".npy")
    _image_shape(parser)


def attribute(commands: Any) -> None:
    parser = commands.add_parser(
        "attribute",
        usage="npvae attribute RUN [PATH] --has NAME=VALUE [options]",
        help="rows on their way to what other rows have",
        description=about.ATTRIBUTE,
    )
    _run_and_data(parser)
    parser.add_argument(
        "--has",
        type=texts,
        action="extend",
        required=True,
        metavar="NAME=VALUE,..",
        help="which rows have the attribute, as for npvae sample --given: smoker=yes or age=60..; "
        "of rows with labels label=3",
    )
    parser.add_argument(
        "-n", type=whole(1), default=8, metavar="N", help="how many rows get it (default: 8)"
    )
    parser.add_argument(
        "--strength",
        type=span,
        default=(0.0, 1.0),
        metavar="LOW..HIGH",
        help="from how much of the difference to how much; --strength=-1..1 (default: 0..1)",
    )
    parser.add_argument("--steps", type=whole(2), default=9, metavar="N", help="default: 9")
    _output(parser, "attribute.png", *PICTURES, ".npy")
    _image_shape(parser)


def latent(commands: Any) -> None:
    parser = commands.add_parser(
        "latent",
        usage="npvae latent RUN [PATH] [options]",
        help="the latent space, coloured by label where there is one",
        description=about.LATENT,
    )
    _run_and_data(parser)
    _output(parser, "latent.png")


def anomalies(commands: Any) -> None:
    parser = commands.add_parser(
        "anomalies",
        usage="npvae anomalies [RUN] --data PATH [options]",
        help="rows by strangeness, with the columns that make them so",
        description=about.ANOMALIES,
    )
    _run_and_data(parser, nargs="?")
    parser.add_argument(
        "--contamination",
        type=real("above 0 and up to 0.5", lambda value: 0 < value <= 0.5),
        metavar="SHARE",
        help="hold the strangest share of these rows for strange, such as 0.05",
    )
    parser.add_argument(
        "--quantile",
        type=real("above 0 and below 1", lambda value: 0 < value < 1),
        metavar="Q",
        help="hold for strange what scores above this quantile of the rows held out in training "
        "(default: 0.99; of a run without such rows --contamination 0.05)",
    )
    parser.add_argument(
        "--method",
        type=one_of("elbo", "likelihood"),
        default="elbo",
        metavar="NAME",
        help="elbo, or likelihood, which is tighter and slower (default: elbo)",
    )
    _output(parser, "strange.csv", ".csv", ".tsv")
    _image_shape(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    group = parser.add_argument_group("how a table is read, without a RUN")
    for name in AS_TABLE:
        SETTINGS[name].add_to(group)


def verify(commands: Any) -> None:
    parser = commands.add_parser(
        "verify", help="prove every gradient and every identity", description=about.VERIFY
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def info(commands: Any) -> None:
    parser = commands.add_parser(
        "info", help="versions, kernels, threads; what a run holds", description=about.INFO
    )
    _run(parser, nargs="?")


def _run(parser: ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument("run", metavar="RUN", nargs=nargs, help="a run folder, or a model.npz")


def _run_and_data(parser: ArgumentParser, nargs: str | None = None) -> None:
    _run(parser, nargs)
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


def _output(parser: ArgumentParser, default: str, *suffixes: str) -> None:
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


def _image_shape(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--image-shape",
        type=image_shape,
        metavar="H,W",
        help="the shape of the images that the rows are, H,W,3 in colour, or none if they are no "
        "images (default: as when RUN was trained)",
    )


def _seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="default: 0")


COMMANDS = (
    train, evaluate, sample, reconstruct, impute, interpolate, traverse, attribute, latent,
    anomalies, verify, info,
)  # fmt: skip
"""What declares each of them, in the order of ``npvae --help``."""
