"""Faces by a convolutional VAE: people it has not seen, samples, walks, glasses on and off.

    python examples/faces.py orl_faces.npz [--out faces-run]

The file holds X, 400 pictures of 112 x 92 bytes, and y, which of 40 people each shows (ORL, AT&T
Laboratories Cambridge). From each a square is cut in which the face lies where the others' lie, and
made 64 x 64. Two models are trained:

* one without every eighth person, 80 epochs with a learnt scale of the noise, each picture shifted
  by up to two pixels at each visit: its bound on those people is printed;
* one for pictures of people seen, of everybody, for longer, with so small a noise that it has to
  draw what is fine, too.

Writes reconstructions of both, samples from a mixture that was fitted to the codes, walks between
people, what single latents do, and glasses added and taken away.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

SHAPE = (64, 64)
GLASSES = {
    2: range(10), 4: (0, 1, 2, 7, 8), 6: range(10), 7: (3, 4, 9), 13: (0, 1, 4, 5, 6, 7, 8, 9),
    14: range(10), 17: (0, 1, 4, 5, 6, 7, 8, 9), 19: (0, 1, 2, 5, 9),
    20: (0, 1, 2, 4, 6, 7, 8, 9), 27: range(10), 28: range(10), 31: range(10), 34: range(10),
    36: (8, 9), 37: range(10),
}  # fmt: skip
"""Which of each person's ten pictures have glasses, by eye; the others have none."""
PAIRS = [(4, 4), (17, 20), (19, 27), (11, 2), (12, 14), (10, 28), (3, 31)]
"""Who is given glasses, and who loses them: by eye. Of some others less is seen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="orl_faces.npz")
    parser.add_argument("--out", default="faces-run", help="where pictures and models go")
    parser.add_argument("--epochs", type=int, default=300, help="of the model of everybody")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    out = writable_folder(args.out)

    data = nv.datasets.read(args.file)
    images = data.x.reshape(-1, *data.image_shape) / np.float32(255)
    person, glasses = data.y, wears_glasses(data.y)
    unseen = person % 8 == 0
    x = faces(images, windows(images, ~unseen), SHAPE[0])

    def picture(name: str, figure: object) -> None:
        nv.plots.save(figure, out / f"{name}.png")

    judged = held_out_model(x, unseen, args.seed, args.threads)
    bound = judged.elbo(x[unseen], n_samples=10)
    error = bound.std(ddof=1) / np.sqrt(len(bound))
    print(
        f"ELBO {bound.mean():.0f} ± {error:.0f} nats per picture of the {len(set(person[unseen]))} "
        f"people held out; {judged.n_params:,} parameters"
    )
    some = np.flatnonzero(unseen)[::5]
    picture("held-out", nv.plots.reconstructions(x[some], judged.reconstruct(x[some]), SHAPE))
    nv.save(judged, out / "held-out.npz")

    model = everybodys_model(x, args.epochs, args.seed, args.threads)
    nv.save(model, out / "model.npz")
    off = np.sqrt(np.mean((model.reconstruct(x) - x) ** 2))
    print(
        f"everybody: reconstructions are {off:.3f} off, of grey values in [0, 1]; "
        f"{model.n_params:,} parameters"
    )
    some = np.arange(7, len(x), 40)
    picture("seen", nv.plots.reconstructions(x[some], model.reconstruct(x[some]), SHAPE))
    # As many as there are people and their mirror images.
    with_prior = nv.fit_prior(model, np.vstack([x, mirrored(x)]), n_components=80)
    for name, source in (("samples-standard", model), ("samples", with_prior)):
        picture(name, nv.plots.image_grid(source.sample(32, seed=1), SHAPE, 8))

    first = [np.flatnonzero(person == p)[0] for p in (1, 5, 12, 21, 25, 33)]
    walks = nv.interpolate(model, x[first[:3]], x[first[3:]], steps=8)
    picture("walk", nv.plots.image_grid(walks.reshape(-1, x.shape[1]), SHAPE, 8, title=""))
    codes = model.encode(x)[0]
    active = np.argsort(-codes.var(0))[:5].tolist()
    values = np.linspace(-2.5, 2.5, 9)
    changed = nv.traverse(model, codes.mean(0), active, values)
    picture("latents", nv.plots.traversal(changed, SHAPE, active, values))
    picture("glasses", with_glasses(model, x, person, glasses))
    print(f"pictures and models are in {out}")


def held_out_model(x: np.ndarray, unseen: np.ndarray, seed: int, threads: int | None) -> nv.Model:
    """Trained without these people, and chosen by its bound on them."""
    epochs = 80
    model = nv.ConvVAE(
        SHAPE, 32, channels=(16, 32, 64, 128), likelihood="gaussian_learnt_scale",
        standardise=True, seed=seed,
    )  # fmt: skip
    flip, shift = nv.Flip(SHAPE), nv.Shift(SHAPE, most=2)
    # Without it the first epochs stay at the mean face.
    warm_up = nv.ELBO(beta=nv.Linear(0.0, 1.0, epochs=epochs / 4))
    nv.fit(
        model, x[~unseen], objective=warm_up, valid=x[unseen], epochs=epochs, batch_size=16,
        lr=nv.Cosine(2e-3, 2e-5, epochs), seed=seed, threads=threads, progress=True,
        batch_transform=lambda rows, rng: shift(flip(rows, rng), rng),
    )  # fmt: skip
    return model


def everybodys_model(x: np.ndarray, epochs: int, seed: int, threads: int | None) -> nv.Model:
    """Of all pictures, with a noise of a fifth of each pixel's standard deviation.

    Shifted by a pixel or not and mirrored or not, each is one of 18, so that what lies between the
    pictures is a face as well.
    """
    model = nv.ConvVAE(
        SHAPE, 64, channels=(16, 32, 64), likelihood=nv.Gaussian(scale=0.2), standardise=True,
        seed=seed,
    )  # fmt: skip
    flip, shift = nv.Flip(SHAPE), nv.Shift(SHAPE, most=1)
    nv.fit(
        model, x, epochs=epochs, batch_size=16, lr=nv.Cosine(2e-3, 2e-5, epochs), seed=seed,
        threads=threads, progress=True,
        batch_transform=lambda rows, rng: shift(flip(rows, rng), rng),
    )  # fmt: skip
    return model


def windows(images: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Top, left and side of the square of each picture whose face lies as the others' do, (N, 3).

    By congealing (Learned-Miller 2006): of all squares of five sizes the one is taken that is most
    like the mean face, which is then that of the squares taken, and so on. Those of the middle are
    preferred, and the mean is of the pictures that are `seen`. The eyes decide most, since what is
    compared are lines, not areas: pictures less what is smooth in them.
    """
    side = 20
    lines = images - smooth(images, 15)
    lines /= np.sqrt(np.square(lines).mean((1, 2), keepdims=True))
    crops, found = [], []
    for size in range(76, 93, 4):
        tops, lefts = (range(0, n - size + 1, 2) for n in images.shape[1:])
        down, across = (
            np.concatenate([overlaps(n, start, size, side) for start in starts])
            for n, starts in zip(images.shape[1:], (tops, lefts), strict=True)
        )
        cut = (down @ lines @ across.T).reshape(-1, len(tops), side, len(lefts), side)
        crops.append(cut.swapaxes(2, 3).reshape(len(images), -1, side * side))
        found += [(top, left, size) for top in tops for left in lefts]
    squares = np.array(found)
    off = (squares[:, :2] + squares[:, 2:] / 2 - np.array(images.shape[1:]) / 2) / 10
    cost = 0.3 * (np.square(off).sum(1) + np.square((squares[:, 2] - 84) / 8))
    radius = np.linspace(-1, 1, side)
    inner = np.exp(-(((radius[:, None] / 0.8) ** 2 + (radius / 0.72) ** 2) ** 2))
    taken = np.full(len(images), cost.argmin())
    for _ in range(8):
        mean = faces(lines[seen], squares[taken[seen]], side).mean(0).reshape(side, side)
        mean = ((mean + mean[:, ::-1]) * inner).ravel()
        mean /= np.linalg.norm(mean)
        taken = (np.concatenate([crop @ mean for crop in crops], axis=1) - cost).argmax(1)
    return squares[taken]


def smooth(images: np.ndarray, width: int) -> np.ndarray:
    """Means over squares of so many pixels, odd, taken twice; edges are repeated."""
    for axis in (1, 2, 1, 2):
        ends = [(0, 0)] * 3
        ends[axis] = (width // 2, width // 2)
        parts = np.lib.stride_tricks.sliding_window_view(np.pad(images, ends, "edge"), width, axis)
        images = parts.mean(-1)
    return images


def faces(images: np.ndarray, squares: np.ndarray, side: int) -> np.ndarray:
    """Rows (N, side²): of each picture its square, averaged down."""
    rows = []
    for image, (top, left, size) in zip(images, squares, strict=True):
        down = overlaps(image.shape[0], top, size, side)
        across = overlaps(image.shape[1], left, size, side)
        rows.append((down @ image @ across.T).ravel())
    return np.array(rows)


def overlaps(n: int, start: int, size: int, m: int) -> np.ndarray:
    """Of m equal parts of the pixels from start to start + size: the shares of all n, (m, n)."""
    edges = start + np.arange(m + 1) * size / m
    low = np.maximum(edges[:-1, None], np.arange(n))
    high = np.minimum(edges[1:, None], np.arange(n) + 1)
    return (np.maximum(high - low, 0) * m / size).astype(np.float32)


def mirrored(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, *SHAPE)[:, :, ::-1].reshape(x.shape)


def wears_glasses(person: np.ndarray) -> np.ndarray:
    """Whether each picture has glasses; those of one person stand together."""
    has = np.zeros(len(person), bool)
    for who, which in GLASSES.items():
        has[np.flatnonzero(person == who)[list(which)]] = True
    return has


def with_glasses(model: nv.Model, x: np.ndarray, person: np.ndarray, has: np.ndarray) -> object:
    """Rows: a face and more and more of glasses, then one with them that loses them.

    The vector is made within people of whom there are pictures of both kinds, so that it is of
    glasses and not of who wears them, and from mirrored faces too, so that it has no side. Who gets
    glasses in a row is left out of it; in the first three that person has been seen with glasses.
    """
    both, worn, whose = np.vstack([x, mirrored(x)]), np.tile(has, 2), np.tile(person, 2)
    strengths = np.linspace(0, 2, 5)[:, None]
    rows = []
    for bare, wearing in PAIRS:
        others = whose != bare
        vector = nv.attribute_vector(model, both[others], worn[others], within=whose[others])
        added = np.flatnonzero((person == bare) & ~has)[0]
        taken = np.flatnonzero((person == wearing) & has)[0]
        for row, sign in ((added, 1), (taken, -1)):
            z = model.encode(x[[row]])[0] + sign * strengths * vector
            rows += [x[[row]], model.decode(z)]
    return nv.plots.image_grid(np.vstack(rows), SHAPE, 12, title="")


if __name__ == "__main__":
    main()
