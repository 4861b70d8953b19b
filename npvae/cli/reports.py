"""The commands that print: evaluate, verify, info."""

from __future__ import annotations

import contextlib
import json
import math
import platform
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from importlib import metadata, util
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from .. import kernels, plots
from .._version import __version__
from ..core.errors import ConfigError, MissingDependency
from ..core.progress import epoch_summary
from ..core.registry import arguments_of, listed, registered, text
from ..core.threads import usable_cores
from ..core.wording import short
from ..evaluate import DrawnRows, drawn_rows_report
from ..executor.describe import describe
from ..models.owner import CALIBRATED
from ..objectives import ELBO
from .choices import family_of
from .console import DONE, FAILED_CHECK, say
from .contexts import contexts_like, told
from .inputs import rows_apart, rows_for
from .measured import lines, measured
from .objective_options import objective
from .runs import CONFIG, Run, open_run
from .tabular import worst
from .train_options import GROUPS, SETTINGS

_PACKAGES = ("numba", "threadpoolctl", "matplotlib", "tqdm", "openpyxl", "pyarrow")


def evaluate(options: Namespace) -> None:
    """Print how good a model is."""
    run = open_run(options.run)
    data, which, others = rows_for(run, options)
    figures = measured(run, data, options)
    drawn, drawn_in = _drawn_rows(run, options)
    if options.json:
        more = {} if drawn is None else {"drawn_rows": drawn.as_dict()}
        print(as_json({"run": run.name, "data": which, "seed": options.seed, **figures, **more}))
        return
    say(f"{run.name} on {which}\nmeans over the rows, in nats per example\n")
    for name, figure, what in lines(run.model, figures):
        say(f"  {name:<14} {figure:>10}   {what}")
    if run.schema is not None:
        say("\nNats saved in a column over knowing its distribution alone; the worst columns are")
        for name, nats in worst(run.schema, np.array([*figures["nats_saved"].values()])):
            say(f"  {short(name):<24} {nats:>8.3f}")
    if others:
        say(f"\nRows that a model was trained on flatter it: {others}.")
    if drawn is not None:
        say(f"\n{drawn}\n\n{drawn_in}")


def _drawn_rows(run: Run, options: Namespace) -> tuple[DrawnRows | None, str]:
    """What --rows-drawn asks for, and where its picture is, or why there is none."""
    if options.rows_drawn is None:
        if options.out is not None:
            raise ConfigError("--out takes the picture of drawn rows; give --rows-drawn N with it.")
        return None, ""
    train, others = rows_apart(run, options.data)
    valid = None if others is None else others.x
    n, seed = options.rows_drawn, options.seed
    context = contexts_like(run.model, n, train.context, seed)
    report = drawn_rows_report(run.model, train.x, valid, n, seed, context)
    path = options.out or Path("drawn_rows.png")
    try:
        plots.save(plots.drawn_rows(report), path)
    except MissingDependency as error:
        return report, f"No picture: {error}"
    return report, f"{path}: the same as a picture"


def verify(options: Namespace) -> int:
    """Print a proof of every gradient and identity."""
    from .. import gradcheck

    verification = gradcheck.verify()
    with contextlib.suppress(BrokenPipeError):  # the exit code counts, whoever reads the rest
        print(as_json(verification.as_dict()) if options.json else verification)
    return DONE if verification.ok else FAILED_CHECK


def info(options: Namespace) -> None:
    """Print what is installed, or what a run holds."""
    for name, value in _environment() if options.run is None else _contents(options.run):
        say(f"{name:<14} {value}")


def _environment() -> Iterator[tuple[str, str]]:
    yield "npvae", __version__
    yield "Python", f"{platform.python_version()} ({platform.system()}, {platform.machine()})"
    yield "numpy", np.__version__
    for package in _PACKAGES:
        yield package, _version(package) or f"not installed: pip install {package}"
    yield "kernels", kernels.kernels_in_use()
    yield "threads", str(usable_cores())
    for option in SETTINGS.values():
        if option.family is not None:
            yield from zip(chain([option.typed], repeat("")), _names(option.family), strict=False)


def _names(family: str) -> Iterator[str]:
    """The registered names of a family as they can be typed, with their arguments' defaults."""
    for name in sorted(registered(family)):
        takes = arguments_of(family, name)
        yield f"{name}:{listed(takes)}".replace(", ", ",") if takes else name


def _version(package: str) -> str | None:
    """The version of an optional package; it is found but not imported, which can take seconds."""
    try:
        found = util.find_spec(package) is not None
        return metadata.version(package) if found else None
    except metadata.PackageNotFoundError:
        return "installed, of unknown version"
    except (ImportError, ValueError):
        return None


def _contents(name: str) -> Iterator[tuple[str, str]]:
    run = open_run(name)
    yield "file", f"{run.file}, {run.file.stat().st_size / 1e6:.1f} MB"
    yield "model", f"{run.model.name}, {run.model.n_params:,} parameters"
    yield from _listed(_in_short(run))
    trained_by = objective(run.settings) if run.config else ELBO()
    if run.config:
        yield "objective", text(trained_by.config)
    size = run.settings["batch_size"] if run.config else 1
    yield "steps", describe(run.model, trained_by, batch=size)
    if not run.config:
        yield "training", f"not known: no {CONFIG} that describes this model is beside the file"
        return
    yield "training", f"npvae train, of npvae {run.config.get('npvae')}"
    yield from _listed(_of_its_family(run))
    if run.records:
        epochs = max(run.settings["epochs"], len(run.records))
        yield "last losses", f"{epoch_summary(run.records[-1], epochs)}, nats per example"


def _of_its_family(run: Run) -> dict[str, Any]:
    """The settings of a run that its family of models takes."""
    takes = {"model", "z_dim", *arguments_of("model", family_of(run.settings))}
    unused = {option.name for option in GROUPS["model"]} - takes
    unused |= set() if run.model.has_kl else {"beta", "warmup", "free_bits"}
    return {name: value for name, value in run.settings.items() if name not in unused}


def _in_short(run: Any) -> dict[str, Any]:
    """The model's config, without a number for each column."""
    config = dict(run.model.config)
    if run.schema is not None:
        kinds = Counter(column.kind for column in run.schema.columns)
        config["schema"] = ", ".join(f"{kind}: {n} columns" for kind, n in kinds.items())
        config["likelihood"] = f"mixed: {', '.join(p.name for p in run.model.likelihood.parts)}"
    for name in ("standardise", "inputs", *CALIBRATED):
        if isinstance(config.get(name), dict):
            config[name] = True
    config.update((name, what) for name, what in told(run.model) if name in config)
    return {n: text(v) if isinstance(v, dict) and "name" in v else v for n, v in config.items()}


def _listed(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        items = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else value
        shown = ", ".join(map(str, items)) if isinstance(items, list) else str(items)
        if value is not None:
            yield f"  {name}", shown or "none"


def as_json(value: dict[str, Any]) -> str:
    """JSON as the standard has it: what is not finite is null."""
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
