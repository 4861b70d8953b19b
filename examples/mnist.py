"""The classic program: a 784-400-20 VAE on MNIST, ten epochs of Adam at 1e-3 in batches of 128.

    python examples/mnist.py FOLDER [--seed 0] [--out mnist-run] [--epochs 10]

FOLDER holds the four IDX files of MNIST, gzipped or not. Prints the test -ELBO (about 105.5 nats
after ten epochs) and writes samples every two epochs, the latent space, and a walk between two
digits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

IMAGE = (28, 28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--out", default="mnist-run", help="where pictures and the model go")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, _ = nv.datasets.load(args.folder, "train")
    x_test, y_test = nv.datasets.load(args.folder, "test")
    # First of all a picture: where matplotlib is missing, better now than after two epochs.
    nv.plots.save(nv.plots.image_grid(x[:64] / 255, IMAGE, title="Data"), out / "data.png")
    model = nv.VAE(x_dim=784, z_dim=20, hidden=(400,), seed=args.seed)

    def draw_samples(model: nv.VAE, record: dict) -> None:
        if record["epoch"] % 2 == 0:
            figure = nv.plots.image_grid(model.sample(64, seed=1), IMAGE)
            nv.plots.save(figure, out / f"samples-{record['epoch']:02d}.png")

    history = nv.fit(
        model,
        x,
        objective=nv.ELBO(),
        epochs=args.epochs,
        batch_size=128,
        lr=1e-3,
        valid=x_test,
        seed=args.seed,
        threads=args.threads,
        progress=True,
        callbacks=[draw_samples],
    )

    log_px, kl = model.elbo_terms(x_test)
    print(
        f"test -ELBO {np.mean(kl - log_px):.2f} nats (rec {-log_px.mean():.2f}, KL {kl.mean():.2f})"
    )

    draw(model, history, x_test, y_test, out)
    nv.save(model, out / "model.npz")
    print(f"pictures and model.npz are in {out}")


def draw(model: nv.VAE, history: nv.History, x: np.ndarray, y: np.ndarray, out: Path) -> None:
    """The losses, the latent space, a walk from a 7 to a 0, and reconstructions."""
    mu, _ = model.encode(x)
    first, second = (np.flatnonzero(y == digit)[0] for digit in (7, 0))
    steps = np.linspace(0, 1, 11)[:, None]
    walk = model.decode((1 - steps) * mu[first] + steps * mu[second])
    nv.plots.save(nv.plots.loss_curves(history.records), out / "loss.png")
    nv.plots.save(nv.plots.latent(mu, y), out / "latent.png")
    nv.plots.save(nv.plots.interpolation(walk[None], IMAGE), out / "interpolation.png")
    nv.plots.save(
        nv.plots.reconstructions(x[:10] / 255, model.reconstruct(x[:10]), IMAGE),
        out / "reconstructions.png",
    )


if __name__ == "__main__":
    main()
