"""What the measurements of quality share: MNIST's four arrays, and means with standard errors."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

import npvae as nv

from . import nets

Array = np.ndarray


def options(doc: str) -> argparse.ArgumentParser:
    """A parser; `mnist` ends here with one line where the data are missing."""
    return argparse.ArgumentParser(
        description=doc.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_training(parser: argparse.ArgumentParser, epochs: int) -> None:
    """How long is trained, on how much, and on what is measured."""
    add = parser.add_argument
    add("--seeds", type=int, default=3)
    add("--epochs", type=int, default=epochs)
    add("--train", type=int, default=60_000, help="images that are trained on")
    add("--rows", type=int, default=2_000, help="test images")
    add("--samples", type=int, default=500, help="importance samples")
    add("--threads", type=int)


def numbers(text: str) -> list[int]:
    """Of an option such as 100,1000."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"numbers such as 100,1000; got {text!r}") from None


def fit(
    model: nv.Model,
    x: Array,
    args: Any,
    seed: int,
    warm_up: bool = False,
    context: Any = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Adam at 1e-3, falling along a cosine; with `warm_up` beta rises in a fifth of the epochs."""
    beta = nv.Linear(0, 1, max(1, args.epochs // 5)) if warm_up else 1.0
    nv.fit(
        model, x, context=context, objective=nv.ELBO(beta=beta), epochs=args.epochs,
        lr=cosine(1e-3, args.epochs), seed=seed, threads=args.threads, callbacks=callbacks,
    )  # fmt: skip


def mnist(parser: argparse.ArgumentParser) -> tuple[Array, Array, Array, Array]:
    """Images and labels, of training and of test, as bytes."""
    try:
        folder = nets.mnist_folder()
    except FileNotFoundError as error:
        parser.error(str(error))
    x, y = nv.datasets.load(folder, "train")
    x_test, y_test = nv.datasets.load(folder, "test")
    return x, y.astype(int), x_test, y_test.astype(int)


def binarised(x: Array, seed: int = 0) -> Array:
    """Ones and zeros, drawn once with the pixels as their probabilities."""
    rng = np.random.default_rng(seed)
    return (255 * rng.random(x.shape, dtype=np.float32) < x).astype(np.uint8)


def with_error(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard error; the value alone where there is one."""
    mean = np.mean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.{digits}f}"


def cosine(lr: float, epochs: int) -> nv.Cosine:
    """A learning rate that falls to nothing."""
    return nv.Cosine(lr, 0.01 * lr, epochs)
