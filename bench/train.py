"""How long a training step takes, and what share of the machine's arithmetic that is.

Every peer trains one model without a break, in a process of its own; a round is one epoch of each,
in turn. Ratios are of medians. The losses stand beside the times, since a fast wrong program is no
peer. "of peak" is the arithmetic of the step's matrix products over its time, as a share of what
the processor's multiply-adds do in registers, measured in the same rounds (`bench.peak`).

With --check the ratios are compared with those of a file that --json wrote, such as
bench/recorded/avx2.json, and a ratio that fell by more than a tenth gives a line and exit 1.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import measure, pictures, recorded
from .nets import NETS, Net, on_data, whole_batches
from .peers import TRAINING
from .processes import Job, interleaved

ROWS = {"k50": 6_000, "wide": 20_480, "wider": 8_192}
ALL_ROWS = 60_000
QUICK_NETS = ["ref", "small"]
QUICK_STEPS = 20
HIGH = 1.25
"""How far above the best a loss may end before it is pointed out: what a better start is worth over
a few epochs stays below."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, TRAINING, rounds=5)
    parser.add_argument(
        "--nets",
        type=_nets,
        metavar="A,B",
        help=f"of {', '.join(NETS)}, or widths such as 30-64-8, trained on random rows unless the "
        f"first is 784; by default all of those, with --quick {' and '.join(QUICK_NETS)}",
    )
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="exit 1 where a ratio is below that of the file"
    )
    measure.add_data(parser)
    args = measure.read(parser, argv)
    try:
        before = recorded.read(args.check, args.isa) if args.check else None
    except ValueError as error:
        parser.error(str(error))
    names = args.nets or (QUICK_NETS if args.quick else list(NETS))
    setups = [(name, *on_data(Net.parse(name), args.data)) for name in names]
    measure.need_data(parser, [data for _, _, data in setups])
    facts = measure.print_header(__doc__, args)
    results = []
    for name, net, data in setups:
        rows = QUICK_STEPS * net.batch if args.quick else ROWS.get(name, ALL_ROWS)
        rows = whole_batches(net, rows)
        for threads in args.threads:
            print(
                f"\n{name}: {net}; {rows} rows of {data}; {measure.threaded(threads)}", flush=True
            )
            answers = run(args.peers, net, data, rows, threads, args.rounds)
            found, peak = figures(answers, net, rows)
            print(f"{net.flop() / 1e6:.1f} MFLOP a step; peak {peak or math.nan:.0f} GFLOP/s")
            print(report(found))
            if not args.quick:
                for line in warnings(found):
                    print(line)
            results += [{"net": name, "threads": threads, "peak_gflops": peak, **f} for f in found]
    measure.write_json(args.json, facts, results)
    pictures.save(args.plot, lambda: pictures.training(results))
    if before is not None:
        below = recorded.short(results, before)
        print("\n".join(below or [f"no ratio fell below those of {args.check}"]))
        sys.exit(1 if below else 0)


def _nets(text: str) -> list[str]:
    try:
        for name in text.split(","):
            Net.parse(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text.split(",")


def run(
    peers: Sequence[str], net: Net, data: str, rows: int, threads: int, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """The answers of each peer, and of "peak"."""
    jobs = {peer: Job("train", peer, threads, net, data, rows) for peer in peers}
    return interleaved({**jobs, "peak": Job("peak", "peak", threads)}, rounds)


def figures(
    answers: Mapping[str, list[dict[str, Any]]], net: Net, rows: int, flop: int | None = None
) -> tuple[list[dict[str, Any]], float | None]:
    """A row of figures for each peer, and the peak in GFLOP/s.

    The first answer is a warm-up: its time is dropped, its loss is the first epoch's. `flop` is a
    step's, by default the net's.
    """
    peak = max((answer["gflops"] for answer in answers.get("peak", [])), default=None)
    trained = {peer: given for peer, given in answers.items() if peer != "peak"}
    steps = rows / net.batch
    ms = {
        peer: measure.Spread.of([answer["seconds"] / steps * 1e3 for answer in given[1:]])
        for peer, given in trained.items()
    }
    ratios = measure.ratios(ms)
    return [
        {
            "peer": peer,
            "ms_per_step": asdict(ms[peer]),
            "ratio": ratios[peer],
            "of_peak": share(flop or net.flop(), asdict(ms[peer]), peak),
            "losses": [answer["loss"] for answer in given],
        }
        for peer, given in trained.items()
    ], peak


def share(flop: int, ms: Mapping[str, float], gflops: float | None) -> float | None:
    """A step's arithmetic over its median time, as a share of the peak."""
    return flop / (ms["median"] * 1e6) / gflops if gflops else None


def report(found: Sequence[Mapping[str, Any]]) -> str:
    head = ["peer", "ms/step", "least .. most", "x npvae", "of peak", "loss by epoch"]
    rows = [
        [
            row["peer"],
            *measure.spread_cells(measure.Spread(**row["ms_per_step"])),
            measure.significant(row["ratio"], 3),
            measure.percent(row["of_peak"]),
            curve(row["losses"]),
        ]
        for row in found
    ]
    return measure.table(head, rows)


def curve(losses: Sequence[float], shown: int = 6) -> str:
    """The losses of the epochs; of many, some evenly spread, with the first and the last."""
    last = len(losses) - 1
    picked = (
        range(last + 1) if last < shown else [round(i * last / (shown - 1)) for i in range(shown)]
    )
    return " ".join(f"{losses[i]:7.2f}" for i in picked)


def warnings(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each peer whose loss ends far above the best, or is no number."""
    ends = [row["losses"][-1] for row in found if math.isfinite(row["losses"][-1])]
    best = min(ends, default=math.nan)
    return [
        f"{row['peer']} ends at {row['losses'][-1]:.2f} nats and the best peer at {best:.2f}: "
        "find out why before believing its time"
        for row in found
        if not row["losses"][-1] <= HIGH * best
    ]


if __name__ == "__main__":
    main()
