"""The command anomalies: rows by strangeness, with the columns that make them so."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots, tables
from ..core.errors import ConfigError, MissingDependency, NpvaeError
from ..datasets import Dataset
from ..outliers import anomaly_contributions, anomaly_scores, fit_detector
from ..plots.anomalies import MOST_ROWS
from ..tables.on_disk import raw_cells
from .console import count, say
from .inputs import draw, image_shape_of, is_table, numbered_rows, read, rows_apart, take
from .reports import as_json
from .runs import Run, open_run
from .strange_rows import Blame, RowsInQuestion, because, blames, images, write
from .train_options import AS_TABLE, SETTINGS

Array = np.ndarray

_QUANTILE = 0.99
_CONTAMINATION = 0.05
_SHOWN = 10
_EXPLAINED = 20
"""The least number of rows that are explained, whatever the threshold."""
_REFERENCE = 2000
"""Rows by which it is known what a column usually adds."""


@dataclass
class Judge:
    """What says how strange rows are.

    Attributes
    ----------
    name : the run, or that there is none
    unit : what a score counts
    models : those that say what was expected
    scores, contributions : of rows, (N,) and (N, D)
    deciding : which of the models says what was expected of each row, (N,)
    held_out : rows that nothing was trained on, if they are known
    """

    name: str
    unit: str
    models: tuple[Any, ...]
    scores: Callable[[Dataset], Array]
    contributions: Callable[[Dataset], Array]
    deciding: Callable[[Dataset], Array]
    held_out: Dataset | None = None


def anomalies(options: Namespace) -> None:
    """Write the rows by strangeness."""
    if options.contamination is not None and options.quantile is not None:
        raise ConfigError("the threshold comes from --contamination or from --quantile; give one.")
    told = [SETTINGS[name].typed for name in AS_TABLE if getattr(options, name) is not None]
    if told and (options.run or options.split or not is_table(options.data or "")):
        raise ConfigError(
            f"{told[0]} says how a table is read whose columns no RUN knows; give such a table "
            "with --data and no RUN, or leave it out."
        )
    judge, rows = _of_run(options) if options.run else _of_detector(options)
    scores = judge.scores(rows.data)
    threshold, why = _threshold(judge, options, scores)
    order = np.argsort(-scores, kind="stable")
    strange = int((scores > threshold).sum())
    explained = order[: max(strange, _EXPLAINED)]
    nats = judge.contributions(take(rows.data, explained))
    blamed = _blamed(judge, rows, explained, nats)
    found: list[dict[str, Any]] = [
        {"row": int(rows.places[i]), "score": float(scores[i]), "strange": bool(s)}
        for i, s in zip(order, scores[order] > threshold, strict=True)
    ]
    write(options.out, rows, order, found, blamed, not options.no_formulas)
    strangest = explained[:MOST_ROWS]
    shown = [(f"row {row['row']}", [(f"{b.name} {b.value}", b.nats) for b in blame])
             for row, blame in zip(found, blamed, strict=False)]  # fmt: skip
    picture = _picture(
        options.out.with_suffix(".png"),
        lambda: plots.anomalies(
            scores,
            threshold,
            shown,
            images(judge.models[0], rows, strangest, nats),
            f"Strange rows: above {why}",
            judge.unit,
        ),
    )
    if options.json:
        for row, blame in zip(found, blamed, strict=False):
            row["columns"] = [b._asdict() for b in blame]
        print(as_json({
            "run": options.run, "data": rows.which, "method": options.method,
            "unit": judge.unit, "seed": options.seed, "n": len(found), "n_strange": strange,
            "threshold": threshold, "threshold_by": why, "rows": found[: len(blamed)],
        }))  # fmt: skip
        return
    say(f"{judge.name} on {rows.which}")
    for note in () if options.run else getattr(rows.data, "notes", ()):
        say(f"note: {note}")
    say(f"{count(strange, 'row')} above {threshold:.4g} {judge.unit}, {why}\n")
    for row, blame in zip(found[:_SHOWN], blamed, strict=False):
        mark = "*" if row["strange"] else " "
        say(f"{mark} row {row['row']:<7} {row['score']:>10.4g}  {because(blame)}")
    say(f"\n* strange. Rows are counted from 0.\n{options.out}: all rows, the strangest first")
    say(picture)


def _of_run(options: Namespace) -> tuple[Judge, RowsInQuestion]:
    """The model of a run, and the rows that the options choose."""
    run = open_run(options.run)
    (data, which, _), places = numbered_rows(run, options)
    train, held_out = _known_rows(run)
    usual = data if train is None else train
    usual = take(usual, draw(len(usual.x), _REFERENCE, options.seed))
    model, seed = run.model, options.seed
    judge = Judge(
        run.name,
        "nats",
        (model,),
        lambda rows: anomaly_scores(model, rows.x, options.method, rows.context, seed=seed),
        lambda rows: anomaly_contributions(
            model, rows.x, usual.x, rows.context, usual.context, seed=seed
        ),
        lambda rows: np.zeros(len(rows.x), np.intp),
        held_out,
    )
    chosen = options.image_shape
    if chosen is None and run.config:
        chosen = run.config.get("image_shape") or []
    shape = image_shape_of(data, run.model.likelihood, chosen)
    names = data.columns or run.columns
    name = options.data or run.settings["data"]
    source = raw_cells(name, run.schema) if run.schema is not None and is_table(name) else None
    return judge, RowsInQuestion(data, places, which, names, run.schema, shape, source)


def _known_rows(run: Run) -> tuple[Dataset | None, Dataset | None]:
    """The rows that the run was trained on and those held out, where they can still be read."""
    try:
        return rows_apart(run, None)
    except NpvaeError:
        return None, None


def _of_detector(options: Namespace) -> tuple[Judge, RowsInQuestion]:
    """A detector that is trained on the rows themselves."""
    name = options.data
    if name is None:
        raise ConfigError(
            "npvae anomalies takes a RUN, or rows to train small models of its own on; give one "
            "or the other, such as --data table.csv."
        )
    if options.split == "held-out" or options.quantile is not None or options.method != "elbo":
        raise ConfigError(
            "--quantile, --method and --split held-out are for a RUN; give one, or leave them out."
        )
    data = _table_or_rows(name, options)
    places = draw(len(data.x), options.rows or len(data.x), options.seed)
    which = f"{len(places):,} of {len(data.x):,} rows of {name}"
    data = take(data, places)
    schema = data.schema if isinstance(data, tables.Table) else None
    share = _CONTAMINATION if options.contamination is None else options.contamination
    detector = fit_detector(data.x, contamination=share, schema=schema, seed=options.seed)
    judge = Judge(
        "a detector trained",
        "spreads",
        detector.models,
        lambda rows: detector.scores(rows.x),
        lambda rows: detector.contributions(rows.x, reference=data.x[:_REFERENCE]),
        lambda rows: detector.deciding(rows.x),
    )
    source = None if schema is None else raw_cells(name, schema)
    return judge, RowsInQuestion(
        data, places, which, data.columns, schema, data.image_shape, source
    )


def _table_or_rows(name: str, options: Namespace) -> Dataset:
    """The rows that a detector is trained on: of a table read as the options say, or others."""
    if is_table(name) and options.split is None:
        columns, missing, encoding, sheet = (getattr(options, option) for option in AS_TABLE)
        return tables.read(name, columns, None, missing, encoding, sheet)
    return read(name, options.split)


def _blamed(judge: Judge, rows: RowsInQuestion, chosen: Array, nats: Array) -> list[list[Blame]]:
    """The columns to blame for each of the chosen rows, and what its deciding model expects."""
    decides = judge.deciding(take(rows.data, chosen))
    found: list[list[Blame]] = [[] for _ in chosen]
    for number, model in enumerate(judge.models):
        own = np.flatnonzero(decides == number)
        for i, blame in zip(own, blames(model, rows, chosen[own], nats[own]), strict=True):
            found[i] = blame
    return found


def _threshold(judge: Judge, options: Namespace, scores: Array) -> tuple[float, str]:
    """From which score on rows are strange, and why from there."""
    share = options.contamination
    if share is None and judge.held_out is not None:
        q = _QUANTILE if options.quantile is None else options.quantile
        usual = judge.scores(judge.held_out)
        n = count(len(usual), "row")
        return float(np.quantile(usual, q)), f"the quantile {q:.4g} of {n} held out"
    if options.quantile is not None:
        raise ConfigError(
            f"--quantile is that of rows that {judge.name} held out, and there are none; give "
            "--contamination, the share of these rows that is strange."
        )
    share = _CONTAMINATION if share is None else share
    return float(np.quantile(scores, 1 - share)), f"the quantile {1 - share:.4g} of these rows"


def _picture(path: Path, draw: Callable[[], Any]) -> str:
    """Draw a picture; gives what there is to say of it."""
    try:
        plots.save(draw(), path)
    except MissingDependency as error:
        return f"No picture: {error}"
    return f"{path}: their scores, and the strangest of them"
