"""Kills, full disks and interrupts at every file operation of what writes models and runs.

    python -m tests.crash                 every operation, and as many kills at random moments
    python -m tests.crash --most 20       20 of each kind, spread over the operations
    python -m tests.crash --scenario 0 --fate kill --at 17      one case, shown

Exit 1 where an old run was lost, what is left can't be loaded, or does not resume bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes are forked
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import npvae as nv
import npvae.cli.reports
import npvae.cli.train

from .fates import FATES, Fate, count, in_child
from .scenarios import SCENARIOS


def main():
    options = parsed()
    nv.use_kernels("numpy")
    began, met, lost = time.perf_counter(), 0, 0
    chosen = SCENARIOS if options.scenario is None else [SCENARIOS[options.scenario]]
    print(f"{'':<38} {'operations':>10} {'fate':>10} {'cases':>6} {'lost':>5}")
    with tempfile.TemporaryDirectory(prefix="npvae-crash-") as scratch:
        for number, scenario in enumerate(chosen):
            for row, wrong in tried(scenario, Path(scratch) / str(number), options):
                print(row, *(f"    {why}" for why in wrong), sep="\n", flush=True)
                met, lost = met + int(row.split()[-2]), lost + len(wrong)
    print(f"{lost} of {met} lost, in {time.perf_counter() - began:.0f} s")
    return 1 if lost else 0


def tried(scenario, folder, options):
    """A row of the table for each fate, and what was wrong where something was."""
    scenario.ready(folder)

    def act():
        fresh(folder)
        return scenario.action(folder / "now")

    operations, seconds = count(act)
    for kind, cases in fates(options, operations, seconds):
        wrong = [why for case in cases if (why := meet(scenario, folder, kind, case))]
        row = f"{scenario.name:<38} {operations:>10} {kind:>10} {len(cases):>6} {len(wrong):>5}"
        yield row, wrong


def fates(options, operations, seconds):
    """The kinds of fate, each with the moments at which it comes."""
    places = range(operations)
    if options.most is not None and options.most < operations:
        places = [i * operations // options.most for i in range(options.most)]
    if options.at is not None:
        places = [options.at]
    for kind in FATES if options.fate is None else [options.fate]:
        if kind != "random":
            yield kind, places
    if options.fate in (None, "random"):
        drawn = random.Random(options.seed)
        yield "random", [drawn.uniform(0, 1.1 * seconds) for _ in places]


def fresh(folder):
    shutil.rmtree(folder / "now", ignore_errors=True)
    shutil.copytree(folder / "start", folder / "now", symlinks=True)


def meet(scenario, folder, kind, at):
    """Let one fate come and judge what is left; gives what is wrong, or an empty text."""
    fresh(folder)
    random_kill = kind == "random"
    fate = None if random_kill else Fate(kind, at)
    code = in_child(lambda: scenario.action(folder / "now"), fate, at if random_kill else None)
    if code in (1, 99):
        return f"{kind} {at}: a traceback, or a failed check"
    try:
        why = scenario.judge(folder / "now")
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    return f"{kind} {at}: {why}" if why else ""


def parsed():
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--most", type=int, metavar="N", help="cases of each kind, at most")
    parser.add_argument("--scenario", type=int, metavar="I", choices=range(len(SCENARIOS)))
    parser.add_argument("--fate", choices=[*FATES, "random"])
    parser.add_argument("--at", type=int, metavar="K", help="the operation, from 0")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
