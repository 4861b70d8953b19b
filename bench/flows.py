"""What flows of the posterior gain over a diagonal Gaussian, on binarised MNIST.

    NPVAE_DATA=FOLDER python -m bench.flows [--seeds 3] [--epochs 50] ...

A VAE, 784-400-20, with each posterior from the same initial weights and in the same order of rows:
-ELBO of some test images with ten draws, and their NLL by importance samples, in nats; gains are
over the diagonal posterior of the same seed, with their standard error over the seeds.
"""

from __future__ import annotations

import numpy as np

import npvae as nv

from . import quality

POSTERIORS = ("gaussian", "planar:n=8", "planar:n=16", "planar:n=32", "iaf:n=4")


def main() -> None:
    parser = quality.options(__doc__)
    quality.add_training(parser, epochs=50)
    parser.add_argument(
        "--posteriors", type=lambda text: text.split("+"), default=list(POSTERIORS),
        metavar="A+B", help="by default " + "+".join(POSTERIORS),
    )  # fmt: skip
    args = parser.parse_args()
    x, _, x_test, _ = quality.mnist(parser)
    x, held_out = quality.binarised(x[: args.train]), quality.binarised(x_test[: args.rows], 1)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in args.posteriors}
    for seed in range(args.seeds):
        for name, values in found.items():
            model = nv.VAE(784, 20, posterior=name, seed=seed)
            quality.fit(model, x, args, seed)
            bound = -float(model.elbo(held_out, 10).mean())
            nll = -float(nv.log_likelihood(model, held_out, args.samples).mean())
            values.append((bound, nll))
            print(f"seed {seed}, {name}: -ELBO {bound:.2f}, NLL {nll:.2f}", flush=True)
    first = np.array(found[args.posteriors[0]])
    for name, values in found.items():
        (bound, nll), gains = np.transpose(values), (first - values).T
        print(
            f"{name}: -ELBO {quality.with_error(bound)}, NLL {quality.with_error(nll)}; gains "
            f"{quality.with_error(gains[0])} and {quality.with_error(gains[1])} nats"
        )


if __name__ == "__main__":
    main()
