"""Does npvae learn what PyTorch learns? Test -ELBO of the classic MNIST program, seed by seed.

    NPVAE_DATA=FOLDER python -m bench.mnist_elbo [--seeds 3] [--epochs 10]

FOLDER holds mnist/ with the four IDX files. Both train 784-400-20, ReLU, Bernoulli, Adam at 1e-3,
batches of 128. Needs the `bench` extra.
"""

from __future__ import annotations

import argparse

import numpy as np

import npvae as nv

from . import nets, peers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    try:
        folder = nets.mnist_folder()
    except FileNotFoundError as error:
        parser.error(str(error))
    x, _ = nv.datasets.load(folder, "train")
    x_test, _ = nv.datasets.load(folder, "test")

    programs = {"npvae": run_npvae, "torch": run_torch}
    results: dict[str, list[float]] = {peer: [] for peer in peers.installed(list(programs))}
    for seed in range(args.seeds):
        for peer, values in results.items():
            rec, kl = programs[peer](x, x_test, args.epochs, seed)
            values.append(rec + kl)
            print(f"seed {seed}  {peer:8} test -ELBO {rec + kl:.2f}  (rec {rec:.2f}, KL {kl:.2f})")
    for peer, values in results.items():
        std_error = (
            np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
        )
        print(f"{peer:8} mean {np.mean(values):.2f} ± {std_error:.2f} nats per example")


def run_npvae(x: np.ndarray, x_test: np.ndarray, epochs: int, seed: int) -> tuple[float, float]:
    model = nv.VAE(784, 20, hidden=(400,), seed=seed)
    nv.fit(model, x, epochs=epochs, batch_size=128, lr=1e-3, seed=seed)
    log_px, kl = model.elbo_terms(x_test)
    return -float(log_px.mean()), float(kl.mean())


def run_torch(x: np.ndarray, x_test: np.ndarray, epochs: int, seed: int) -> tuple[float, float]:
    import torch

    from .peers.with_torch import TorchVAE, tensor, train_torch

    torch.manual_seed(seed)
    model = TorchVAE(784, (400,), 20)
    train_torch(model, tensor(x), epochs, 128, lambda loss: None)
    with torch.no_grad():
        rec, kl = model.terms(tensor(x_test))
    return float(rec) / len(x_test), float(kl) / len(x_test)


if __name__ == "__main__":
    main()
