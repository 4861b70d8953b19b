"""Semi-supervised MNIST after Kingma et al. 2014: test errors with few labels.

    NPVAE_DATA=FOLDER python -m bench.semi_supervised [--labels 100,1000] [--draws 3] ...

M1 is a VAE, 784-500-500-50 with softplus, of the first 50,000 training images without labels; those
latent dimensions whose means vary by more than 0.1 are its features. M2 is `nv.SemiSupervisedVAE`
with one hidden layer of 500 (300 for 100 labels, on features), z of 50 and alpha = 0.1: on the
images themselves, and on M1's features, which every pass draws anew of q(z given x) (M1+M2). Beside
them stands a plain classifier of the same width on the same labels, of images and of M1's features.
Labelled rows are repeated so often that a tenth of a pass has its label; what the labels weigh is
the paper's whatever that share is. The labelled rows are drawn with as many of each class.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import npvae as nv

from . import quality

Array = np.ndarray
TRAINED = 50_000
SHARE = 0.1
"""Of the rows of a pass, how many have a label."""
LATENT = 50


class Features:
    """What M1's encoder makes of images: mean and deviation of each latent that varies."""

    def __init__(self, m1: nv.VAE, x: Array, varies: float) -> None:
        mu, logvar = m1.encode(x)
        self.used = mu.std(0) > varies
        self.mu, self.std = mu[:, self.used], np.exp(logvar[:, self.used] / 2)

    def of(self, m1: nv.VAE, x: Array) -> Array:
        return m1.encode(x)[0][:, self.used]


def labelled_rows(y: Array, n: int, seed: int) -> Array:
    """n rows, as many of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[: n // 10] for c in range(10)])


def a_pass(n: int, known: Array) -> Array:
    """The rows of one pass: all of them, and the labelled ones again and again."""
    again = max(1, round(SHARE / (1 - SHARE) * n / len(known)))
    return np.concatenate([np.setdiff1d(np.arange(n), known), np.tile(known, again)])


def m2_on_features(
    given: Features, y: Array, rows: Array, args: Any, width: int, seed: int, report: Any
) -> Any:
    rng = np.random.default_rng(seed)
    mu, std = given.mu[rows], given.std[rows]
    z = np.empty_like(mu)

    def draw(*_: Any) -> None:
        z[...] = mu + std * rng.standard_normal(std.shape, dtype=std.dtype)

    draw()
    model = nv.SemiSupervisedVAE(
        z.shape[1], args.z_dim, 10, hidden=(width,), alpha=args.alpha,
        likelihood="gaussian_heteroscedastic", seed=seed,
    )  # fmt: skip
    fit(model, z, y[rows], args.passes, args, seed, [draw, report])
    return model


def fit(
    model: Any, x: Array, y: Array, passes: int, args: Any, seed: int, callbacks: Any = ()
) -> None:
    lr = quality.cosine(args.lr, passes)
    nv.fit(
        model, x, y=y, epochs=passes, batch_size=args.batch, lr=lr, seed=seed, threads=args.threads,
        callbacks=callbacks,
    )  # fmt: skip


def classifier(x: Array, y: Array, width: int, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((width,), alpha=1e-3, max_iter=300, random_state=seed).fit(x, y)


def main() -> None:
    parser = quality.options(__doc__)
    add = parser.add_argument
    add("--labels", type=quality.numbers, default=[100, 1000], help="100,1000 by default")
    add("--draws", type=int, default=3, help="of the labelled rows")
    add("--images", type=int, default=TRAINED, help="training images; 50,000 as in the paper")
    add("--m1-epochs", type=int, default=50)
    add("--passes", type=int, default=200, help="of M2 on features")
    add("--passes-alone", type=int, default=100, help="of M2 on images; 0 leaves it out")
    add("--batch", type=int, default=200)
    add("--lr", type=float, default=1e-3)
    add("--z-dim", type=int, default=LATENT, help="of M2; 50 as in the paper")
    add("--alpha", type=float, default=0.1, help="what a label weighs; 0.1 as in the paper")
    add("--varies", type=float, default=0.1, help="how much the means of a feature vary at least")
    add("--every", type=int, default=10, help="passes from one measurement to the next")
    add("--threads", type=int)
    add("--m1", help="a file with M1, which is written if it is not there")
    args = parser.parse_args()
    x, y, x_test, y_test = quality.mnist(parser)
    x, y = x[: args.images], y[: args.images]
    started = time.perf_counter()

    def said(what: str) -> None:
        print(f"{time.perf_counter() - started:7.0f} s  {what}", flush=True)

    m1 = trained_m1(x, args)
    features = Features(m1, x, args.varies)
    test = x_test, features.of(m1, x_test), y_test
    said(f"M1: {features.used.sum()} features of {LATENT}")
    for n in args.labels:
        found: dict[str, list[float]] = {}
        for draw in range(args.draws):
            for name, measured in errors(x, features, y, test, n, draw, args):
                found.setdefault(name, []).append(measured)
                said(f"{n} labels, draw {draw}, {name}: error {measured:.2f} %")
        for name, measurements in found.items():
            print(f"{n} labels, {name}: {quality.with_error(measurements)} %")


def errors(
    x: Array, features: Features, y: Array, test: Any, n: int, draw: int, args: Any
) -> Iterator[tuple[str, float]]:
    """Each method's name and its test error in percent, for one draw of n labels."""
    x_test, seen, y_test = test
    known, width = labelled_rows(y, n, draw), 300 if n == 100 else 500
    rows, partial = a_pass(len(y), known), np.full(len(y), -1)
    partial[known] = y[known]

    def wrong(model: Any, given: Array) -> float:
        return 100 * float(np.mean(model.predict(given) != y_test))

    yield "classifier", wrong(classifier(x[known] / 255, y[known], width, draw), x_test / 255)
    yield "M1 + classifier", wrong(classifier(features.mu[known], y[known], width, draw), seen)

    def report(model: Any, record: dict[str, float]) -> None:
        if record["epoch"] % args.every == 0:
            given = seen if model.x_dim == seen.shape[1] else x_test
            print(f"  pass {record['epoch']}: error {wrong(model, given):.2f} %", flush=True)

    yield "M1+M2", wrong(m2_on_features(features, partial, rows, args, width, draw, report), seen)
    if args.passes_alone:
        yield "M2", wrong(m2_on_images(x, partial, rows, args, draw, report), x_test)


def trained_m1(x: Array, args: Any) -> nv.VAE:
    try:
        return nv.load(args.m1)
    except (OSError, TypeError, nv.NpvaeError):
        m1 = nv.VAE(784, LATENT, hidden=(500, 500), activation="softplus")
        nv.fit(m1, x, epochs=args.m1_epochs, lr=quality.cosine(1e-3, args.m1_epochs),
               threads=args.threads)  # fmt: skip
        if args.m1:
            nv.save(m1, args.m1)
        return m1


def m2_on_images(x: Array, y: Array, rows: Array, args: Any, seed: int, report: Any) -> Any:
    model = nv.SemiSupervisedVAE(784, args.z_dim, 10, hidden=(500,), alpha=args.alpha, seed=seed)
    fit(model, x[rows], y[rows], args.passes_alone, args, seed, [report])
    return model


if __name__ == "__main__":
    main()
