"""What each level of a hierarchical VAE holds: samples with the upper level held fast.

    python examples/levels.py FOLDER [--out levels-run] [--epochs 12]

FOLDER holds the four IDX files of MNIST, gzipped or not. Two latent levels, of 32 and 16
dimensions, as a ladder. Prints the test bound with the KL of each level, and draws samples: in each
row one z of the upper level, so that what varies along the row is what the lower one holds. After
Sønderby, Raiko, Maaløe, Sønderby & Winther 2016.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv
from npvae.core.files import writable_folder

IMAGE = (28, 28)
ROWS, COLUMNS = 8, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--out", default="levels-run", help="where pictures and the model go")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out = writable_folder(args.out)

    x, _ = nv.datasets.load(args.folder, "train")
    x_test, _ = nv.datasets.load(args.folder, "test")
    model = nv.HierarchicalVAE(784, (32, 16), hidden=(300,), seed=args.seed)
    history = nv.fit(
        model, x, objective=nv.ELBO(beta=nv.Linear(0, 1, epochs=args.epochs / 3)), valid=x_test,
        epochs=args.epochs, batch_size=128, seed=args.seed, progress=True,
        lr=nv.Cosine(2e-3, 1e-4, epochs=args.epochs),
    )  # fmt: skip
    last = history.records[-1]
    print(
        f"test -ELBO {last['valid_loss']:.2f} nats; KL of the lower level "
        f"{last['valid_kl_1']:.2f}, of the upper {last['valid_kl_2']:.2f}"
    )

    upper = np.random.default_rng(args.seed).standard_normal((ROWS, 16))
    held = [model.sample(COLUMNS, seed=i, fixed={2: z}) for i, z in enumerate(upper)]
    title = "Each row has one z of the upper level"
    figure = nv.plots.image_grid(np.concatenate(held), IMAGE, COLUMNS, title=title)
    nv.plots.save(figure, out / "levels.png")
    nv.plots.save(nv.plots.loss_curves(history), out / "loss.png")
    nv.save(model, out / "model.npz")
    print(f"pictures and the model are in {out}")


if __name__ == "__main__":
    main()
