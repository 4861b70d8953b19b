"""Amortised against per-example inference: what the encoder loses, and what more costs.

    python examples/theory/inference.py [--out FOLDER] [--quick]

The encoder gives every digit its q at once. `nv.refine` improves the mean and the log-variance of
each digit's own q by gradient steps on its ELBO, from the encoder's or from the prior's. Quality is
the mean ELBO of held-out digits, with the same noise for all; log p(x) is what no q can pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run

import npvae as nv

HELD_OUT = 100
STEPS = (1, 3, 10, 30, 100, 200)
STARTS = {"from the encoder": True, "from the prior": False}
COLOURS = (nv.plots.BLUE, nv.plots.ORANGE)


def elbo(model: nv.VAE, x: np.ndarray, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """The ELBO of each row under its own q = N(mu, exp(logvar)), (N,), by 200 draws."""
    eps = np.random.default_rng(7).normal(size=(200, *mu.shape))
    z = mu + np.exp(logvar / 2) * eps
    log_px = np.mean([model.likelihood.log_prob(model.theta(some, None), x) for some in z], axis=0)
    return log_px - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function gives, and the least seconds of three calls."""
    seconds = []
    for _ in range(3):
        start = perf_counter()
        result = function()
        seconds.append(perf_counter() - start)
    return result, min(seconds)


def measure(quick: bool = False) -> dict:
    x, _ = nv.datasets.digits()
    train, test = x[HELD_OUT:], x[:HELD_OUT]
    model = nv.VAE(64, 8, hidden=(128,), likelihood="gaussian:scale=0.2", seed=0)
    nv.fit(model, train, epochs=10 if quick else 100, lr=2e-3, progress=False)
    steps = STEPS[:4] if quick else STEPS
    encoded, seconds = timed(lambda: model.encode(test))
    alone = elbo(model, test, *encoded)
    found: dict = {"encoder": (seconds, alone.mean()), "steps": steps}
    for name, from_encoder in STARTS.items():
        found[name] = []
        for n in steps:
            refine = partial(nv.refine, model, test, steps=n, from_encoder=from_encoder)
            refined, seconds = timed(refine)
            best = elbo(model, test, *refined)
            found[name].append((seconds, best.mean()))
    log_p = nv.log_likelihood(model, test, n_samples=200 if quick else 2000, proposal="refined")
    return found | {"log_p": log_p.mean(), "gaps": (log_p - alone, log_p - best)}


def table(found: dict) -> str:
    ms = 1000 / HELD_OUT
    seconds, bound = found["encoder"]
    rows = [
        ("the encoder", "", f"{seconds * ms:.4f}", f"{bound:.3f}", f"{found['log_p'] - bound:.3f}")
    ]
    rows += [
        (name, n, f"{seconds * ms:.3f}", f"{bound:.3f}", f"{found['log_p'] - bound:.3f}")
        for name in STARTS for n, (seconds, bound) in zip(found["steps"], found[name], strict=True)
    ]  # fmt: skip
    head = ("q of each digit", "steps", "ms per digit", "ELBO, nats", "log p(x) - ELBO")
    return grid(head, rows) + f"\nlog p(x), importance-sampled: {found['log_p']:.3f} nats"


def picture(found: dict) -> Figure:
    figure, (left, right) = panels(2, "What q is short of: amortised against per-example inference")
    ms, log_p = 1000 / HELD_OUT, found["log_p"]
    seconds, bound = found["encoder"]
    left.loglog(seconds * ms, log_p - bound, "*", color=nv.plots.INK, ms=9)
    left.text(seconds * ms * 1.5, log_p - bound, "the encoder alone", va="center", fontsize=8)
    for name, colour in zip(STARTS, COLOURS, strict=True):
        times, bounds = np.array(found[name]).T
        left.loglog(times * ms, log_p - bounds, "o-", color=colour, ms=4, lw=1.2)
        at = times[1] * ms, (log_p - bounds[1]) * 0.75
        left.text(*at, f"refined {name}", color=colour, ha="right", va="top", fontsize=8)
    left.set(
        xlabel="milliseconds per digit",
        ylabel="log p(x) - ELBO, nats",
        title=f"mean of held-out digits, after {', '.join(map(str, found['steps']))} steps",
    )
    left.grid()
    alone, refined = found["gaps"]
    order = np.argsort(alone)
    right.plot(alone[order], "o", color=nv.plots.INK, ms=3, mew=0, label="the encoder")
    right.plot(refined[order], "o", color=nv.plots.BLUE, ms=3, mew=0, label="refined")
    right.set(
        xlabel="digits, in order of the encoder's gap",
        ylabel="log p(x) - ELBO, nats",
        title="digit by digit",
    )
    right.legend()
    right.grid(axis="y")
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"inference": picture})
