"""How many of the digits that a conditional VAE draws for a class look like that class.

    NPVAE_DATA=FOLDER python -m bench.conditional [--seeds 3] [--epochs 30] ...

784-400-20 with the label beside x and z, trained on MNIST. Of each class 200 digits are drawn, and
each is recognised by the nearest of the 60,000 real images, in pixels.
"""

from __future__ import annotations

import numpy as np

import npvae as nv

from . import quality

Array = np.ndarray
EACH = 200


def nearest_labels(drawn: Array, x: Array, y: Array) -> Array:
    """The label of the nearest row of x to each drawn one, both in [0, 1]."""
    square, parts = (x * x).sum(1), np.array_split(drawn, max(1, len(drawn) // 200))
    return np.concatenate([y[(square - 2 * some @ x.T).argmin(1)] for some in parts])


def main() -> None:
    parser = quality.options(__doc__)
    quality.add_training(parser, epochs=30)
    args = parser.parse_args()
    x, y, x_test, y_test = quality.mnist(parser)
    scaled, wanted = (x / 255).astype(np.float32), np.repeat(np.arange(10), EACH)
    some = (x_test[: args.rows] / 255).astype(np.float32)
    right = 100 * np.mean(nearest_labels(some, scaled, y) == y_test[: args.rows])
    print(f"real test images are recognised to {right:.2f} %", flush=True)
    found: dict[str, list[float]] = {"standard": [], "conditional": []}
    for seed in range(args.seeds):
        for prior, shares in found.items():
            model = nv.VAE(784, 20, condition=nv.Labels(10), prior=prior, seed=seed)
            quality.fit(model, x[: args.train], args, seed, context=y[: args.train])
            drawn = model.sample(len(wanted), seed=seed, context=wanted)
            shares.append(100 * np.mean(nearest_labels(drawn, scaled, y) == wanted))
            print(f"seed {seed}, prior {prior}: {shares[-1]:.2f} % recognised", flush=True)
    for prior, shares in found.items():
        print(f"prior {prior}: {quality.with_error(shares)} %")


if __name__ == "__main__":
    main()
