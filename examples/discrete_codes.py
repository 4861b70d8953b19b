"""Discrete codes: digits in ten variables of eight classes each, and in one variable of thirty.

    python examples/discrete_codes.py [--out discrete-codes-run] [--epochs 200]

On the embedded digits, of which 297 are held out. A row of `classes.png` has one variable's
classes: a digit's code with that variable changed and the nine others kept. `clusters.png` has what
each of thirty classes draws, the largest first. Prints bounds and log-likelihoods of the digits
held out, in nats, and what a code says in bits, beside a Gaussian latent.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

HELD_OUT, VARIABLES, CLASSES, CLUSTERS, SHOWN = 297, 10, 8, 30, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="discrete-codes-run", help="where the pictures go")
    parser.add_argument("--epochs", type=int, default=200)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, y = nv.datasets.digits()
    order = np.random.default_rng(0).permutation(len(x))
    x_test, x, y = x[order[:HELD_OUT]], x[order[HELD_OUT:]], y[order[HELD_OUT:]]
    cooling = nv.Linear(1.0, 0.5, epochs=args.epochs / 2)
    posteriors = {
        "10 variables of 8 classes": nv.CategoricalCode(VARIABLES, CLASSES, temperature=cooling),
        "30 zeros and ones": nv.BernoulliCode(temperature=cooling),
        "one of 30 classes, exact": nv.CategoricalCode(1, CLUSTERS, "exact"),
        "Gaussian, 8 dimensions": "gaussian",
    }
    widths = {"30 zeros and ones": 30, "Gaussian, 8 dimensions": 8}
    models = {}
    for name, posterior in posteriors.items():
        model = nv.VAE(64, widths.get(name), hidden=(128,), posterior=posterior)
        nv.fit(model, x, epochs=args.epochs, batch_size=64, lr=2e-3)
        log_p, kl = nv.log_likelihood(model, x_test, 1000), model.elbo_terms(x_test)[1]
        error = log_p.std(ddof=1) / math.sqrt(len(log_p))
        print(
            f"{name:<26} ELBO {model.elbo(x_test, 20).mean():7.2f}, log p {log_p.mean():7.2f} ± "
            f"{error:.2f} nats; KL {kl.mean() / math.log(2):5.1f} bits"
        )
        models[name] = model

    codes, clusters = models["10 variables of 8 classes"], models["one of 30 classes, exact"]
    draw_changes(codes, x, out / "classes.png")
    draw_clusters(clusters, x, y, out / "clusters.png")
    print(f"the pictures are in {out}")


def draw_changes(model: nv.VAE, x: np.ndarray, path: str) -> None:
    """The variables that change a digit most, one a row, each through its classes."""
    digit = x[:1]
    code = model.encode(digit).reshape(VARIABLES, CLASSES).argmax(-1)
    changed = np.tile(code, (VARIABLES, CLASSES, 1))
    for v in range(VARIABLES):
        changed[v, :, v] = range(CLASSES)
    z = np.eye(CLASSES)[changed].reshape(-1, VARIABLES * CLASSES)
    images = model.decode(z).reshape(VARIABLES, CLASSES, 64)
    order = images.var(axis=1).sum(-1).argsort()[::-1][:SHOWN]
    title = "One digit's code; in each row another of its variables goes through its classes"
    grid = nv.plots.image_grid(images[order].reshape(-1, 64), (8, 8), CLASSES, title=title)
    nv.plots.save(grid, path)


def draw_clusters(model: nv.VAE, x: np.ndarray, y: np.ndarray, path: str) -> None:
    """What each class decodes to, the largest first."""
    of = model.encode(x).argmax(-1)
    sizes = np.bincount(of, minlength=CLUSTERS)
    order = sizes.argsort()[::-1]
    pure = sum(np.bincount(y[of == c]).max() for c in order if sizes[c])
    title = "What each of thirty classes draws, the largest first"
    grid = nv.plots.image_grid(model.decode(np.eye(CLUSTERS)[order]), (8, 8), 10, title=title)
    nv.plots.save(grid, path)
    used = int((sizes > 0).sum())
    print(
        f"{used} of {CLUSTERS} classes are in use; {pure / len(x):.1%} of the digits are of their"
    )
    print("class's commonest digit, which no label was used for")


if __name__ == "__main__":
    main()
