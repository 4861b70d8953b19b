"""Rate against distortion: what β buys, on the embedded digits.

    python examples/theory/rate_distortion.py [--out FOLDER] [--quick]

The rate is the mean KL, nats that z tells of x; the distortion is the mean of -log p(x given z).
The ELBO is minus their sum, and a line of slope -β touches the curve where rec + β KL is least.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run

import npvae as nv

HELD_OUT = 397
BETAS = (0, 0.1, 0.25, 0.5, 1, 2, 4, 10)
PLACES = {0: (-18, 7), 1: (-32, -8)}
"""Where a β is written beside its point, if not to the right."""


def measure(quick: bool = False) -> dict:
    x, _ = nv.datasets.digits()
    train, test = x[HELD_OUT:], x[:HELD_OUT]
    found: dict = {"train": [], "test": []}
    for beta in BETAS:
        model = nv.VAE(64, 8, hidden=(128,), likelihood="gaussian:scale=0.2", seed=0)
        epochs = 20 if quick else 100
        nv.fit(model, train, objective=nv.ELBO(beta), epochs=epochs, lr=2e-3, progress=False)
        for name, rows in (("train", train), ("test", test)):
            found[name].append(nv.rate_distortion(model, rows, n_samples=10))
    return {name: np.array(points) for name, points in found.items()}


def table(found: dict) -> str:
    rows = [
        (f"{beta:g}", *(f"{nats:.2f}" for r, d in points for nats in (r, d, r + d)))
        for beta, *points in zip(BETAS, found["train"], found["test"], strict=True)
    ]
    return grid(("β", "rate", "distortion", "-ELBO", "held-out rate", "distortion", "-ELBO"), rows)


def picture(found: dict) -> Figure:
    figure, (left, right) = panels(2, "Rate and distortion over β")
    rate, distortion = found["test"].T
    left.plot(rate, distortion, "o-", color=nv.plots.BLUE, ms=4, lw=1.2)
    for beta, r, d in zip(BETAS, rate, distortion, strict=True):
        name, at = (
            (f"{beta:g}", (-2, 7)) if 0 < beta < 1 else (f"β = {beta:g}", PLACES.get(beta, (6, 3)))
        )
        left.annotate(name, (r, d), at, textcoords="offset points", fontsize=7.5)
    one = BETAS.index(1)
    r = np.array([0, rate[one] + distortion[one] - distortion.min()])
    left.plot(r, rate[one] + distortion[one] - r, color=nv.plots.ORANGE, lw=1, ls="--",
              label="the same ELBO as at β = 1")  # fmt: skip
    left.set(
        xlabel="rate: KL, nats",
        ylabel="distortion: -log p(x given z), nats",
        title="held-out digits",
    )
    left.margins(y=0.1)
    left.legend()
    for values, name, colour in (
        (rate, "rate", nv.plots.BLUE),
        (rate + distortion, "-ELBO", nv.plots.INK),
    ):
        right.plot(range(len(BETAS)), values, "o-", ms=4, lw=1.2, color=colour, label=name)
    right.plot(
        range(len(BETAS)), distortion, "o-", ms=4, lw=1.2, color=nv.plots.ORANGE, label="distortion"
    )
    right.set(xlabel="β", ylabel="nats per digit", title="the two terms and their sum")
    right.set_xticks(range(len(BETAS)), [f"{beta:g}" for beta in BETAS])
    right.legend()
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"rate_distortion": picture})
