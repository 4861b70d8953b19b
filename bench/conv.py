"""How long a training step of a convolutional VAE takes, beside the same net in PyTorch and JAX.

As `bench.train` does it for dense nets: each peer in a process of its own, an epoch of each in
turn, ratios of medians, the losses beside the times. "CPU" is the time that processors worked for
the process: with one thread, where other programs use the same cores, it says more than the clock;
threads that wait for each other work as well. "of peak" counts the arithmetic of convolutions and
products without what padding would be multiplied with, against the clock and, in brackets, against
CPU time. The faces are the ORL set's, 64 x 64, from the folder that NPVAE_DATA names.

    python -m bench.conv [--nets mnist,faces] [--threads 1,2] [--isa avx2]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from . import measure, train
from .nets import IMAGES, Net
from .peers import CONVOLVING

STEPS = {"mnist": 100, "faces": 12}
"""Of an epoch, unless --steps says otherwise."""
QUICK_STEPS = 3
PEERS = [peer for peer in CONVOLVING if peer not in ("numpy", "jax_step")]


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, CONVOLVING, rounds=5, peers=PEERS, without=["plot"])
    parser.add_argument(
        "--nets", type=_nets, default=list(IMAGES), metavar="A,B", help=f"of {', '.join(IMAGES)}"
    )
    parser.add_argument("--steps", type=measure.count, metavar="N", help="of an epoch")
    quick = [peer for peer in PEERS if "compile" in peer]
    args = measure.read(parser, argv, quick)
    measure.need_data(parser, [IMAGES[name][1] for name in args.nets])
    facts = measure.print_header(__doc__, args)
    results = []
    for name in args.nets:
        net, data = IMAGES[name]
        rows = net.batch * (args.steps or (QUICK_STEPS if args.quick else STEPS[name]))
        for threads in args.threads:
            print(f"\n{name}: {net}; {rows} rows; {measure.threaded(threads)}", flush=True)
            answers = train.run(args.peers, net, data, rows, threads, args.rounds)
            found, peak = train.figures(answers, net, rows)
            print(f"{net.flop() / 1e9:.2f} GFLOP a step; peak {peak or math.nan:.0f} GFLOP/s")
            worked(found, answers, net, rows)
            print(report(found))
            results += [{"net": name, "threads": threads, "peak_gflops": peak, **f} for f in found]
    measure.write_json(args.json, facts, results)


def worked(
    found: Sequence[dict[str, Any]], answers: Mapping[str, list[dict[str, Any]]], net: Net,
    rows: int,
) -> None:  # fmt: skip
    """Enter each peer's CPU time for a step, its ratio to npvae's, and the share of the peak."""
    ms = {
        peer: measure.Spread.of([a["cpu_seconds"] * net.batch / rows * 1e3 for a in given[1:]])
        for peer, given in answers.items()
    }
    ratios = measure.ratios(ms)
    rates = [a["gflops"] * a["seconds"] / a["cpu_seconds"] for a in answers.get("peak", [])]
    peak = max(rates, default=None)  # of a core that works for nothing else
    for row in found:
        cpu = asdict(ms[row["peer"]])
        row |= {"cpu_ms": cpu, "cpu_ratio": ratios[row["peer"]]}
        row |= {"cpu_of_peak": train.share(net.flop(), cpu, peak)}


def report(found: Sequence[Mapping[str, Any]]) -> str:
    head = ["peer", "ms/step", "least .. most", "x npvae", "CPU ms", "x npvae", "of peak",
            "loss by epoch"]  # fmt: skip
    rows = [
        [
            row["peer"],
            *measure.spread_cells(measure.Spread(**row["ms_per_step"])),
            measure.significant(row["ratio"], 3),
            measure.significant(row["cpu_ms"]["median"]),
            measure.significant(row["cpu_ratio"], 3),
            f"{measure.percent(row['of_peak'])} ({measure.percent(row['cpu_of_peak'])})",
            train.curve(row["losses"]),
        ]
        for row in found
    ]
    return measure.table(head, rows)


def _nets(text: str) -> list[str]:
    for name in text.split(","):
        if name not in IMAGES:
            raise argparse.ArgumentTypeError(f"a net is one of {', '.join(IMAGES)}; got {name!r}")
    return text.split(",")


if __name__ == "__main__":
    main()
