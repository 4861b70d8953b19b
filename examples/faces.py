"""Faces by a convolutional VAE: people it has not seen, samples, walks, glasses on and off.

    python examples/faces.py orl_faces.npz [--out faces-run] [--epochs 80]

The file holds X, 400 pictures of 112 x 92 bytes, and y, which of 40 people each shows (ORL, AT&T
Laboratories Cambridge). They are cropped and made 64 x 64. Every eighth person is held out. Each
visit of a picture shifts it by up to two pixels and mirrors half of them. Prints the bound on
people held out, and writes pictures: reconstructions of these people, samples (of the standard
normal prior, and of a mixture that was fitted to the posteriors), walks between people, what single
latents do, and glasses added and taken away.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import check_folder, make_folder

SHAPE = (64, 64)
PEOPLE = 40
GLASSES = {
    2: range(10), 4: (0, 1, 2, 7, 8), 6: range(10), 7: (3, 4, 9), 13: (0, 1, 4, 5, 6, 7, 8, 9),
    14: range(10), 17: (0, 1, 4, 5, 6, 7, 8, 9), 19: (0, 1, 2, 5, 9),
    20: (0, 1, 2, 4, 6, 7, 8, 9), 27: range(10), 28: range(10), 31: range(10), 34: range(10),
    36: (8, 9), 37: range(10),
}  # fmt: skip
"""Which of each person's ten pictures have glasses, by eye; the others have none."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="orl_faces.npz")
    parser.add_argument("--out", default="faces-run", help="where pictures and the model go")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--channels", default="16,32,64,128", help="of the convolutions")
    parser.add_argument("--z-dim", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    out = make_folder(args.out)
    check_folder(out)

    data = nv.datasets.read(args.file)
    x = faces(data.x.reshape(-1, *data.image_shape))
    person, glasses = data.y, wears_glasses(data.y)
    unseen = person % 8 == 0
    model = nv.ConvVAE(
        SHAPE,
        args.z_dim,
        channels=[int(c) for c in args.channels.split(",")],
        likelihood="gaussian_learnt_scale",
        standardise=True,
        seed=args.seed,
    )
    flip, shift = nv.Flip(SHAPE), nv.Shift(SHAPE, most=2)
    # Without it the first epochs stay at the mean face.
    warm_up = nv.ELBO(beta=nv.Linear(0.0, 1.0, epochs=args.epochs / 4))
    nv.fit(
        model, x[~unseen], objective=warm_up, valid=x[unseen], epochs=args.epochs,
        batch_size=args.batch_size, lr=nv.Cosine(2e-3, 2e-5, args.epochs), seed=args.seed,
        threads=args.threads, progress=True,
        batch_transform=lambda rows, rng: shift(flip(rows, rng), rng),
    )  # fmt: skip
    bound = model.elbo(x[unseen], n_samples=10)
    error = bound.std(ddof=1) / np.sqrt(len(bound))
    print(
        f"ELBO {bound.mean():.0f} ± {error:.0f} nats per picture of the {PEOPLE // 8} people held "
        f"out; {model.n_params:,} parameters"
    )
    nv.save(model, out / "model.npz")
    with_prior = nv.fit_prior(model, x[~unseen], n_components=30)

    def picture(name: str, figure: object) -> None:
        nv.plots.save(figure, out / f"{name}.png")

    some = np.flatnonzero(unseen)[::5]
    picture("reconstructions", nv.plots.reconstructions(x[some], model.reconstruct(x[some]), SHAPE))
    for name, source in (("samples", model), ("samples-mixture", with_prior)):
        picture(name, nv.plots.image_grid(source.sample(32, seed=1), SHAPE, 8))
    first = [np.flatnonzero(person == p)[0] for p in (1, 5, 12, 21, 25, 33)]
    walks = nv.interpolate(model, x[first[:3]], x[first[3:]], steps=8)
    picture("interpolation", nv.plots.image_grid(walks.reshape(-1, x.shape[1]), SHAPE, 8, title=""))

    active = np.argsort(-model.encode(x[~unseen])[0].var(0))[:5].tolist()
    values = np.linspace(-2.5, 2.5, 9)
    centre = model.encode(x[~unseen])[0].mean(0)
    changed = nv.traverse(model, centre, active, values)
    picture("traversal", nv.plots.traversal(changed, SHAPE, active, values))

    picture("glasses", with_glasses(model, x, person, glasses, ~unseen))
    print(f"pictures and the model are in {out}")


def faces(images: np.ndarray) -> np.ndarray:
    """Rows (N, 4096) in [0, 1]: the pictures without their first and last lines, averaged down."""
    height, width = images.shape[1:]
    above = (height - width) // 2
    square = images[:, above : above + width] / 255
    weights = overlaps(width, SHAPE[0])
    small = np.einsum("uh,nhw,vw->nuv", weights, square, weights, optimize=True)
    return small.reshape(len(images), -1).astype(np.float32)


def overlaps(n: int, m: int) -> np.ndarray:
    """Which share of each of m equal parts of n pixels each pixel is, (m, n)."""
    edges = np.arange(m + 1) * n / m
    low = np.maximum(edges[:-1, None], np.arange(n))
    high = np.minimum(edges[1:, None], np.arange(n) + 1)
    return np.maximum(high - low, 0) * m / n


def wears_glasses(person: np.ndarray) -> np.ndarray:
    """Whether each picture has glasses; those of one person stand together."""
    has = np.zeros(len(person), bool)
    for who, which in GLASSES.items():
        has[np.flatnonzero(person == who)[list(which)]] = True
    return has


def glasses_vector(
    model: nv.Model, x: np.ndarray, person: np.ndarray, has: np.ndarray
) -> np.ndarray:
    """From faces without glasses to those with them, halfway between two such vectors.

    That of all people is of who wears glasses, too; that within people with pictures of both kinds
    is of few. Mirrored faces are among them, so that the vector has no side.
    """
    mirrored = x.reshape(-1, *SHAPE)[:, :, ::-1].reshape(x.shape)
    x, person, has = np.vstack([x, mirrored]), np.tile(person, 2), np.tile(has, 2)
    both = [p for p in np.unique(person) if has[person == p].any() and not has[person == p].all()]
    within = [nv.attribute_vector(model, x[person == p], has[person == p]) for p in both]
    return (np.mean(within, axis=0) + nv.attribute_vector(model, x, has)) / 2


def with_glasses(
    model: nv.Model, x: np.ndarray, person: np.ndarray, has: np.ndarray, seen: np.ndarray
) -> object:
    """Rows: people without glasses and with more and more of them, then some who lose theirs."""
    vector = glasses_vector(model, x[seen], person[seen], has[seen])
    without = [np.flatnonzero(person == p)[0] for p in (1, 5, 33)]
    wearing = [np.flatnonzero(person == p)[0] for p in (2, 14, 27)]
    steps = np.linspace(0, 3, 6)[:, None]
    rows = []
    for row, sign in [(i, 1) for i in without] + [(i, -1) for i in wearing]:
        z = model.encode(x[[row]])[0] + sign * steps * vector
        rows.append(np.vstack([x[[row]], model.decode(z)]))
    return nv.plots.image_grid(np.vstack(rows), SHAPE, 7, title="")


if __name__ == "__main__":
    main()
