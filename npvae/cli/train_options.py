"""The options of ``npvae train``, each declared once.

The parser takes them from here, config.json keeps those that are settings, and a setting reaches
the model, the objective, the optimiser or `fit` as their argument of the same name.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .arguments import (
    channels,
    column_kinds,
    fraction,
    image_shape,
    not_negative,
    positive,
    texts,
    whole,
    widths,
)

DEFAULT_RUN = "npvae-run"
DIGITS = "digits"


@dataclass(frozen=True)
class Option:
    """One option of training.

    Attributes
    ----------
    name : its name in Python and in config.json; ``z_dim`` is typed ``--z-dim``
    metavar : what stands for its value in ``--help``
    parse : from what was typed to the value; None of a flag
    help : what ``--help`` says of it
    default : its value where it is not given; None where other choices decide that
    family : where it takes a registered name, with arguments or without, the family of that name
    free : whether a resumed run may change it
    setting : whether config.json keeps it
    """

    name: str
    metavar: str | None
    parse: Callable[[str], Any] | None
    help: str
    default: Any = None
    family: str | None = None
    free: bool = False
    setting: bool = True

    @property
    def typed(self) -> str:
        return "--" + self.name.replace("_", "-")

    def allows(self, value: Any) -> bool:
        """Whether a config.json may have this value: it could have been typed."""
        if value is None or self.parse in (None, str):
            return value is None or isinstance(value, bool if self.parse is None else str)
        if isinstance(value, bool):
            return False
        try:
            typed = ",".join(_items(value)) if isinstance(value, (list, dict)) else str(value)
            return self.parse(typed or "none") == value
        except (ArgumentTypeError, TypeError, ValueError):
            return False

    def add_to(self, group: Any) -> None:
        """Declare the option to argparse; of a setting, None says that it was not given."""
        how: dict[str, Any] = {"action": "store_true"}
        if self.parse is not None:
            how = {"type": self.parse, "metavar": self.metavar}
        default = None if self.setting else self.default
        group.add_argument(self.typed, help=self.help, default=default, **how)


def _items(value: Any) -> list[str]:
    """A list or a dict as it is typed, with commas between."""
    items = [f"{n}={v}" for n, v in value.items()] if isinstance(value, dict) else value
    if not all(type(item) in (str, int) for item in items):
        raise TypeError("nothing but texts and whole numbers can be typed in lists")
    return [str(item) for item in items]


# fmt: off
GROUPS = {
    "data": [
        Option("data", "PATH", str,
               "what to train on: digits (the default); a table, .csv, .tsv, .xlsx or .parquet; a "
               ".npy or .npz file; an IDX file; or a folder of IDX files such as MNIST's (a file "
               "named digits is ./digits)",
               default=DIGITS, free=True),
        Option("columns", "NAME=KIND,..", column_kinds,
               "the kinds of these columns of a table, in place of those that npvae infers: "
               "number, date, duration, flag, count, category, ordered, label (colours the latent "
               "space) or skip; date:dmy, date:mdy, number:decimal-comma, number:decimal-point, "
               "duration:hm and duration:ms say how it is written, and "
               "'ordered:low<medium<high' an order"),
        Option("missing_cells", "TEXT,..", texts,
               "the cells of a .csv or .tsv that stand for a value that is not known, beside empty "
               "ones (default: NA, N/A, NaN, null, none, ?, and Excel's errors)"),
        Option("encoding", "NAME", str,
               "of a .csv or .tsv, such as utf-8 or cp1250, where npvae does not recognise it"),
        Option("sheet", "NAME", str, "of an .xlsx (default: the first with rows)"),
        Option("holdout", "F", fraction,
               "the share of the rows to validate on: --seed draws them, and they are not trained "
               "on (default: the source's test rows if it has any, otherwise 0.1)"),
        Option("image_shape", "H,W", image_shape,
               "the shape of the images that the rows are, H,W,3 in colour, or none if they are no "
               "images (default: as the source says; rows in [0, 1] of 16, 25, ... 784 ... columns "
               "without names are taken for square images)", setting=False),
    ],
    "model": [
        Option("model", "NAME", str,
               "vae (the default); conv: a convolutional one, of images; hierarchical: two latent "
               "levels, of z-dim and half of it, or such as "
               "'hierarchical:z_dims=[16,8,4],inference=bottom_up'; semi: labels too, of which "
               "some may be unknown, -1 or empty; or autoencoder, such as autoencoder:noise=0.3",
               default="vae"),
        Option("condition", "NAME,..", texts,
               "what the model is given beside each row: label, the labels of the rows; or columns "
               "of a table, which it then does not model"),
        Option("z_dim", "N", whole(1),
               "latent dimensions (default: 4 for the digits; for a table 8, but fewer than its "
               "columns; otherwise 20, but no more than the columns)"),
        Option("hidden", "W,W", widths,
               "widths of the encoder's hidden layers, which the decoder mirrors, or none "
               "(default: 256,128 for the digits; for a table 128, or 256 from 1,000 rows on; "
               "otherwise 400)"),
        Option("channels", "C,C", channels,
               "with --model conv, the channels after each convolution, which halves the images "
               "(default: 32,64; --hidden then are dense layers behind them, by default none)"),
        Option("activation", "NAME", str,
               "of the hidden layers (default: relu; npvae info lists all)",
               default="relu", family="activation"),
        Option("likelihood", "NAME", str,
               "how the data are distributed given z, such as gaussian or student_t:df=3; npvae "
               "info lists all (default: for a table mixed, each column by its kind; bernoulli for "
               "values in [0, 1] and for images of bytes; otherwise gaussian)",
               family="likelihood"),
        Option("posterior", "NAME", str,
               "how z given a row is distributed: gaussian (the default); a Gaussian that goes "
               "through n flows, such as planar:n=8; or codes, such as "
               "categorical:n=10,classes=8 (10 variables of 8 classes each) or bernoulli (zeros "
               "and ones)", default="gaussian", family="posterior"),
        Option("prior", "NAME", str,
               "how z is distributed: standard, mixture or vamp, such as vamp:n_components=50; or "
               "conditional, made of what --condition says (default: for a table a mixture, "
               "otherwise standard; of codes uniform or bernoulli)", family="prior"),
    ],
    "objective": [
        Option("objective", "NAME", str,
               "what training minimises, such as elbo (the default) or iwae:n_samples=50; npvae "
               "info lists all with their arguments, of which the options below set some",
               default="elbo", family="objective"),
        Option("n_samples", "K", whole(1),
               "draws of z per row and step (default: the objective's, 1 for elbo)"),
        Option("beta", None, not_negative, "weight of the KL term (default: 1)"),
        Option("warmup", "EPOCHS", not_negative,
               "raise beta from 0 in a straight line over the first epochs (default: 0)"),
        Option("free_bits", "NATS", not_negative,
               "KL that each latent dimension has free: below that it is pressed no further, and "
               "the training loss counts it as that (default: 0)"),
    ],
    "training": [
        Option("epochs", "N", whole(1),
               "passes over the rows (default: 300 for the digits; otherwise 10 to 1000, so that "
               "there are some 30,000 steps, or 5,000 for images and rows of 1,000 columns or "
               "more, fewer where the model is large; with --patience where rows are held out)",
               free=True),
        Option("batch_size", "N", whole(1),
               "rows per step (default: 64 for the digits; otherwise 32 for fewer than 3,000 rows, "
               "else 128)"),
        Option("lr", None, positive,
               "Adam's learning rate (default: 0.002 for digits and tables, otherwise 0.001)",
               free=True),
        Option("weight_decay", "F", not_negative, "decoupled (default: 0)", default=0.0),
        Option("clip_norm", "F", positive, "greatest norm of the gradient (default: no limit)"),
        Option("binarise", None, None,
               "take values in [0, 1] for probabilities: every visit of a row draws its ones and "
               "zeros anew", default=False),
        Option("hide", "F", fraction,
               "for a table: the share of known cells that is hidden from the model, other ones at "
               "each visit of a row, so that it learns to fill gaps (default: 0)", default=0.0),
        Option("patience", "EPOCHS", whole(1),
               "stop after so many epochs without a better validation loss, and keep the best "
               "model (default: a tenth of the epochs, where --epochs is not given and rows are "
               "held out; otherwise train to the end); a run that stopped goes on with --resume "
               "and more patience", free=True),
        Option("fit_prior", "N", whole(1),
               "after training, take a mixture of N Gaussians for the prior, fitted to where the "
               "rows have their z, so that new examples are drawn from there; if z of held-out "
               "rows are likelier by it"),
        Option("seed", "N", whole(0),
               "of the rows held out, the initial weights, the order and the noise: the same seed, "
               "threads and machine give the same model (default: 0)", default=0),
        Option("threads", "N", whole(1),
               "the most to use; where matrices are small, one is used (default: all usable "
               "cores)", free=True),
    ],
    "run": [
        Option("out", "DIR", str,
               f"the run folder, made if it is missing (default: {DEFAULT_RUN})",
               default=DEFAULT_RUN, setting=False),
        Option("resume", None, None,
               "go on with the run in DIR and its settings; --epochs, --lr, --patience and "
               "--threads may be given anew, and --data where the file has moved. A run "
               "that was ended in its first epoch starts again", default=False, setting=False),
        Option("no_plots", None, None, "draw no pictures", default=False, setting=False),
        Option("quiet", None, None, "print errors only", default=False, setting=False),
    ],
}
# fmt: on
"""The options as ``npvae train --help`` has them."""

AS_TABLE = ("columns", "missing_cells", "encoding", "sheet")
"""The settings that say how a table is read, of which nothing is known yet."""
SETTINGS = {o.name: o for group in GROUPS.values() for o in group if o.setting}
"""Those that config.json keeps, by name and in its order."""
