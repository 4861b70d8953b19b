"""How many of the digits that a conditional VAE draws for a class look like that class.

    NPVAE_DATA=FOLDER python -m bench.conditional [--seeds 3] [--epochs 30] ...

784-400-20, unless told otherwise, with the label beside x and z, trained on MNIST. Of each class
200 digits are drawn (means of p(x given z, c)), and each is recognised by the nearest of the 60,000
real images, in pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import npvae as nv

from . import quality

Array = np.ndarray
EACH = 200


def nearest_labels(drawn: Array, x: Array, y: Array) -> Array:
    """The label of the nearest row of x to each drawn one, both in [0, 1]."""
    square, parts = (x * x).sum(1), np.array_split(drawn, max(1, len(drawn) // 200))
    return np.concatenate([y[(square - 2 * some @ x.T).argmin(1)] for some in parts])


def share_by_epoch(prior: str, seed: int, x: Array, y: Array, args: Any, said: str) -> float:
    """Train, and say every few epochs how many percent of drawn digits are recognised."""
    scaled, wanted = (x / 255).astype(np.float32), np.repeat(np.arange(10), EACH)
    share = 0.0

    def measure(model: nv.Model, record: dict[str, float]) -> None:
        nonlocal share
        epoch = record["epoch"]
        if epoch % args.every == 0 or epoch == args.epochs:
            drawn = model.sample(len(wanted), seed=seed, context=wanted)
            share = 100 * float(np.mean(nearest_labels(drawn, scaled, y) == wanted))
            loss = record["train_loss"]
            print(f"{said}, epoch {epoch}: {loss:.1f} nats, {share:.2f} %", flush=True)

    model = nv.VAE(
        784, args.z_dim, hidden=args.hidden, condition=nv.Labels(10), prior=prior, seed=seed
    )
    n = args.train
    quality.fit(model, x[:n], args, seed, context=y[:n], callbacks=[measure])
    return share


def main() -> None:
    parser = quality.options(__doc__)
    quality.add_training(parser, epochs=30)
    add = parser.add_argument
    add("--hidden", type=quality.numbers, default=[400], help="400 by default")
    add("--z-dim", type=int, default=20)
    add("--prior", nargs="*", default=["standard", "conditional"], help="both by default")
    add("--every", type=int, default=5, help="epochs from one measurement to the next")
    args = parser.parse_args()
    x, y, x_test, y_test = quality.mnist(parser)
    scaled, some = ((a / 255).astype(np.float32) for a in (x, x_test[: args.rows]))
    right = 100 * np.mean(nearest_labels(some, scaled, y) == y_test[: args.rows])
    print(f"real test images are recognised to {right:.2f} %", flush=True)
    for prior in args.prior:
        shares = []
        for seed in range(args.seeds):
            said = f"seed {seed}, prior {prior}"
            shares.append(share_by_epoch(prior, seed, x, y, args, said))
        print(f"prior {prior}: {quality.with_error(shares)} %")


if __name__ == "__main__":
    main()
