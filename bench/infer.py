"""How long encode, decode and the ELBO take: of one row, 16, 256 and 10,000, in microseconds.

npvae through its public calls, which check their input, on NumPy arrays, by NumPy alone and
compiled; ONNX Runtime on the same arrays; PyTorch on tensors that are there already, within one
inference_mode. All have the same random weights, and the sums of their results are compared; each
draws the ELBO's noise by itself. Each peer has a process, and they take turns; ratios are of
medians.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from . import measure, pictures
from .nets import NETS, Net
from .peers import INFERENCE
from .processes import Job, interleaved

DIFFERENCE = {"encode": 1e-3, "decode": 1e-3, "score": 2e-2}
"""Relative, of sums over thousands of float32 numbers; a score has noise of each peer's own."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, INFERENCE, rounds=7)
    args = measure.read(parser, argv)
    facts = measure.print_header(__doc__, args)
    results = []
    for name in ("small", "ref"):
        for threads in args.threads:
            print(f"\n{name}: {NETS[name].widths}; {measure.threaded(threads)}", flush=True)
            found = figures(run(args.peers, NETS[name], threads, args.rounds))
            print(report(found))
            results += [{"net": name, "threads": threads, **row} for row in found]
    measure.write_json(args.json, facts, results)
    pictures.save(args.plot, lambda: pictures.inference(results))


def run(
    peers: Sequence[str], net: Net, threads: int, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    return interleaved({peer: Job("infer", peer, threads, net) for peer in peers}, rounds)


def figures(answers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each call and peer; the first answer is a warm-up."""
    found = []
    for call in next(iter(answers.values()), [{"us": {}}])[0]["us"]:
        us = {
            peer: measure.Spread.of([answer["us"][call] for answer in given[1:]])
            for peer, given in answers.items()
        }
        sums = {peer: given[0]["sums"][call] for peer, given in answers.items()}
        ratios, expected = measure.ratios(us), next(iter(sums.values()))
        found += [
            {
                "call": call,
                "peer": peer,
                "us": asdict(us[peer]),
                "ratio": ratios[peer],
                "agrees": _close(call, sums[peer], expected),
            }
            for peer in answers
        ]
    return found


def _close(call: str, total: float, expected: float) -> bool:
    """Whether two sums of a call's results are the same but for rounding, and noise if it draws."""
    most = DIFFERENCE[call.split()[0]]
    return math.isclose(total, expected, rel_tol=most, abs_tol=most)


def report(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            row["call"],
            row["peer"],
            *measure.spread_cells(measure.Spread(**row["us"])),
            measure.significant(row["ratio"], 3),
            "same" if row["agrees"] else "DIFFERS",
        ]
        for row in found
    ]
    return measure.table(["call", "peer", "us", "least .. most", "x npvae", "result"], rows)


if __name__ == "__main__":
    main()
