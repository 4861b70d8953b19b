"""How the cost of a training step grows with the width, the batch and the threads.

784-H-20 at batch 128 for H from 64 to 3200, 784-400-20 at batches from 16 to 4096, and 784-1600-20
at batch 512, on random rows. "of peak" is the arithmetic of the step's matrix products over its
time, as a share of what multiply-adds in registers do with as many threads in the same run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from npvae.core.threads import usable_cores

from . import measure, pictures, train
from .nets import NETS, Net
from .peers import TRAINING

HIDDEN = (64, 128, 256, 400, 800, 1600, 3200)
BATCHES = (16, 64, 128, 256, 1024, 4096)
QUICK_HIDDEN = (64, 400)
QUICK_BATCHES = (16, 128, 512)
FLOP_PER_ROUND = 1e11
STEPS = (8, 500)
"""The fewest and the most in a round: long enough to be timed, short enough to be waited for."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(
        __doc__, TRAINING, rounds=5, peers=["npvae"], threads=doublings(usable_cores())
    )
    args = measure.read(parser, argv)
    facts = measure.print_header(__doc__, args)
    grid = points(QUICK_HIDDEN, QUICK_BATCHES) if args.quick else points(HIDDEN, BATCHES)
    results, peaks = [], dict.fromkeys(args.threads, 0.0)
    for net in grid:
        for threads in args.threads:
            print(f"{net}; {measure.threaded(threads)}", file=sys.stderr)
            rows = steps(net) * net.batch
            answers = train.run(args.peers, net, "random", rows, threads, args.rounds)
            found, peak = train.figures(answers, net, rows)
            peaks[threads] = max(peaks[threads], peak or 0.0)
            point = {"hidden": net.hidden[0], "batch": net.batch, "threads": threads}
            results += [{**point, "flop": net.flop(), **row} for row in found]
    for row in results:
        row["peak_gflops"] = peaks[row["threads"]]
        row["of_peak"] = train.share(row["flop"], row["ms_per_step"], row["peak_gflops"])
    print("\n" + report(results))
    for threads, peak in peaks.items():
        print(f"peak, {measure.threaded(threads)}: {peak:.0f} GFLOP/s")
    measure.write_json(args.json, facts, results)
    pictures.save(args.plot, lambda: pictures.scaling(results, NETS["ref"]))


def doublings(cores: int) -> list[int]:
    """1, 2, 4, ... and all cores."""
    return sorted({min(2**i, cores) for i in range(cores.bit_length() + 1)})


def points(hidden: Sequence[int], batches: Sequence[int]) -> list[Net]:
    """The reference network at other widths, and at other batches."""
    ref = NETS["ref"]
    nets = [replace(ref, hidden=(h,)) for h in hidden] + [replace(ref, batch=b) for b in batches]
    if hidden is HIDDEN:
        nets.append(replace(ref, hidden=(1600,), batch=512))
    return list(dict.fromkeys(nets))


def steps(net: Net) -> int:
    """Steps of a round."""
    least, most = STEPS
    return int(min(max(FLOP_PER_ROUND / net.flop(), least), most))


def report(results: Sequence[Mapping[str, Any]]) -> str:
    head = ["peer", "hidden", "batch", "threads", "ms/step", "least .. most", "x npvae", "of peak"]
    rows = [
        [
            row["peer"],
            *(str(row[name]) for name in ("hidden", "batch", "threads")),
            *measure.spread_cells(measure.Spread(**row["ms_per_step"])),
            measure.significant(row["ratio"], 3),
            measure.percent(row["of_peak"]),
        ]
        for row in results
    ]
    return measure.table(head, rows)


if __name__ == "__main__":
    main()
