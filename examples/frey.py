"""Frey faces with a Gaussian likelihood, in 2 and in 20 latent dimensions, as in the first paper.

    python examples/frey.py frey_faces.npz [--out frey-run] [--epochs 300]

The file holds X, 1,965 frames of 28 x 20 bytes. Prints the bound of both models on frames held out
and writes the learnt manifold of the first, which decodes a grid over its whole latent space, with
samples and reconstructions of the second. After Kingma & Welling 2014, section 5 and figure 4, but
with two hidden layers, pixels standardised, and one scale of the Gaussian learnt for all of them.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

HELD_OUT = 196


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="frey_faces.npz")
    parser.add_argument("--out", default="frey-run", help="where pictures and models go")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out = writable_folder(args.out)

    data = nv.datasets.read(args.file)
    order = np.random.default_rng(args.seed).permutation(len(data.x))
    x = (data.x[order] / 255).astype(np.float32)
    x_test, x = x[:HELD_OUT], x[HELD_OUT:]
    models = {}
    for z_dim in (2, 20):
        model = models[z_dim] = nv.VAE(
            x.shape[1],
            z_dim,
            hidden=(400, 200),
            likelihood="gaussian_learnt_scale",
            standardise=True,
            seed=args.seed,
        )
        stopping = nv.EarlyStopping(patience=40)
        nv.fit(
            model, x, valid=x_test, epochs=args.epochs, batch_size=100, seed=args.seed,
            callbacks=[stopping], progress=True,
        )  # fmt: skip
        bound = model.elbo(x_test, n_samples=10)
        error = bound.std(ddof=1) / np.sqrt(len(bound))
        scale = float(np.exp(model.likelihood.log_scale[0]))
        print(
            f"z = {z_dim}: ELBO {bound.mean():.0f} ± {error:.0f} nats per held-out frame after "
            f"{stopping.best_epoch} epochs; learnt scale {scale:.2f} standard deviations"
        )
        nv.save(model, out / f"model-{z_dim}.npz")

    shape = data.image_shape
    nv.plots.save(nv.plots.manifold(models[2].decode, shape, n=16), out / "manifold.png")
    nv.plots.save(nv.plots.image_grid(models[20].sample(60), shape, 15), out / "samples.png")
    seen = models[20].reconstruct(x_test[:10])
    nv.plots.save(nv.plots.reconstructions(x_test[:10], seen, shape), out / "reconstructions.png")
    print(f"pictures and models are in {out}")


if __name__ == "__main__":
    main()
