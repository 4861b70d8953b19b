"""What ``npvae evaluate`` measures, and the words of its table."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.errors import ConfigError, DataError
from ..datasets import Dataset
from ..evaluate import (
    accuracy,
    disentanglement,
    inference_gap,
    information,
    kl_by_dimension,
    label_accuracy,
    log_likelihood,
    metrics,
    reconstruction_error,
)
from ..evaluate.likelihood import FEW
from .console import count
from .contexts import known_labels, labels_of
from .inputs import read
from .runs import Run
from .tabular import saved_by_column

Figures = dict[str, Any]
Line = tuple[str, str, str]
"""A name, a figure, and what it is."""

MOST_PAIRED = 2000
"""Rows whose posteriors are compared in pairs; of more, as many evenly spaced ones."""
_MOST_SHOWN = 8
"""Latent dimensions whose KL stands in the table: the largest."""


def measured(run: Run, data: Dataset, options: Namespace) -> Figures:
    """All figures of a model on these rows, by the names that --json has."""
    model, x, context, seed = run.model, data.x, data.context, options.seed
    asked = {  # first: may be refused
        **_disentangled(model, data, options),
        **_gap(model, data, options),
        **_naive(model, data, options),
    }
    figures = {**metrics(model, x, options.samples, seed, context, progress=True), **asked}
    if model.has_density or not model.levels:
        by_dimension = kl_by_dimension(model, x, seed, context)
        figures["kl_by_dimension"] = [kl.tolist() for kl in by_dimension]
    every = max(1, -(-len(x) // MOST_PAIRED))
    some = None if context is None else context[::every]
    with contextlib.suppress(ConfigError):  # of a model whose parts can't be told
        figures = {**information(model, x[::every], seed, some), **figures}
    if model.predicts and data.y is not None:
        figures["accuracy"], figures["n_labelled"] = accuracy(model, x, data.y)
    given = labels_of(model, data)
    if run.schema is not None:
        saved = saved_by_column(model, x, context=context)
        figures["nats_saved"] = dict(zip(run.schema.names, saved.tolist(), strict=True))
    else:
        figures["reconstruction_error"] = reconstruction_error(model, x, given)
    if data.y is not None and np.ndim(data.y) == 1:
        with contextlib.suppress(DataError):  # too few rows or labels
            codes = np.concatenate(model.centres(x, given), axis=1)
            figures["label_accuracy"] = label_accuracy(codes, known_labels(model, data), seed)
    return figures


def _disentangled(model: Any, data: Dataset, options: Namespace) -> Figures:
    """How far single latent dimensions stand for the factors in a file, if one is named."""
    if options.factors is None:
        return {}
    factors = read(options.factors).x
    if len(factors) != len(data.x):
        raise DataError(
            f"--factors has a row for each row of the data; '{options.factors}' has "
            f"{len(factors):,}, and the data {len(data.x):,}. Leave out --rows and --split, or "
            "give a file of just these rows."
        )
    codes = np.concatenate(model.centres(data.x, labels_of(model, data)), axis=1)
    return {"disentanglement": disentanglement(codes, factors, options.seed)}


def _gap(model: Any, data: Dataset, options: Namespace) -> Figures:
    """The inference gap of so many rows, evenly spread, if it is asked for."""
    if options.gap_rows is None:
        return {}
    rows = np.linspace(0, len(data.x) - 1, min(options.gap_rows, len(data.x))).astype(int)
    some = None if data.context is None else data.context[rows]
    gap = inference_gap(model, data.x[rows], options.samples, seed=options.seed, context=some)
    return {"inference_gap": {"n": len(rows), **gap}}


def _naive(model: Any, data: Dataset, options: Namespace) -> Figures:
    """The log-likelihood from draws of the prior, if it is asked for."""
    if not options.naive:
        return {}
    log_p, _, effective = log_likelihood(
        model, data.x, options.samples, options.seed, data.context, True, True, "prior"
    )
    few = int((effective < FEW).sum())
    naive = {"log_likelihood": float(log_p.mean()), "few_effective": few}
    return {"naive": {**naive, "effective_samples": float(np.median(effective))}}


def lines(model: Any, figures: Figures) -> Iterator[Line]:
    """The table, line by line."""
    yield from _bounds(figures) if model.levels else _of_codes(figures)
    yield from _latent(figures)
    yield from _of_factors(figures)
    if figures.get("n_labelled"):
        rows = count(figures["n_labelled"], "row")
        yield "accuracy", f"{figures['accuracy']:.1%}", f"of the labels that {rows} have"
    if "reconstruction_error" in figures:
        error = figures["reconstruction_error"]
        what = f"root mean square of what reconstructions are off; mean {error['mae']:.3g}"
        yield "error", f"{error['rmse']:.3g}", what
    if "label_accuracy" in figures:
        share = figures["label_accuracy"]
        for name, what in (
            ("nearest", f"labels told by the nearest code; {share['most_frequent']:.1%} by the "
             "most frequent label alone"),
            ("linear", "labels told by logistic regression on codes"),
        ):  # fmt: skip
            yield f"{name} label", f"{share[name]:.1%}", what


def _of_factors(figures: Figures) -> Iterator[Line]:
    if "disentanglement" in figures:
        for key, name, what in (
            ("mig", "MIG", "how much more of a factor its best dimension tells than the next one"),
            ("sap", "SAP", "the same by squared correlations"),
            ("dci", "DCI", "how far random forests use a dimension for one factor alone"),
            ("factor_vae", "FactorVAE", "rows alike in a factor: the stillest dimension tells it"),
        ):
            yield name, f"{figures['disentanglement'][key]:.3f}", f"{what}; 1 at best"


def _of_codes(figures: Figures) -> Iterator[Line]:
    yield "reconstruction", f"{figures['rec']:.2f}", "-log p(x given z), z the row's code"


def _bounds(figures: Figures) -> Iterator[Line]:
    for name, key, what in (
        ("ELBO", "elbo", "a lower bound on the log-likelihood: -(reconstruction + KL)"),
        ("reconstruction", "rec", "-E_q[log p(x given z)], the distortion"),
        ("KL", "kl", "KL(q(z given x) || p(z)), the rate"),
    ):
        yield name, f"{figures[key]:.2f}", what
    if figures["log_likelihood"] is None:
        return
    se, sampling = figures["log_likelihood_se"], figures["monte_carlo_se"]
    likelihood = f"{figures['n_samples']:,} importance samples per row"
    likelihood += f"; standard error over rows {se:.2f}" if se is not None else ""
    likelihood += f"; of the sampling {sampling:.2g}" if sampling is not None else ""
    yield "log-likelihood", f"{figures['log_likelihood']:.2f}", likelihood
    yield "effective", f"{figures['effective_samples']:.0f}", _effective(figures)
    if "naive" in figures:
        naive = figures["naive"]
        what = f"log-likelihood from {figures['n_samples']:,} draws of the prior per row: "
        what += f"{naive['effective_samples']:.3g} of them count, the median over rows"
        yield "naive", f"{naive['log_likelihood']:.2f}", what
    if "inference_gap" in figures:
        gap = figures["inference_gap"]
        what = (
            f"log-likelihood - ELBO of {count(gap['n'], 'row')}: {gap['amortisation']:.2f} is the "
        )
        what += f"encoder's, {gap['approximation']:.2f} that posteriors are no Gaussians"
        yield "gap", f"{gap['gap']:.2f}", what


def _effective(figures: Figures) -> str:
    """What the effective sample sizes say."""
    few = figures["few_effective"]
    what = "importance samples that count, the median over rows"
    if not few:
        return what
    rows = f"{few:,} of {figures['n']:,} rows have fewer than {FEW}"
    return f"{what}; {rows}, and are likelier than their log-likelihood says"


def _latent(figures: Figures) -> Iterator[Line]:
    if "mutual_information" in figures:
        most = figures["mutual_information_at_most"]
        yield (
            "information", f"{figures['mutual_information']:.2f}",
            f"I(x; z), the KL's part that tells rows apart; at most {most:.2f}",
        )  # fmt: skip
        marginal = figures["marginal_kl"]
        yield "marginal KL", f"{marginal:.2f}", "KL(q(z) || p(z)), the rest of it"
    units = f"{figures['active_units']} of {figures['z_dim']}"
    yield "active units", units, "latent dimensions whose mean varies over the rows"
    by_dimension = figures.get("kl_by_dimension", [])
    for level, kl in enumerate(by_dimension, start=1):
        name = "KL by dim." if len(by_dimension) == 1 else f"KL of z{level}"
        order = np.argsort(kl)[::-1][:_MOST_SHOWN]
        each = ", ".join(f"{kl[j]:.2f} (z{j})" for j in order)
        more = f" and {len(kl) - len(order)} more" if len(kl) > len(order) else ""
        yield name, f"{sum(kl):.2f}", f"{each}{more}" if len(kl) > 1 else "of the whole level"
