"""Gene counts under three likelihoods: negative binomial, Poisson, discretised Gaussian.

    python examples/counts.py pbmc_10k_counts.npz [--out counts.png] [--epochs 300]

The file holds X, counts of genes (columns) in cells (rows). Every cell is held out once, in five
folds, and its log p(x) is estimated by importance sampling. The Gaussian gives a count the
probability of the unit interval around it (0 that of all below a half), so that all three speak of
the same counts. Differences are between pairs for the same cell, with their standard error. Needs
SciPy for the Gaussian's tails.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.special import log_ndtr

import npvae as nv
from npvae.cli.arguments import PICTURES, output
from npvae.likelihoods.counts import Counts
from npvae.likelihoods.spread import Spread

FOLDS = 5
SAMPLES = 500
"""Of the importance sampling: doubling them changes no mean by more than its error."""


class DiscretisedGaussian(Counts, Spread):
    """log p(x) = Σ_D log(Φ(b) - Φ(a)),  a, b = (x ∓ ½ - mean) / s,  s = exp(t);  a = -∞ at x = 0.

    Derivation, with P = Φ(b) - Φ(a) and φ the normal density:
      (1) ∂a/∂mean = ∂b/∂mean = -1/s  ->  ∂log p/∂mean = (φ(a) - φ(b)) / (s P) = r
      (2) ∂a/∂t = -a, ∂b/∂t = -b      ->  ∂log p/∂t = (a φ(a) - b φ(b)) / P = slope
      (3) from there to the gradients: `Spread`, (1) and (2)
    Shapes: mean (K, B, D), x (B, D), t (D,), log p (K, B).
    """

    quantity = "scale"
    takes_missing = False
    not_analytic = "which tail is taken is a comparison, and complex numbers have no order"

    def __init__(self) -> None:
        Spread.__init__(self, "column")

    def density(self, mean: Any, x: Any, log_scale: Any) -> tuple[Any, Any, Any]:
        s = np.exp(log_scale.astype(np.float64))
        a, b = (x - 0.5 - mean) / s, (x + 0.5 - mean) / s
        a = np.where(x == 0, -np.inf, a)
        # Φ(b) - Φ(a) = Φ(-a) - Φ(-b): the side where neither is near 1.
        low, high = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
        log_high = log_ndtr(high)
        log_p = log_high + np.log1p(-np.exp(log_ndtr(low) - log_high))
        at_a, at_b = (np.exp(-0.5 * (u * u + np.log(2 * np.pi)) - log_p) for u in (a, b))
        finite = np.where(x == 0, 0, a)
        r, slope = (at_a - at_b) / s, finite * at_a - b * at_b
        return log_p.sum(-1), r.astype(mean.dtype), slope.astype(mean.dtype)

    def mean(self, mean: Any) -> Any:
        return mean

    def sample(self, mean: Any, rng: np.random.Generator) -> Any:
        x = np.rint(mean + np.exp(self.log_scale) * rng.standard_normal(mean.shape))
        return np.maximum(x, 0).astype(mean.dtype)

    def output_bias(self, mean: Any, n: int) -> Any:
        return mean

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Any, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        return part, (rng.normal(2, 1, (3, 2, 4)), rng.poisson(2.0, (2, 4)).astype(float))


LIKELIHOODS = {
    "negative binomial": lambda: nv.NegativeBinomial(library=True),
    "Poisson": lambda: nv.Poisson(library=True),
    "discretised Gaussian": DiscretisedGaussian,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="pbmc_10k_counts.npz")
    parser.add_argument("--out", type=output(*PICTURES), default="counts.png")
    parser.add_argument("--epochs", type=int, default=300, help="at most; training stops early")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    assert nv.check_gradients(DiscretisedGaussian).ok

    x = nv.datasets.read(args.file).x
    x = x[:, x.min(0) < x.max(0)]
    print(f"{len(x)} cells, {x.shape[1]:,} genes that vary; {(x == 0).mean():.0%} of counts are 0")
    log_p = {name: held_out(make, x, args) for name, make in LIKELIHOODS.items()}
    for name, of_cells in log_p.items():
        print(f"{name:<22} {summary(of_cells)} nats per cell, median {np.median(of_cells):.0f}")
    for better, worse in pairwise(log_p):
        gain = log_p[better] - log_p[worse]
        print(
            f"{better} above {worse}: {summary(gain)} nats per cell, median {np.median(gain):.0f}; "
            f"in {np.mean(gain > 0):.0%} of the cells; {summary(np.sort(gain)[2:-2])} without the "
            "two extremes on either side"
        )
    nv.plots.save(picture(log_p), args.out)


def held_out(make: Any, x: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """log p of every cell, by models that were trained without it."""
    log_p = np.empty(len(x))
    folds = np.random.default_rng(args.seed).permutation(len(x)) % FOLDS
    for fold in range(FOLDS):
        rest = np.flatnonzero(folds != fold)
        train, valid = rest[len(rest) // 8 :], rest[: len(rest) // 8]
        model = nv.VAE(x.shape[1], 10, hidden=(128,), likelihood=make(), seed=args.seed)
        nv.fit(
            model, x[train], valid=x[valid], epochs=args.epochs, batch_size=32, seed=args.seed,
            callbacks=[nv.EarlyStopping(patience=20)],
        )  # fmt: skip
        log_p[folds == fold] = nv.log_likelihood(model, x[folds == fold], n_samples=SAMPLES)
    return log_p


def summary(values: np.ndarray) -> str:
    return f"{values.mean():.0f} ± {values.std(ddof=1) / np.sqrt(len(values)):.0f}"


def picture(log_p: dict[str, np.ndarray]) -> Figure:
    """Each cell's -log p beside that of the best likelihood, the first."""
    figure = Figure(figsize=(8, 3.6), dpi=128, layout="constrained")
    (best, of_best), *others = log_p.items()
    axes = figure.subplots(1, len(others), squeeze=False)[0]
    for ax, (name, values) in zip(axes, others, strict=True):
        ax.loglog(-of_best, -values, ".", ms=4, alpha=0.5)
        least, most = (-of_best).min(), (-of_best).max()
        ax.plot([least, most], [least, most], color="0.5", lw=1, label="equal")
        ax.set(xlabel=f"nats of a cell, {best}", ylabel=f"{name}")
        ax.set_title(f"{name}: {np.mean(values < of_best):.0%} of cells cost more", fontsize=9)
        ax.legend(frameon=False, fontsize=8)
        for axis, digits in ((ax.xaxis, (1, 2, 5)), (ax.yaxis, (1,))):
            axis.set_major_locator(LogLocator(subs=digits))
            axis.set_major_formatter("{x:,.0f}")
            axis.set_minor_formatter(NullFormatter())
    return figure


if __name__ == "__main__":
    main()
