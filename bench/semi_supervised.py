"""Semi-supervised MNIST after Kingma et al. 2014: test errors with few labels.

    NPVAE_DATA=FOLDER python -m bench.semi_supervised [--labels 100,1000] [--draws 3] ...

M1 is a VAE, 784-500-500-50 with softplus, of the first 50,000 training images without labels; those
latent dimensions whose means vary by more than 0.1 are its features. M2 is `nv.SemiSupervisedVAE`
with one hidden layer of 500 (300 for 100 labels, on features), z of 50 and alpha = 0.1: on the
images themselves, and on M1's features, which every pass draws anew of q(z given x) (M1+M2). Beside
them stands a plain classifier of the same width on the same labels, of images and of M1's features.
M2 of images may have another width, activation and start of beta, and leave out pixels that are
nearly always black (`--width-alone`, `--activation`, `--beta`, `--pixels`): a step of it costs ten
decodes of each image. `--passes 0` leaves out M1 and what is built on it.
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
    """What M1's encoder makes of images: mean and deviation of each latent that varies.

    Of test images, means alone.
    """

    def __init__(self, m1: nv.VAE, x: Array, x_test: Array, varies: float) -> None:
        mu, logvar = m1.encode(x)
        used = mu.std(0) > varies
        self.mu, self.std = mu[:, used], np.exp(logvar[:, used] / 2)
        self.of_test = m1.encode(x_test)[0][:, used]


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
    model: Any, x: Array, y: Array, passes: int, args: Any, seed: int, callbacks: Any, beta: Any = 1
) -> None:
    lr = quality.cosine(args.lr, passes)
    nv.fit(
        model, x, y=y, objective=nv.ELBO(beta=beta), epochs=passes, batch_size=args.batch, lr=lr,
        seed=seed, threads=args.threads, callbacks=callbacks,
    )  # fmt: skip


def classifier(x: Array, y: Array, width: int, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((width,), alpha=1e-3, max_iter=300, random_state=seed).fit(x, y)


def main() -> None:
    parser = quality.options(__doc__)
    add = parser.add_argument
    add("--labels", type=quality.numbers, default=[100, 1000], help="100,1000 by default")
    add("--draws", type=quality.numbers, default=[0, 1, 2], help="0,1,2 by default")
    add("--images", type=int, default=TRAINED, help="training images; 50,000 as in the paper")
    add("--m1-epochs", type=int, default=50)
    add("--passes", type=int, default=200, help="of M2 on features; 0 leaves M1 out")
    add("--passes-alone", type=int, default=100, help="of M2 on images; 0 leaves it out")
    add("--batch", type=int, default=200)
    add("--lr", type=float, default=1e-3)
    add("--z-dim", type=int, default=LATENT, help="of M2; 50 as in the paper")
    add("--alpha", type=float, default=0.1, help="what a label weighs; 0.1 as in the paper")
    add("--varies", type=float, default=0.1, help="how much the means of a feature vary at least")
    add("--width-alone", type=int, default=500, help="of M2 on images")
    add("--activation", default="softplus", help="of M2 on images")
    add("--beta", type=float, default=1.0, help="from which M2 on images falls to 1 by two thirds")
    add("--pixels", type=float, default=-1.0, help="how much a pixel of M2's varies at least")
    add("--every", type=int, default=10, help="passes from one measurement to the next")
    add("--threads", type=int)
    add("--m1", help="a file with M1, which is written if it is not there")
    args = parser.parse_args()
    x, y, x_test, y_test = quality.mnist(parser)
    x, y = x[: args.images], y[: args.images]
    started = time.perf_counter()

    def said(what: str) -> None:
        print(f"{time.perf_counter() - started:7.0f} s  {what}", flush=True)

    features = None
    if args.passes:
        features = Features(trained_m1(x, args), x, x_test, args.varies)
        said(f"M1: {features.mu.shape[1]} features of {LATENT}")
    test = x_test, y_test
    for n in args.labels:
        found: dict[str, list[float]] = {}
        for draw in args.draws:
            for name, measured in errors(x, features, y, test, n, draw, args):
                found.setdefault(name, []).append(measured)
                said(f"{n} labels, draw {draw}, {name}: error {measured:.2f} %")
        for name, measurements in found.items():
            print(f"{n} labels, {name}: {quality.with_error(measurements)} %")


def errors(
    x: Array, features: Features | None, y: Array, test: Any, n: int, draw: int, args: Any
) -> Iterator[tuple[str, float]]:
    """Each method's name and its test error in percent, for one draw of n labels."""
    x_test, y_test = test
    known, width = labelled_rows(y, n, draw), 300 if n == 100 else 500
    rows, partial = a_pass(len(y), known), np.full(len(y), -1)
    partial[known] = y[known]

    def wrong(model: Any, given: Array) -> float:
        return 100 * float(np.mean(model.predict(given) != y_test))

    def report(given: Array) -> Any:
        def measure(model: Any, record: dict[str, float]) -> None:
            if record["epoch"] % args.every == 0:
                print(f"  pass {record['epoch']}: error {wrong(model, given):.2f} %", flush=True)

        return measure

    yield "classifier", wrong(classifier(x[known] / 255, y[known], width, draw), x_test / 255)
    if features is not None:
        seen, plain = features.of_test, classifier(features.mu[known], y[known], width, draw)
        yield "M1 + classifier", wrong(plain, seen)
        m2 = m2_on_features(features, partial, rows, args, width, draw, report(seen))
        yield "M1+M2", wrong(m2, seen)
    if args.passes_alone:
        used = (x / np.float32(255)).std(0) > args.pixels
        x, x_test = x[:, used], x_test[:, used]
        m2 = m2_on_images(x, partial, rows, args, draw, report(x_test))
        yield "M2", wrong(m2, x_test)


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
    model = nv.SemiSupervisedVAE(
        x.shape[1], args.z_dim, 10, hidden=(args.width_alone,), activation=args.activation,
        alpha=args.alpha, seed=seed,
    )  # fmt: skip
    passes, beta = args.passes_alone, args.beta
    falling = nv.Linear(beta, 1, max(1, 2 * passes // 3)) if beta != 1 else 1.0
    fit(model, x[rows], y[rows], passes, args, seed, [report], falling)
    return model


if __name__ == "__main__":
    main()
