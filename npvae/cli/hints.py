"""What to type in place of an option that does not exist."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..core.aliases import meanings, meant

_CONDITION = "condition conditions conditional cond given class"
_WHERE = "where filter query select"
_ADVICE = [
    ("train", _CONDITION, "--condition label, or --condition COLUMN,COLUMN of a table, says what "
     "the model is given"),
    ("train", _WHERE, "write a file of the rows to train on, and give that"),
    ("train", "family", "--model says it"),
    ("sample", f"{_CONDITION} {_WHERE}", "--given NAME=VALUE says what is known of a table's "
     "rows, and --class which class is asked for"),
    ("", f"{_CONDITION} {_WHERE}", "write a file of the rows that you mean, and give that"),
    ("", "label target targets labels y hue color_by colour_by target_column",
     "say --columns {label} in npvae train: the column colours the latent space and is no "
     "data"),
    ("", "drop ignore exclude skip id index_col drop_columns omit",
     "say --columns {skip} in npvae train"),
    ("", "ordinal ordinal_columns", "say --columns {ordered} in npvae train"),
    ("", "categorical cat_cols categorical_columns discrete_columns",
     "say --columns {category} in npvae train"),
    ("", "device gpu gpus cuda cpu accelerator", "npvae computes on the CPU; leave it out"),
    ("", "sep delimiter delim decimal thousands header separator",
     "npvae finds that out of the file; leave it out"),
    ("", "optimizer optimiser optim",
     "npvae trains with Adam, whose settings are --lr, --weight-decay and --clip-norm"),
    ("", "dropout batch_norm",
     "npvae has none; --weight-decay and --patience hold a model back"),
    ("", "verbose v", "npvae says what it does unless --quiet is given"),
    ("", "plot plots figures", "pictures are drawn unless --no-plots is given"),
    ("", "valid validation val val_data validation_data test test_data",
     "--holdout F keeps a share of the rows to validate on"),
    ("", "format", "the ending of --out says it, such as .csv or .png"),
    ("", "shuffle", "every epoch has its rows in a new order; leave it out"),
    ("", "model", "the first argument is the run, or its model.npz"),
]  # fmt: skip
"""Of a command, or of any, what each of some words is answered with; the first that fits counts."""


def hint(command: str, option: str, value: str, known: Sequence[str]) -> str:
    """The tail of the error about an unknown option; empty where nobody knows what it means.

    `known` are the command's options as they are typed; `value` is what followed the option.
    """
    word = meanings(option)[0]
    for of, words, advice in _ADVICE:
        if of in ("", command) and word in words.split():
            return "; " + advice.format(**_columns(value or "NAME"))
    by_name = {name.lstrip("-").replace("-", "_"): name for name in known}
    name = meant(option, by_name)
    return f"; did you mean {by_name[name]}?" if name else ""


def _columns(names: str) -> dict[str, str]:
    """What --columns takes to give these columns a kind, by that kind."""
    by_kind = {
        kind: ",".join(f"{name}={kind}" for name in names.split(","))
        for kind in ("label", "skip", "category", "ordered")
    }
    return {kind: shlex.quote(text) for kind, text in by_kind.items()}
