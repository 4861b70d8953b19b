"""Where a step's time goes: each operation in its place in the step, as threads share it.

`fit` trains as ever, but each thread notes when it begins and ends an operation: the best of all
steps, the mean of the threads. "waiting" is what passed before it since the operation before it
ended, at a barrier mostly. "of peak" is for matrix products alone, as in `bench.train`.

    python -m bench.operations [--nets ref,k50] [--threads 1,2] [--isa avx2] [--all]
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby, product
from typing import NamedTuple

from . import measure, peak
from .nets import NETS, Net, on_data

EPOCHS = 3
PEAKS = 5


class Part(NamedTuple):
    """An operation of a step: seconds of each thread, and its floating-point operations."""

    name: str
    seconds: float
    waiting: float
    flop: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(
        __doc__, peak.LOOP, rounds=EPOCHS, threads=[1], without=["peers", "plot"]
    )
    parser.add_argument("--nets", default="ref", metavar="A,B", help=f"of {', '.join(NETS)}")
    parser.add_argument("--all", action="store_true", help="each operation, not sums of the like")
    measure.add_data(parser)
    args = measure.read(parser, argv)
    nets = {name: on_data(Net.parse(name), args.data) for name in args.nets.split(",")}
    measure.need_data(parser, [data for _, data in nets.values()])
    facts = measure.print_header(__doc__, args)
    from .timed import timed  # now that the instruction set is said, which its import asks for

    results = []
    for threads, (name, (net, data)) in product(args.threads, nets.items()):
        most = max(peak.rate(threads) for _ in range(PEAKS))
        program, _ = timed(net, data, args.rounds, threads)
        found = list(program.parts())
        whole, median = sum(part.seconds for part in found), statistics.median(program.steps)
        print(f"\n{name}: {net}; {measure.threaded(threads)}; peak {most:.0f} GFLOP/s")
        print(report(found if args.all else together(found), most / threads))
        share = net.flop() / whole / 1e9 / most
        print(f"all of them {whole * 1e3:.3f} ms, {share:.0%} of the peak")
        print(f"the step {median * 1e3:.3f} ms (median), {min(program.steps) * 1e3:.3f} (least)")
        results += [{"net": name, "threads": threads, **part._asdict()} for part in found]
    measure.write_json(args.json, facts, results)


def together(found: Iterable[Part]) -> list[Part]:
    """The sums of those that are called the same, the longest first."""
    rows = []
    for name, group in groupby(sorted(found), key=lambda part: part.name):
        _, *figures = zip(*group, strict=True)
        rows.append(Part(name, *map(sum, figures)))
    return sorted(rows, key=lambda part: -part.seconds)


def report(rows: Iterable[Part], most: float) -> str:
    """A line for each; `most` is what a thread can do, in GFLOP/s."""
    cells = [
        [
            part.name,
            f"{part.seconds * 1e6:.1f}",
            f"{part.waiting * 1e6:.1f}",
            f"{part.flop / part.seconds / 1e9 / most:.0%}" if part.flop and part.seconds else "-",
        ]
        for part in rows
    ]
    return measure.table(["operation", "us a step", "waiting", "of peak"], cells)


if __name__ == "__main__":
    main()
