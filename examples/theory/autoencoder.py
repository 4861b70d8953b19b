"""An autoencoder beside a VAE: their codes, their samples, and walks between two digits.

    python examples/theory/autoencoder.py [--out FOLDER] [--quick]

Both have the same networks and see the same embedded digits. The autoencoder's loss is the VAE's
without noise and without the KL: nothing says where codes lie, and what a draw of the prior decodes
to is nobody's concern. Codes have eight numbers; the picture shows the plane of most variance.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, run, strip

import npvae as nv

HELD_OUT, Z, SAMPLES, STEPS = 397, 8, 20, 10
LIKELIHOOD = "gaussian:scale=0.2"
WITHIN = 15.507
"""‖z‖² of 95 % of the draws of N(0, I) in eight dimensions; in any plane it is -2 log 0.05."""
RADIUS = np.sqrt(-2 * np.log(0.05))


def measure(quick: bool = False) -> dict:
    x, y = nv.datasets.digits()
    train, test = x[HELD_OUT:], x[:HELD_OUT]
    found: dict = {"labels": y[:HELD_OUT]}
    pairs = [np.flatnonzero(y[:HELD_OUT] == digit)[0] for digit in (0, 7)]
    for name, family in (("autoencoder", nv.Autoencoder), ("VAE", nv.VAE)):
        model = family(64, Z, hidden=(128,), likelihood=LIKELIHOOD, seed=0)
        nv.fit(model, train, epochs=5 if quick else 80, lr=2e-3, progress=False)
        drawn = model.sample(500, seed=3)
        found[name] = {
            "codes": model.centres(test)[0], "samples": drawn[:SAMPLES],
            "walk": nv.interpolate(model, *test[pairs], steps=STEPS),
            "error": float(((test - model.reconstruct(test)) ** 2).sum(1).mean()),
            "nearest": nearest(drawn, train),
        }  # fmt: skip
    found["nearest"] = nearest(test, train)
    return found


def nearest(rows: np.ndarray, train: np.ndarray) -> float:
    """The mean squared distance of rows to the digit of training that is nearest."""
    squares = (rows**2).sum(1)[:, None] + (train**2).sum(1) - 2 * rows @ train.T
    return float(squares.min(1).mean())


def most_varied(codes: np.ndarray) -> np.ndarray:
    """The coordinates (N, 2) of codes in the plane through 0 along their first principal axes."""
    return codes @ np.linalg.svd(codes - codes.mean(0), full_matrices=False)[2][:2].T


def table(found: dict) -> str:
    rows = []
    for name in ("autoencoder", "VAE"):
        f = found[name]
        spread = " × ".join(f"{s:.1f}" for s in f["codes"].std(0))
        inside = np.mean((f["codes"] ** 2).sum(1) < WITHIN)
        rows.append((name, f"{f['error']:.2f}", spread, f"{inside:.0%}", f"{f['nearest']:.2f}"))
    head = (
        "",
        "squared error",
        "spread of codes",
        "among 95 % of the prior",
        "sample to nearest digit",
    )
    return (
        grid(head, rows)
        + f"\n(a held-out digit to the nearest of training: {found['nearest']:.2f})"
    )


def picture(found: dict) -> Figure:
    figure = nv.plots.new_figure(7.6, 4.9)
    figure.suptitle("The same networks as an autoencoder and as a VAE", x=0.01, ha="left",
                    fontsize=10.5, fontweight="bold")  # fmt: skip
    axes = figure.subplots(3, 2, height_ratios=[5, 1.7, 0.95])
    angle = np.linspace(0, 2 * np.pi, 100)
    for (codes, samples, walk), name in zip(axes.T, ("autoencoder", "VAE"), strict=True):
        f = found[name]
        flat = most_varied(f["codes"])
        for digit in range(10):
            here = found["labels"] == digit
            codes.plot(*flat[here].T, ".", color=nv.plots.PALETTE[digit], ms=4, mew=0, label=digit)
        codes.plot(
            RADIUS * np.cos(angle), RADIUS * np.sin(angle), color=nv.plots.INK, lw=0.8, ls=":"
        )
        codes.set(
            xlabel="first principal axis", ylabel="second", aspect="equal", adjustable="datalim"
        )
        codes.set_title(f"{name}: codes of held-out digits, error {f['error']:.2f}\n"
                        "dotted: 95 % of the prior's draws")  # fmt: skip
        strip(samples, f["samples"], rows=2)
        samples.set_title("decoded draws of the prior")
        strip(walk, f["walk"])
        walk.set_title("decoded walk from a 0 to a 7")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", markerscale=2, handlelength=0.7)
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"autoencoder": picture})
