"""Thickness and slant of digits, measured from their pixels, as directions of latent space.

    python examples/strokes.py FOLDER [--out strokes-run] [--epochs 4]

FOLDER holds the four IDX files of MNIST, gzipped or not. A convolutional VAE learns the digits
without a label. Then, for both measures, digits above the median of their class are compared with
the others of it: the mean difference of their codes is the direction (`nv.attribute_vector`). Codes
of test digits are moved along it, decoded, and measured again. Prints what that changed, and draws
it.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

IMAGE = (28, 28)
STRENGTHS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--out", default="strokes-run", help="where the picture and the model go")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, y = nv.datasets.load(args.folder, "train")
    x_test, y_test = nv.datasets.load(args.folder, "test")
    model = nv.ConvVAE(IMAGE, 20, channels=(32, 64), seed=args.seed)
    nv.fit(
        model, x, epochs=args.epochs, batch_size=128, lr=nv.Cosine(2e-3, 2e-5, args.epochs),
        seed=args.seed, threads=args.threads, progress=True,
    )  # fmt: skip
    print(f"test -ELBO {-model.elbo(x_test).mean():.2f} nats")

    some, digit = x[:10_000], y[:10_000]
    vectors = {
        measure.__name__: nv.attribute_vector(
            model, some, above_median(measure(some / 255), digit), within=digit
        )
        for measure in (thickness, slant)
    }
    z, classes = model.encode(x_test[:1000])[0], y_test[:1000]
    for name, vector in vectors.items():
        for strength in STRENGTHS:
            moved = model.decode(z + np.float32(strength) * vector)
            kept = (digit[nearest(moved, some / np.float32(255))] == classes).mean()
            print(
                f"{strength:+.0f} x {name:9}: thickness {thickness(moved).mean():.2f} pixels, "
                f"slant {slant(moved).mean():+5.1f} degrees; {kept:.0%} lie nearest to their class"
            )

    rows = [np.flatnonzero(y_test == label)[3] for label in range(10)]
    parts = [x_test[rows][:, None] / 255]
    for vector in vectors.values():
        moved = model.encode(x_test[rows])[0][:, None] + STRENGTHS[:, None] * vector
        parts.append(model.decode(moved.reshape(-1, 20)).reshape(10, -1, 784))
    shown = np.concatenate(parts, axis=1)
    title = "Test digits; less and more thickness; less and more slant"
    figure = nv.plots.image_grid(shown.reshape(-1, 784), IMAGE, columns=11, title=title)
    nv.plots.save(figure, out / "strokes.png")
    nv.save(model, out / "model.npz")
    print(f"the picture and the model are in {out}")


def thickness(x: np.ndarray) -> np.ndarray:
    """The mean width of the strokes of images (N, 784) in [0, 1], in pixels, (N,).

    A stroke of length l and width w has an area of l w and an outline of 2 l. The outline is the
    image's total variation, whatever its shades.
    """
    images = np.pad(x.reshape(-1, *IMAGE), ((0, 0), (1, 1), (1, 1)))
    down = images[:, 1:, :-1] - images[:, :-1, :-1]
    across = images[:, :-1, 1:] - images[:, :-1, :-1]
    return 2 * images.sum((1, 2)) / np.hypot(down, across).sum((1, 2))


def slant(x: np.ndarray) -> np.ndarray:
    """By how many degrees from upright the ink of images (N, 784) leans to the right, (N,).

    It is the shear that makes columns and rows of the ink uncorrelated.
    """
    ink = x / x.sum(1, keepdims=True)
    down, across = np.mgrid[: IMAGE[0], : IMAGE[1]].reshape(2, 1, -1)
    from_top = down - (ink * down).sum(1, keepdims=True)
    from_left = across - (ink * across).sum(1, keepdims=True)
    shear = (ink * from_top * from_left).sum(1) / (ink * from_top**2).sum(1)
    return np.degrees(np.arctan(-shear))


def above_median(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Whether each value is above the median of its group, (N,)."""
    above = np.zeros(len(values), bool)
    for one in np.unique(group):
        members = group == one
        above[members] = values[members] > np.median(values[members])
    return above


def nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row of a (N, D) the number of the nearest row of b (M, D), (N,)."""
    return np.argmin(np.square(b).sum(1) - 2 * (a @ b.T), axis=1)


if __name__ == "__main__":
    main()
