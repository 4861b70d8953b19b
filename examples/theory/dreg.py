"""The encoder's signal-to-noise ratio: it falls with K for IWAE, and rises for DReG.

    python examples/theory/dreg.py [--out FOLDER] [--quick]

On a linear-Gaussian VAE whose encoder is a little off, the gradient of one row's bound by the
encoder's bias is drawn many times. The bound of K samples hardly depends on q where K is large, so
that the signal falls as 1/K; IWAE's noise falls as 1/√K only, DReG's as K^-3/2. Both have the same
mean: DReG's, which is surer, is taken as the signal of both.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run, slope

import npvae as nv

KS = (1, 3, 10, 30, 100, 300, 1000)
OBJECTIVES = {"IWAE": nv.IWAE, "DReG": nv.DReG}
COLOURS = {"IWAE": nv.plots.ORANGE, "DReG": nv.plots.BLUE}
X_DIM, Z_DIM = 6, 2


def build() -> tuple[nv.VAE, np.ndarray]:
    """A linear model in which q is off the posterior, and a row of its data."""
    rng = np.random.default_rng(3)
    model = nv.VAE(X_DIM, Z_DIM, hidden=(), likelihood=nv.Gaussian(1.0), dtype="float64")
    W = model.params["decoder.layers.0.W"]
    W[...] = np.linalg.qr(rng.normal(size=W.shape))[0] * [1.5, 1.0]  # a diagonal posterior
    precision = np.eye(Z_DIM) + W.T @ W
    to_mean = np.linalg.solve(precision, W.T)
    model.params["encoder.layers.0.W"][:Z_DIM] = to_mean + rng.normal(0, 0.15, to_mean.shape)
    model.params["encoder.layers.0.W"][Z_DIM:] = 0
    model.params["encoder.layers.0.b"][Z_DIM:] = 0.4 - np.log(np.diag(precision))
    return model, rng.normal(size=(1, X_DIM))


def gradients(model: nv.VAE, objective, x: np.ndarray, n: int, rng) -> np.ndarray:
    """n draws of the gradient by the encoder's bias, (n, 2Z)."""
    return np.array([
        nv.value_and_grad(model, objective, x, model.draw_noise(1, objective.n_samples, rng))[1]
        ["encoder.layers.0.b"]
        for _ in range(n)
    ])  # fmt: skip


def measure(quick: bool = False) -> dict:
    model, x = build()
    rng, n = np.random.default_rng(0), 200 if quick else 1000
    found: dict = {name: [] for name in OBJECTIVES}
    for name, objective in OBJECTIVES.items():
        for k in KS:
            d = gradients(model, objective(k), x, n, rng)
            found[name].append((d.mean(0), d.std(0, ddof=1)))
    return {"n": n} | {name: np.array(draws) for name, draws in found.items()}


def ratio(found: dict, name: str) -> np.ndarray:
    """|mean| / deviation of each entry, and the mean over the entries, for every K."""
    return (np.abs(found["DReG"][:, 0]) / found[name][:, 1]).mean(1)


def table(found: dict) -> str:
    rows = []
    for i, k in enumerate(KS):
        (a, b), (c, d) = found["IWAE"][i], found["DReG"][i]
        off = np.abs(a - c) / np.sqrt((b**2 + d**2) / found["n"])
        rows.append((k, *(f"{np.linalg.norm(v):.1e}" for v in (c, b, d)), f"{off.max():.1f}",
                     *(f"{ratio(found, name)[i]:.3f}" for name in OBJECTIVES)))  # fmt: skip
    head = (
        "K",
        "signal",
        "noise, IWAE",
        "noise, DReG",
        "means apart, standard errors",
        "ratio, IWAE",
        "ratio, DReG",
    )
    tails = ", ".join(f"{n} ∝ K^{slope(KS[2:], ratio(found, n)[2:]):.2f}" for n in OBJECTIVES)
    return grid(head, rows) + f"\nsignal-to-noise from K = {KS[2]} on: {tails}"


def picture(found: dict) -> Figure:
    figure, (left, right) = panels(2, "The encoder's gradient as K grows: IWAE and DReG")
    signal = np.linalg.norm(found["DReG"][:, 0], axis=1)
    left.loglog(
        KS, signal, "o-", color=nv.plots.INK, ms=4, lw=1.2, label="signal: norm of the mean"
    )
    for name in OBJECTIVES:
        noise = np.linalg.norm(found[name][:, 1], axis=1)
        left.loglog(KS, noise, "o--", color=COLOURS[name], ms=4, lw=1.2, label=f"noise of {name}")
        right.loglog(KS, ratio(found, name), "o-", color=COLOURS[name], ms=4, lw=1.2, label=name)
    left.set(
        xlabel="samples K", ylabel="nats per unit of bias", title="mean and deviation of a draw"
    )
    right.set(
        xlabel="samples K",
        ylabel="signal / noise",
        title="signal-to-noise ratio, mean over entries",
    )
    for ax in (left, right):
        ax.legend()
        ax.grid()
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"dreg": picture})
