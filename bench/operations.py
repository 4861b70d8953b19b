"""Where a step's time goes: each operation in its place in the step, on one thread.

`fit` trains as ever, but the compiled loop is asked for one operation at a time, and each is timed
by itself: the best of all steps, less what asking costs. What lies in the caches is what the
operation before it left there. "of peak" is for matrix products alone, as in `bench.train`.

    python -m bench.operations [--nets ref,k50] [--isa avx2] [--all]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from . import measure, peak
from .nets import NETS, Net, on_data

EPOCHS = 3
PEAKS = 5


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(
        __doc__, peak.LOOP, rounds=EPOCHS, threads=[1], without=["peers", "plot", "threads"]
    )
    parser.add_argument("--nets", default="ref", metavar="A,B", help=f"of {', '.join(NETS)}")
    parser.add_argument("--all", action="store_true", help="each operation, not sums of the like")
    measure.add_data(parser)
    args = measure.read(parser, argv)
    nets = {name: on_data(Net.parse(name), args.data) for name in args.nets.split(",")}
    measure.need_data(parser, [data for _, data in nets.values()])
    facts = measure.print_header(__doc__, args)
    from .timed import timed  # now that the instruction set is said, which its import asks for

    most, results = max(peak.rate(1) for _ in range(PEAKS)), []
    for name, (net, data) in nets.items():
        program, _ = timed(net, data, args.rounds)
        found = list(program.times())
        whole = sum(seconds for _, seconds, _ in found)
        print(f"\n{name}: {net}; peak {most:.0f} GFLOP/s")
        print(report(found if args.all else together(found), most))
        print(f"the step {whole * 1e3:.3f} ms, {net.flop() / whole / 1e9 / most:.0%} of the peak")
        results += [
            {"net": name, "operation": what, "seconds": seconds, "flop": flop}
            for what, seconds, flop in found
        ]
    measure.write_json(args.json, facts, results)


def together(found: Iterable[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """The sums of those that are called the same, the longest first."""
    rows = []
    for what, group in groupby(sorted(found), key=lambda row: row[0]):
        _, seconds, flop = zip(*group, strict=True)
        rows.append((what, sum(seconds), sum(flop)))
    return sorted(rows, key=lambda row: -row[1])


def report(rows: Iterable[tuple[str, float, float]], most: float) -> str:
    cells = [
        [
            what,
            f"{seconds * 1e6:.1f}",
            f"{flop / seconds / 1e9 / most:.0%}" if flop and seconds else "-",
        ]
        for what, seconds, flop in rows
    ]
    return measure.table(["operation", "us a step", "of peak"], cells)


if __name__ == "__main__":
    main()
