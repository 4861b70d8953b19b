"""Few labels: a semi-supervised VAE beside classifiers that see the labelled rows alone.

    python examples/few_labels.py [--labels 50] [--out few-labels-run] [--epochs 150]

On the embedded digits, of which 1,297 train and 500 are held out, --labels of those that train have
a label, as many of each class. Prints the held-out accuracy for three draws of the labels: of the
VAE, of the same networks trained on the labelled rows alone, and of their nearest neighbour; and
draws digits by class, with one z in each column. After Kingma, Mohamed et al. 2014 (M2).
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

HELD_OUT, COLUMNS = 500, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--out", default="few-labels-run", help="where pictures and the model go")
    parser.add_argument("--epochs", type=int, default=150)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, y = nv.datasets.digits()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    x_test, y_test, x, y = x[:HELD_OUT], y[:HELD_OUT], x[HELD_OUT:], y[HELD_OUT:]
    each = args.labels // 10
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        known = np.concatenate([rng.choice(np.flatnonzero(y == c), each, False) for c in range(10)])
        partly = np.full(len(y), -1)
        partly[known] = y[known]
        semi = trained(x, partly, args.epochs, seed)
        alone = trained(x[known], y[known], args.epochs, seed)
        distances = np.square(x_test[:, None] - x[known]).sum(-1)
        neighbour = float((y[known][distances.argmin(1)] == y_test).mean())
        accuracies = [nv.accuracy(model, x_test, y_test)[0] for model in (semi, alone)]
        found.append([*accuracies, neighbour])
        print("labels drawn with seed {}: {:.1%}, {:.1%}, {:.1%}".format(seed, *found[-1]))
    means, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    for name, mean, by in zip(
        ("semi-supervised", "labelled rows alone", "nearest neighbour"), means, spread, strict=True
    ):
        print(f"{name:<20} {mean:.1%} ± {by:.1%}")

    z = np.tile(rng.standard_normal((COLUMNS, semi.z_dim)), (10, 1))
    images = semi.decode(z, np.repeat(np.arange(10), COLUMNS))
    title = "Digits by class; each column has one z"
    nv.plots.save(nv.plots.image_grid(images, (8, 8), COLUMNS, title=title), out / "classes.png")
    nv.save(semi, out / "model.npz")
    print(f"the picture and the model are in {out}")


def trained(x: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> nv.SemiSupervisedVAE:
    """A semi-supervised VAE after some 20 steps an epoch, however many rows there are."""
    model = nv.SemiSupervisedVAE(64, 6, n_classes=10, hidden=(128,), seed=seed)
    batch_size = max(8, len(x) // 20)
    nv.fit(model, x, y=y, epochs=epochs, batch_size=batch_size, lr=1e-3, seed=seed)
    return model


if __name__ == "__main__":
    main()
