"""What beta does: the same VAE on MNIST at beta = 0, 1 and 4, in one picture.

    python examples/beta.py FOLDER [--out beta.png] [--epochs 5]

At 0 nothing presses the posterior towards the prior: the KL is large, reconstructions are sharp,
and samples from the prior fall where the decoder was never trained. At 4 the KL is small, samples
look like digits, and reconstructions are blurred.
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib.figure import Figure

import npvae as nv
from npvae.cli.arguments import PICTURES, output

SIDE = 28


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--out", type=output(*PICTURES), default="beta.png")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()

    x, _ = nv.datasets.load(args.folder, "train")
    x_test, _ = nv.datasets.load(args.folder, "test")
    shown = x_test[:8]
    rows = []
    for beta in (0, 1, 4):
        model = nv.VAE(784, 20)
        nv.fit(model, x, objective=nv.ELBO(beta=beta), epochs=args.epochs, progress=True)
        log_px, kl = model.elbo_terms(x_test)
        title = f"β = {beta}:  rec {-log_px.mean():.0f} nats,  KL {kl.mean():.0f} nats"
        rows.append((title, model.reconstruct(shown), model.sample(8, seed=3)))
        print(title)
    nv.plots.save(picture(shown / 255, rows), args.out)


def picture(inputs: np.ndarray, rows: list[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Inputs on top, then a row per beta: reconstructions on the left, samples on the right."""
    figure = Figure(figsize=(9, 3.9), dpi=128, layout="constrained")
    axes = figure.subplots(len(rows) + 1, 2)
    draw(axes[0, 0], inputs, "inputs")
    axes[0, 1].set_axis_off()
    for (left, right), (title, reconstructions, samples) in zip(axes[1:], rows, strict=True):
        draw(left, reconstructions, f"{title}\nreconstructions")
        draw(right, samples, "samples from the prior")
    return figure


def draw(axes, images: np.ndarray, title: str) -> None:
    strip = np.hstack([image.reshape(SIDE, SIDE) for image in images])
    axes.imshow(strip, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=8, loc="left")
    axes.set_axis_off()


if __name__ == "__main__":
    main()
