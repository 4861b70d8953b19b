"""The parts of npvae/likelihoods."""

from __future__ import annotations

from typing import Any

import numpy as np

import npvae as nv

from .case import Array, B, D, Draw, Entry


def declared(part: Any, x_dim: int) -> Any:
    part.declare(x_dim)
    return part


MIXED = np.array([4, 0]), np.array([1, 3]), np.array([2])
"""The columns of three groups."""

SMOOTH = {"x": [-100, 200], "y": [-200, 400], "step": 0.0}
"""x is y / 2, whose density is twice that of y."""
WHOLE = {"x": [-100.5, 200.5], "y": [-100.5, 200.5], "step": 1.0}
"""x is y, rounded."""


def mixed_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    """Numbers, flags and labels in columns that are not in the groups' order."""
    x = np.empty((B, 5))
    numbers, flags, labels = MIXED
    x[:, numbers], x[:, flags] = draw.numbers(B, 2), draw.probabilities(B, 2)
    x[:, labels] = draw.rng.integers(3, size=(B, 1))
    groups = [("gaussian_column_scale", numbers), ("bernoulli", flags), (nv.Categorical(3), labels)]
    return draw.parameters(nv.Mixed(groups)), (draw.numbers(draw.K, B, 7), x)


FEATURES = {
    "poisson": lambda w, x: w.log1p(x),
    "negative_binomial": lambda w, x: w.log1p(x),
    "zero_inflated_negative_binomial": lambda w, x: w.log1p(x),
    "categorical": lambda w, x: 1.0 * w.join(w.is_class(x[:, 0], 3), w.is_class(x[:, 1], 2)),
    "ordinal": lambda w, x: 1.0 * w.join(w.is_class(x[:, 0], 3), w.is_class(x[:, 1], 2)),
    "transformed": lambda w, x: (
        0.5
        * (
            w.join(2 * x[:, :1], x[:, 1:] - 0.5).clip(-3.0, None)
            + w.join(2 * x[:, :1], x[:, 1:] + 0.5).clip(None, 3.0)
        )
    ),
    "mixed": lambda w, x: w.join(
        w.join(x[:, MIXED[0]], x[:, MIXED[1]]), 1.0 * w.is_class(x[:, 2], 3)
    ),
}
"""What the encoder is given of x, where that is not x itself."""

PARTS = {
    "likelihood.bernoulli": Entry(
        lambda draw: (nv.Bernoulli(), (draw.numbers(draw.K, B, D), draw.probabilities(B, D))),
        lambda w, part, p, logits, x: w.bernoulli(logits, x),
    ),
    "likelihood.gaussian": Entry(
        lambda draw: (nv.Gaussian(0.3), (draw.numbers(draw.K, B, D), draw.numbers(B, D))),
        lambda w, part, p, mean, x: w.gaussian(mean, x, part.scale),
    ),
    "likelihood.gaussian_learnt_scale": Entry(
        lambda draw: (
            draw.parameters(nv.GaussianLearntScale()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.gaussian(mean, x, w.exp(p["log_scale"])),
    ),
    "likelihood.continuous_bernoulli": Entry(
        lambda draw: (nv.ContinuousBernoulli(), (draw.gentle(draw.K, B, D), draw.inside(B, D))),
        lambda w, part, p, logits, x: w.continuous_bernoulli(logits, x),
    ),
    "likelihood.gaussian_column_scale": Entry(
        lambda draw: (
            draw.sized(nv.GaussianColumnScale()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.gaussian(mean, x, w.exp(p["log_scale"])),
    ),
    "likelihood.gaussian_heteroscedastic": Entry(
        lambda draw: (
            nv.GaussianHeteroscedastic(),
            (draw.numbers(draw.K, B, 2 * D, far=12), draw.numbers(B, D)),
        ),
        lambda w, part, p, theta, x: w.gaussian(
            theta[..., :D], x, w.exp(w.bounded(theta[..., D:], 10.0))
        ),
    ),
    "likelihood.laplace": Entry(
        lambda draw: (
            draw.sized(nv.Laplace()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, median, x: w.laplace(median, x, w.exp(p["log_scale"])),
    ),
    "likelihood.student_t": Entry(
        lambda draw: (
            draw.sized(nv.StudentT(df=3.5)),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.student_t(mean, x, w.exp(p["log_scale"]), part.df),
    ),
    "likelihood.transformed": Entry(
        lambda draw: (
            draw.parameters(declared(nv.Transformed([SMOOTH, WHOLE], "column"), 2)),
            (
                draw.numbers(draw.K, B, 2),
                np.stack([draw.numbers(B), np.minimum(draw.counts(B), 150)], -1),
            ),
        ),
        lambda w, part, p, location, x: (
            w.logistic(location[..., :1], 2 * x[:, :1], w.exp(p["log_scale"][:1]))
            + w.logistic_cells(
                location[..., 1:], x[:, 1:] - 0.5, x[:, 1:] + 0.5, w.exp(p["log_scale"][1:])
            )
            + np.log(2)
        ),
    ),
    "likelihood.poisson": Entry(
        lambda draw: (nv.Poisson(), (draw.gentle(draw.K, B, D), draw.counts(B, D))),
        lambda w, part, p, log_rate, x: w.poisson(log_rate, x),
    ),
    "likelihood.negative_binomial": Entry(
        lambda draw: (
            nv.NegativeBinomial("decoder", library=30.0),
            (draw.gentle(draw.K, B, 2 * D), 1 + draw.counts(B, D)),
        ),
        lambda w, part, p, theta, x: w.negative_binomial(
            w.with_library(theta[..., :D], x, 30.0), x, w.bounded(theta[..., D:], 20.0)
        ),
    ),
    "likelihood.zero_inflated_negative_binomial": Entry(
        lambda draw: (
            draw.sized(nv.ZeroInflatedNegativeBinomial()),
            (draw.gentle(draw.K, B, 2 * D), draw.counts(B, D)),
        ),
        lambda w, part, p, theta, x: w.zero_inflated(
            theta[..., :D], theta[..., D:], x, p["log_dispersion"]
        ),
    ),
    "likelihood.beta": Entry(
        lambda draw: (
            nv.Beta("decoder"),
            (draw.gentle(draw.K, B, 2 * D), draw.inside(B, D)),
        ),
        lambda w, part, p, theta, x: w.beta(theta[..., :D], x, w.bounded(theta[..., D:], 20.0)),
    ),
    "likelihood.categorical": Entry(
        lambda draw: (
            nv.Categorical((3, 2)),
            (
                draw.numbers(draw.K, B, 5),
                np.stack([draw.rng.integers(c, size=B) for c in (3, 2)], -1).astype(float),
            ),
        ),
        lambda w, part, p, logits, x: sum(
            w.categorical(logits[..., columns], w.is_class(x[:, j], len(range(5)[columns])))
            for j, columns in enumerate((slice(0, 3), slice(3, 5)))
        ),
    ),
    "likelihood.ordinal": Entry(
        lambda draw: (
            draw.parameters(declared(nv.Ordinal((3, 2)), 2)),
            (
                draw.gentle(draw.K, B, 2),
                np.stack([draw.rng.integers(c, size=B) for c in (3, 2)], -1).astype(float),
            ),
        ),
        lambda w, part, p, eta, x: (
            w.ordinal(eta[..., 0], p["cuts"][:1], w.exp(p["cuts"][1:2]), w.is_class(x[:, 0], 3))
            + w.ordinal(eta[..., 1], p["cuts"][2:], p["cuts"][:0], w.is_class(x[:, 1], 2))
        ),
    ),
    "likelihood.one_hot": Entry(
        lambda draw: (nv.OneHot((4, 3)), (draw.numbers(draw.K, B, D), draw.one_hot(B, 4, 3))),
        lambda w, part, p, logits, x: (
            w.categorical(logits[..., :4], x[:, :4]) + w.categorical(logits[..., 4:], x[:, 4:])
        ),
    ),
    "likelihood.mixed": Entry(
        mixed_example,
        lambda w, part, p, theta, x: (
            w.gaussian(theta[..., :2], x[:, MIXED[0]], w.exp(p["parts.0.log_scale"]))
            + w.bernoulli(theta[..., 2:4], x[:, MIXED[1]])
            + w.categorical(theta[..., 4:7], w.is_class(x[:, 2], 3))
        ),
    ),
}
