"""How long a fresh process takes to its first result: an import, an encoded row, a training step.

From the start of the interpreter to the line that it prints then. Each round starts one process of
each peer, in turn; the first round warms the disk's and the compilers' caches and is not counted.
npvae's first training step is that of a second start: its compiled kernels are in the cache, which
is new and empty at the beginning; what the very first start took stands below.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import measure, pictures, programs
from .processes import fresh_interleaved

Results = list[tuple[float, str]]


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, programs.PEERS, rounds=11)
    args = measure.read(parser, argv, quick_rounds=1)
    facts = measure.print_header(__doc__, args)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        models = programs.saved_models(Path(folder), args.peers)
        digits = programs.saved_digits(Path(folder))
        for threads in args.threads:
            steps = {peer: [digits, str(threads)] for peer in programs.FIRST_STEP}
            caches = {"NUMBA_CACHE_DIR": str(Path(folder, f"cache{threads}"))}
            for section, known, arguments in (
                ("import", programs.IMPORT, {}),
                ("first encoded row, 784-400-20", programs.ENCODE, models),
                ("first training step, 64-256-8", programs.FIRST_STEP, steps),
            ):
                chosen = {peer: known[peer] for peer in args.peers if peer in known}
                print(f"\n{section}; {measure.threaded(threads)}", flush=True)
                runs = fresh_interleaved(chosen, arguments, args.rounds, threads, caches)
                found = figures(runs)
                print(report(found))
                for line in notes(section, found):
                    print(line)
                results += [{"section": section, "threads": threads, **row} for row in found]
    measure.write_json(args.json, facts, results)
    pictures.save(
        args.plot, lambda: pictures.bars(results, "ms", "ms", "process start to first result")
    )


def figures(runs: Mapping[str, Results]) -> list[dict[str, Any]]:
    """A row for each peer: milliseconds, and what it printed last."""
    ms = {
        peer: measure.Spread.of([seconds * 1e3 for seconds, _ in of[1:]])
        for peer, of in runs.items()
    }
    ratios = measure.ratios(ms)
    return [
        {
            "peer": peer,
            "ms": asdict(ms[peer]),
            "ratio": ratios[peer],
            "first_ms": of[0][0] * 1e3,
            "result": of[-1][1].strip(),
        }
        for peer, of in runs.items()
    ]


def report(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            row["peer"],
            *measure.spread_cells(measure.Spread(**row["ms"])),
            measure.significant(row["ratio"], 3),
            row["result"][:9],
        ]
        for row in found
    ]
    return measure.table(["peer", "ms", "least .. most", "x npvae", "result"], rows)


def notes(section: str, found: Sequence[Mapping[str, Any]]) -> list[str]:
    of = {row["peer"]: row for row in found}
    if section == "import" and {"npvae", "numpy"} <= set(of):
        more = of["npvae"]["ms"]["median"] - of["numpy"]["ms"]["median"]
        return [f"import npvae takes {more:.1f} ms on top of import numpy"]
    if "training" in section and "npvae" in of:
        return [f"npvae's very first start, with an empty cache: {of['npvae']['first_ms']:.0f} ms"]
    return []


if __name__ == "__main__":
    main()
