"""How long a training step takes: npvae on both kernel sets beside PyTorch, interleaved.

    NPVAE_DATA=FOLDER python -m bench.train [--rounds 5] [--threads N] [--quick] [--json FILE]

Each round trains every peer for one epoch of MNIST, in turn, so that a machine that slows down
slows all of them. The figure is the ratio of medians. Needs the `bench` extra.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import npvae as nv
from npvae.threads import usable_cores

from .peers import TorchVAE, tensor, train_torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, two rounds")
    parser.add_argument("--json", help="where to write the figures as well")
    args = parser.parse_args()
    x, _ = nv.datasets.load(os.path.join(os.environ["NPVAE_DATA"], "mnist"), "train")
    rounds = 2 if args.quick else args.rounds
    x = x[: len(x) // 10] if args.quick else x
    print(
        f"784-400-20, batch 128, {args.threads} threads, {len(x)} rows; npvae {nv.__version__}, "
        f"NumPy {np.__version__}, torch {torch.__version__}, {platform.machine()}"
    )
    peers = {
        "npvae, numba": npvae_peer(x, args.threads, "numba"),
        "npvae, NumPy": npvae_peer(x, args.threads, "numpy"),
        "PyTorch, fused Adam": torch_peer(x, args.threads),
    }
    steps = -(-len(x) // 128)
    times: dict[str, list[float]] = {name: [] for name in peers}
    losses: dict[str, list[float]] = {name: [] for name in peers}
    for counted in range(-1, rounds):  # the first round compiles and warms up
        for name, epoch in peers.items():
            started = time.perf_counter()
            loss = epoch()
            if counted >= 0:
                times[name].append((time.perf_counter() - started) / steps * 1e3)
                losses[name].append(loss)
    report(times, losses)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"ms_per_step": times, "losses": losses}, file, indent=1)


def npvae_peer(x: np.ndarray, threads: int, kernels: str) -> Callable[[], float]:
    """One more epoch of an npvae model at each call; its optimiser starts anew, as fit's does."""
    model = nv.VAE(784, 20)

    def epoch() -> float:
        nv.use_kernels(kernels)
        try:
            return nv.fit(model, x, epochs=1, threads=threads).records[0]["train_loss"]
        finally:
            nv.use_kernels(None)

    return epoch


def torch_peer(x: np.ndarray, threads: int) -> Callable[[], float]:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, data, losses = TorchVAE(784, 400, 20), tensor(x), []

    def epoch() -> float:
        train_torch(model, data, 1, 128, losses.append)
        return losses[-1]

    return epoch


def report(times: dict[str, list[float]], losses: dict[str, list[float]]) -> None:
    base = statistics.median(next(iter(times.values())))
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:20} {median:7.3f} ms/step ({min(values):.3f} to {max(values):.3f})  "
            f"x{median / base:.2f}  loss {losses[name][-1]:.2f}"
        )


if __name__ == "__main__":
    main()
