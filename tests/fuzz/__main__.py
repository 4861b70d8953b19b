"""The command ``python -m tests.fuzz``; ``--help`` explains it."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import npvae as nv

from .subjects import make
from .trial import Trials, Verdict


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Damage run folders, models, checkpoints, tables and arrays, and demand of "
        "what reads them a result or one sentence; exits with 1 where it gets anything else.",
    )
    parser.add_argument("n", nargs="?", type=int, default=20_000, help="mutants (default: 20000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of all of them (default: 0)")
    parser.add_argument("--kernels", default="numpy", help="numpy (the default, quicker) or numba")
    parser.add_argument("--verbose", action="store_true", help="say what became of each")
    options = parser.parse_args()
    nv.use_kernels(options.kernels)
    started, counts = time.perf_counter(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(make(Path(folder)), options.seed, Path(folder))
        for number in range(options.first, options.first + options.n):
            verdict = trials.run(number)
            counts[verdict.kind] += 1
            if options.verbose or not verdict.ok:
                print(_described(verdict), flush=True)
            if number % 1000 == 999:
                print(f"{number + 1 - options.first} mutants, {dict(counts)}", flush=True)
    print(f"{options.n} mutants in {time.perf_counter() - started:.0f} s: {dict(counts)}")
    return 0 if set(counts) <= {"result", "sentence"} else 1


def _described(verdict: Verdict) -> str:
    return f"{verdict.number} {verdict.kind}: {verdict.what}\n{verdict.detail}".rstrip()


if __name__ == "__main__":
    raise SystemExit(main())
