"""Conditional digits: a class is asked for, and a digit's style is kept while its class changes.

    python examples/analogies.py FOLDER [--out analogies-run] [--epochs 6]

FOLDER holds the four IDX files of MNIST, gzipped or not. The model is told the class, so z holds
what is left of an image: slant, thickness, width. Prints the test bound and how many generated
digits their nearest training image gives the class that was asked for, and draws analogies: on the
left test digits, then each one's z decoded as 0 to 9. After Kingma, Mohamed, Rezende & Welling
2014, figure 1, and Sohn, Lee & Yan 2015.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

IMAGE = (28, 28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--out", default="analogies-run", help="where pictures and the model go")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, y = nv.datasets.load(args.folder, "train")
    x_test, y_test = nv.datasets.load(args.folder, "test")
    model = nv.VAE(784, 5, hidden=(500, 500), condition=nv.Labels(10), seed=args.seed)
    nv.fit(
        model, x, context=y, valid=(x_test, y_test), epochs=args.epochs, batch_size=128,
        lr=nv.Cosine(1e-3, 1e-5, epochs=args.epochs), seed=args.seed, progress=True,
    )  # fmt: skip
    bound = model.elbo(x_test, context=y_test)
    print(f"test -ELBO {-bound.mean():.2f} nats, given the class")

    asked = np.repeat(np.arange(10), 100)
    right = y[nearest(model.sample(1000, seed=1, context=asked), x / np.float32(255))] == asked
    print(f"{right.mean():.1%} of 1,000 generated digits lie nearest to one of their class")

    rows = np.array([np.flatnonzero(y_test == digit)[3] for digit in range(10)])
    z = model.centres(x_test[rows], y_test[rows])[0]
    decoded = model.decode(np.repeat(z, 10, axis=0), np.tile(np.arange(10), len(rows)))
    shown = np.concatenate([x_test[rows][:, None] / 255, decoded.reshape(-1, 10, 784)], axis=1)
    title = "A test digit, and its style as 0 to 9"
    figure = nv.plots.image_grid(shown.reshape(-1, 784), IMAGE, columns=11, title=title)
    nv.plots.save(figure, out / "analogies.png")
    nv.save(model, out / "model.npz")
    print(f"the picture and the model are in {out}")


def nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row of a (N, D) the number of the nearest row of b (M, D), (N,)."""
    squares = np.square(b).sum(1)
    return np.argmin(squares - 2 * (a @ b.T), axis=1)


if __name__ == "__main__":
    main()
