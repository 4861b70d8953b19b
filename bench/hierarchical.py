"""Two latent levels beside one level with as many parameters, on binarised MNIST.

    NPVAE_DATA=FOLDER python -m bench.hierarchical [--seeds 3] [--epochs 50] ...

The ladder is `nv.HierarchicalVAE(784, (32, 16))`, top-down; the model of one level has two hidden
layers and 48 latent dimensions, and layers as wide as gives it the ladder's number of parameters.
beta rises from 0 to 1 over the first fifth of the epochs. NLL is of some test images, by importance
samples; its standard error is over the seeds.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

import npvae as nv
from npvae.evaluate.information import kl_by_dimension

from . import quality

Z_DIMS = (32, 16)


def ladder(hidden: int, seed: int) -> nv.HierarchicalVAE:
    return nv.HierarchicalVAE(784, Z_DIMS, hidden=(hidden,), seed=seed)


def one_level(hidden: int, seed: int) -> nv.VAE:
    """As near as a width comes to the ladder's number of parameters."""
    wanted = ladder(hidden, 0).n_params

    def made(width: int) -> nv.VAE:
        return nv.VAE(784, sum(Z_DIMS), hidden=(width, width), seed=seed)

    widths = range(hidden // 2, 2 * hidden)
    return made(widths[bisect_left(widths, wanted, key=lambda width: made(width).n_params)])


def main() -> None:
    parser = quality.options(__doc__)
    quality.add_training(parser, epochs=50)
    parser.add_argument("--hidden", type=int, default=200, help="the ladder's width")
    args = parser.parse_args()
    x, _, x_test, _ = quality.mnist(parser)
    x, held_out = quality.binarised(x[: args.train]), quality.binarised(x_test[: args.rows], 1)
    found: dict[str, list[float]] = {"two levels": [], "one level": []}
    for seed in range(args.seeds):
        for name, make in (("two levels", ladder), ("one level", one_level)):
            model = make(args.hidden, seed)
            quality.fit(model, x, args, seed, warm_up=True)
            nll = -float(nv.log_likelihood(model, held_out, args.samples).mean())
            found[name].append(nll)
            kl = ", ".join(f"{each.sum():.2f}" for each in kl_by_dimension(model, held_out))
            print(
                f"seed {seed}, {name}: {model.n_params:,} parameters, NLL {nll:.2f}, "
                f"-ELBO {-float(model.elbo(held_out, 10).mean()):.2f}, KL by level {kl}",
                flush=True,
            )
    for name, values in found.items():
        print(f"{name}: NLL {quality.with_error(values)} nats")
    print("gain:", quality.with_error(np.subtract(found["one level"], found["two levels"])))


if __name__ == "__main__":
    main()
