"""Matrix products alone, by size: npvae's beside NumPy's BLAS and PyTorch's.

C (m, n) = A (m, k) B (k, n) in float32, whole matrices over and over, so that what fits into a
cache lies there. Each peer has a process, and they take turns; medians. npvae's threads share the
rows of C, and B's panels where it is packed, without waiting for each other between two products.

    python -m bench.products [--threads 1,2] [--isa avx2] [--sizes 400x128x784,512x512x512]
"""

from __future__ import annotations

import argparse
import functools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import measure
from .processes import Job, interleaved

PEERS = {
    "npvae": "npvae's operation of a training step",
    "numpy": "NumPy's matmul, by the BLAS of its wheel",
    "torch": "PyTorch's mm",
}
SIZES = ("400x128x784", "784x128x400", "512x512x512", "1024x1024x1024", "1600x512x784", "64x64x30")
FLOP_OF_CALL = 5e9
"""Of npvae's products in a call, which starts threads as a chunk of training steps does."""

Array = np.ndarray
Size = tuple[int, int, int]


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, PEERS, rounds=5, without=["plot"])
    parser.add_argument("--sizes", type=parsed, default=parsed(",".join(SIZES)), metavar="MxNxK,..")
    args = measure.read(parser, argv)
    facts = measure.print_header(__doc__, args)
    results = []
    text = ",".join("x".join(map(str, size)) for size in args.sizes)
    for threads in args.threads:
        jobs = {peer: Job("products", peer, threads, data=text) for peer in args.peers}
        found = rates(interleaved(jobs, args.rounds), args.sizes)
        print(f"\n{measure.threaded(threads)}, GFLOP/s")
        print(report(found, args.peers))
        results += [{"threads": threads, **row} for row in found]
    measure.write_json(args.json, facts, results)


def parsed(text: str) -> list[Size]:
    """Sizes such as 400x128x784."""
    try:
        sizes = [tuple(map(int, each.split("x"))) for each in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or any(len(size) != 3 or min(size) < 1 for size in sizes):
        raise argparse.ArgumentTypeError(f"sizes are MxNxK, such as 400x128x784; got {text!r}")
    return sizes


def rates(
    answers: Mapping[str, Sequence[Mapping[str, Any]]], sizes: Sequence[Size]
) -> list[dict[str, Any]]:
    """Of each size the median rate of each peer; the first answer is a warm-up."""
    found = []
    for i, (m, n, k) in enumerate(sizes):
        seconds = {
            peer: float(np.median([answer["each"][i] for answer in given[1:]]))
            for peer, given in answers.items()
        }
        gflops = {peer: 2e-9 * m * n * k / each for peer, each in seconds.items()}
        found.append({"size": [m, n, k], "gflops": gflops})
    return found


def report(found: Sequence[Mapping[str, Any]], peers: Sequence[str]) -> str:
    rows = []
    for row in found:
        rate = row["gflops"]
        best = max((rate[peer] for peer in rate if peer != "npvae"), default=float("nan"))
        share = measure.percent(rate["npvae"] / best) if "npvae" in rate else "-"
        size = " x ".join(map(str, row["size"]))
        rows.append([size, *(f"{rate[p]:.0f}" if p in rate else "-" for p in peers), share])
    return measure.table(["m x n x k", *peers, "of the best other"], rows)


def seconds_of_each(job: Job) -> Callable[[], list[float]]:
    """What measures the time of one product of each size, in the order of the sizes."""
    from .worker import seconds_of

    multiply, rng = MULTIPLY[job.peer], np.random.default_rng(0)
    calls = []
    for m, n, k in parsed(job.data):
        a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
        call, result, times = multiply(a, b, job.threads)
        call()  # after which all of a B that is packed is there
        call()
        if not np.allclose(np.asarray(result), a @ b, rtol=1e-3, atol=1e-3 * k**0.5):
            raise ValueError(f"{job.peer}'s product of {m} x {n} x {k} is wrong")
        calls.append((call, times))
    return lambda: [seconds_of(call) / times for call, times in calls]


def by_numpy(a: Array, b: Array, threads: int) -> tuple[Callable[[], Any], Any, int]:
    c = np.empty((len(a), b.shape[1]), np.float32)
    return lambda: np.matmul(a, b, out=c), c, 1


def by_torch(a: Array, b: Array, threads: int) -> tuple[Callable[[], Any], Any, int]:
    import torch

    torch.set_num_threads(threads)
    one, two = torch.from_numpy(a), torch.from_numpy(b)
    c = torch.empty(len(a), b.shape[1])
    return lambda: torch.mm(one, two, out=c), c, 1


def by_npvae(a: Array, b: Array, threads: int) -> tuple[Callable[[], Any], Any, int]:
    from npvae.executor.cores import own_core
    from npvae.executor.operations import products
    from npvae.executor.operations.tiles import LANES

    (m, k), n, wide = a.shape, b.shape[1], products.WIDE
    c, scratch = np.empty((m, n), np.float32), np.empty((threads, products.SCRATCH), np.float32)
    panels = -(-n // wide) if products.b_is_packed(m, n, k) else 0
    copy = np.zeros(panels * wide * k + LANES, np.float32)
    at, row, panel = (copy.ctypes.data, wide, wide * k) if panels else (b.ctypes.data, n, wide)
    packed = int(products.a_is_packed(k, m, n))
    times, repeated = math.ceil(FLOP_OF_CALL / (2 * m * n * k)), _repeated()
    taken: list[int] = []

    def run(thread: int) -> None:
        own_core(taken)
        (lo, hi), (first, last) = (
            (items * thread // threads, items * (thread + 1) // threads) for items in (m, panels)
        )
        repeated(
            times, (b.ctypes.data, n, copy.ctypes.data, n, k, first, last),
            a.ctypes.data, k, 1, at, row, panel, c.ctypes.data, n, n, k, packed, lo, hi,
            scratch[thread].ctypes.data,
        )  # fmt: skip

    def call() -> None:
        taken.clear()
        others = [threading.Thread(target=run, args=(i,)) for i in range(1, threads)]
        for other in others:
            other.start()
        run(0)
        for other in others:
            other.join()

    return call, c, times


@functools.cache
def _repeated() -> Any:
    """The operations, so many times: B's panels packed, where there are any, and the product."""
    import numba

    from npvae.executor.operations.products import pack, product

    @numba.njit(nogil=True)
    def repeated(times: int, packing: tuple[int, ...], *arguments: int) -> None:
        for _ in range(times):
            pack(*packing)
            product(*arguments)

    return repeated


MULTIPLY = {"npvae": by_npvae, "numpy": by_numpy, "torch": by_torch}

if __name__ == "__main__":
    main()
