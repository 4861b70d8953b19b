"""Naive Monte Carlo on MNIST: what draws of z from the prior say of log p(x).

    python examples/naive_mnist.py FOLDER [--epochs 10] [--rows 100]

FOLDER holds the four IDX files of MNIST. A 784-400-20 VAE is trained; log p(x) of test digits is
then estimated with z from the prior and from the encoder's posterior.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=100)
    args = parser.parse_args()

    x, _ = nv.datasets.load(args.folder, "train")
    x_test = nv.datasets.load(args.folder, "test")[0][: args.rows]
    model = nv.VAE(784, 20)
    nv.fit(model, x, epochs=args.epochs, progress=True)

    log_px, kl = model.elbo_terms(x_test, n_samples=100)
    elbo = np.mean(log_px - kl)
    print(f"mean of {len(x_test)} test digits: ELBO {elbo:.2f}, KL {kl.mean():.2f} nats")
    print("z from     draws  log p(x)  draws that count, median  digits with fewer than 2")
    for proposal, draws in (
        ("prior", 100), ("prior", 1000), ("prior", 10_000), ("posterior", 100), ("posterior", 5000),
    ):  # fmt: skip
        log_p, _, count = nv.log_likelihood(
            model, x_test, n_samples=draws, proposal=proposal, diagnostics=True
        )
        few = np.mean(count < 2)
        print(f"{proposal:9}{draws:7}{log_p.mean():10.2f}{np.median(count):26.2f}{few:26.0%}")


if __name__ == "__main__":
    main()
