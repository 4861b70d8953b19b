"""The most resident memory that a process held: an import, load and encode, an epoch of training.

Each figure is a fresh process's own peak in MiB. Training is an epoch of 784-400-20 on MNIST, which
comes as bytes; npvae is measured with its kernels to be compiled (cold) and found in the cache.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from . import measure, pictures, programs
from .nets import NETS, on_data, whole_batches
from .peers import TRAINING, family
from .processes import Job, Worker, attempt, fresh_interleaved

ALL_ROWS = 60_000
QUICK_ROWS = 5_000
COLD = "npvae, cold"


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, TRAINING, rounds=3)
    measure.add_data(parser)
    args = measure.read(parser, argv, ("torch_classic", "torch_compile", "jax_step"), 1)
    net, data = on_data(NETS["ref"], args.data)
    measure.need_data(parser, [data])
    if sys.platform == "win32":
        parser.error("peak memory is read from /proc or getrusage, and Windows has neither")
    facts = measure.print_header(__doc__, args)
    rows = whole_batches(net, QUICK_ROWS if args.quick else ALL_ROWS)
    results = []
    for threads in args.threads:
        jobs = {peer: Job("train", peer, threads, net, data, rows) for peer in args.peers}
        for section, peaks in (
            *of_programs(list(dict.fromkeys(map(family, args.peers))), args.rounds, threads),
            (f"training, {net.widths}, {rows} rows of {data}", of_training(jobs, args.rounds)),
        ):
            print(f"\n{section}; {measure.threaded(threads)}", flush=True)
            found = figures(peaks)
            print(report(found))
            results += [{"section": section, "threads": threads, **row} for row in found]
    measure.write_json(args.json, facts, results)
    pictures.save(args.plot, lambda: pictures.bars(results, "mib", "MiB", "peak memory"))


def of_programs(
    peers: Sequence[str], rounds: int, threads: int
) -> list[tuple[str, dict[str, list[float]]]]:
    """Peaks of the small programs."""
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        models = programs.saved_models(Path(folder), peers)
        for section, known, arguments in (
            ("import", programs.IMPORT, {}),
            ("load and encode a row, 784-400-20", programs.ENCODE, models),
        ):
            chosen = {peer: known[peer] + programs.PEAK for peer in peers if peer in known}
            runs = fresh_interleaved(chosen, arguments, rounds, threads)
            peaks = {peer: [float(out.split()[-1]) for _, out in of] for peer, of in runs.items()}
            sections.append((section, peaks))
    return sections


def of_training(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[float]]:
    """Peaks of an epoch, the processes one after the other; npvae's cold start as a peer."""
    peaks: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            env = {"NUMBA_CACHE_DIR": cache}
            for name, job in jobs.items():
                for start in [COLD, name] if name == "npvae" else [name]:
                    peak = attempt(start, partial(peak_of, job, env))
                    if peak is not None:
                        peaks.setdefault(start, []).append(peak)
    return peaks


def peak_of(job: Job, env: Mapping[str, str]) -> float:
    worker = Worker.of(job, env)
    try:
        return worker.answer()["peak_mib"]
    finally:
        worker.close()


def figures(peaks: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    mib = {name: measure.Spread.of(of) for name, of in peaks.items()}
    ratios = measure.ratios(mib)
    return [{"peer": name, "mib": asdict(mib[name]), "ratio": ratios[name]} for name in mib]


def report(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            row["peer"],
            *measure.spread_cells(measure.Spread(**row["mib"])),
            measure.significant(row["ratio"], 3),
        ]
        for row in found
    ]
    return measure.table(["peer", "MiB", "least .. most", "x npvae"], rows)


if __name__ == "__main__":
    main()
