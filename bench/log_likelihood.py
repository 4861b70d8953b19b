"""log p(x) of MNIST's test rows by 5,000 importance samples each: npvae beside PyTorch.

    NPVAE_DATA=FOLDER python -m bench.log_likelihood [--rows 100] [--net 784-400-20] [--threads 2]

Both have the same weights, those of one epoch of npvae's training, and all cores; rows are evenly
spread over the test set, and each program takes its turn at all of them: medians over the rounds,
of wall and of processor time. PyTorch's program is its users': blocks of 250 samples of 20 rows in
inference mode, log p, log q and log p(z) by torch.distributions or losses, and logaddexp over
blocks. Needs the `bench` extra.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import npvae as nv
from npvae.core.threads import blas_threads, usable_cores

from . import measure, nets
from .resident import peak_mib

SAMPLES, BLOCK, ROWS = 5000, 250, 20

Array = np.ndarray


def trained(net: nets.Net) -> Any:
    x, _ = nv.datasets.load(nets.mnist_folder(), "train")
    model = nv.VAE(784, net.z_dim, hidden=net.hidden, activation=net.activation)
    nv.fit(model, x, epochs=1, binarise=True, progress=False)
    return model


def by_npvae(model: Any, threads: int) -> Callable[[Array], Array]:
    def all_rows(x: Array) -> Array:
        with blas_threads(threads):
            return nv.log_likelihood(model, x, SAMPLES)

    return all_rows


def by_torch(model: Any, net: nets.Net, threads: int) -> Callable[[Array], Array]:
    import torch
    from torch.nn import functional as F  # noqa: N812

    from .peers.with_torch import TorchVAE, state_of

    torch.set_num_threads(threads)
    twin = TorchVAE(784, net.hidden, net.z_dim, net.activation)
    twin.load_state_dict(state_of(model.params))

    def log_w(mu: Any, logvar: Any, x: Any) -> Any:
        eps = torch.randn(BLOCK, *mu.shape)
        z = mu + eps * torch.exp(0.5 * logvar)
        logits = twin.out(twin.decoder(z))
        log_px = -F.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        ).sum(-1)
        return log_px - 0.5 * z.pow(2).sum(-1) + 0.5 * (logvar + eps.pow(2)).sum(-1)

    def all_rows(x: Array) -> Array:
        found = []
        with torch.inference_mode():
            for batch in torch.from_numpy(x).split(ROWS):
                mu, logvar = twin.encode(batch)
                blocks = [
                    torch.logsumexp(log_w(mu, logvar, batch), 0) for _ in range(SAMPLES // BLOCK)
                ]
                found.append(torch.logsumexp(torch.stack(blocks), 0) - math.log(SAMPLES))
        return torch.cat(found).numpy()

    return all_rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--net", type=nets.Net.parse, default=nets.NETS["ref"])
    parser.add_argument("--rows", type=measure.count, default=100)
    parser.add_argument("--rounds", type=measure.count, default=5)
    parser.add_argument("--threads", type=measure.count, default=usable_cores())
    args = parser.parse_args()
    measure.need_data(parser, ["mnist"])
    x, _ = nv.datasets.load(nets.mnist_folder(), "test")
    x = np.ascontiguousarray(x[:: len(x) // args.rows][: args.rows] > 127, np.float32)
    model = trained(args.net)
    programs = {
        "npvae": by_npvae(model, args.threads),
        "torch": by_torch(model, args.net, args.threads),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    found = {}
    for turn in range(args.rounds + 1):
        for name, program in programs.items():
            started = time.perf_counter(), time.process_time()
            found[name] = program(x)
            spent = time.perf_counter() - started[0], time.process_time() - started[1]
            if turn:  # the first is a warm-up
                seconds[name].append(spent)
    medians = {name: np.median(each, axis=0) for name, each in seconds.items()}
    rows = [
        [
            name, f"{1e3 * wall / len(x):.1f}", f"{1e3 * processor / len(x):.1f}",
            f"{wall / medians['torch'][0]:.2f}", f"{processor / medians['torch'][1]:.2f}",
            f"{found[name].mean():.3f}",
        ]
        for name, (wall, processor) in medians.items()
    ]  # fmt: skip
    print(
        f"{args.net.widths}, {len(x)} rows, {SAMPLES:,} samples; {measure.threaded(args.threads)}"
    )
    head = ["program", "ms a row", "processor ms", "/ torch", "processor / torch", "mean log p"]
    print(measure.table(head, rows))
    print(f"peak of both in one process: {peak_mib():.0f} MiB")


if __name__ == "__main__":
    main()
