"""The command ``python -m tests.mutation``; ``--help`` explains it."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path

from .collect import with_tests
from .equivalents import entries, reason
from .judge import PATIENCE, Judge, Mutant, Verdict
from .kept import Kept
from .mutator import mutations
from .report import Report
from .targets import Target, discover

QUICK = 10
"""Of how many mutants ``--quick`` takes one."""


def main() -> int:
    options = _options()
    started = time.perf_counter()
    targets = discover()
    chosen = {t.name: t for name in options.only for t in targets if name in t.name}
    mutants = _mutants(list(chosen.values()))
    unused = entries() - {(m.target.name, name) for m in mutants for name in m.mutation.names}
    if options.quick or "" not in options.only:
        unused.clear()
    if options.quick:
        mutants = [m for m in mutants if not m.equivalent][::QUICK]
    if options.list:
        for m in mutants:
            print(_described(m) + (f"   # {m.equivalent}" if m.equivalent else ""))
        return 0
    if not hasattr(os, "fork"):
        print("the mutation test forks a process for each mutant, which this system can't do")
        return 2
    run = _Run(options, mutants, Report([], sorted(unused), [], 0.0), started)
    tests = ["-k", options.k, "-m", "" if options.slow else "not slow"]
    with_tests(options.tests, tests, targets, run.work)
    report = run.report
    report.minutes = (time.perf_counter() - started) / 60
    print(report, flush=True)
    if options.write:
        Path(options.write).write_text(report.markdown(), encoding="utf-8")
    return 0 if report.ok else 1


class _Run:
    """The mutants of one run, judged in the place of pytest's loop over the tests."""

    def __init__(
        self, options: argparse.Namespace, mutants: list[Mutant], report: Report, started: float
    ) -> None:
        self.options, self.mutants, self.report = options, mutants, report
        self.kept = Kept(options.keep)
        self.deadline = started + 60 * options.minutes

    def work(self, judge: Judge) -> None:
        options, kept, report = self.options, self.kept, self.report
        judge.workers, judge.patience = options.workers, options.patience
        _say(f"{len(judge.tests)} tests run on the unchanged package ...")
        known = kept.verdicts(self.mutants, judge)
        report.verdicts.extend(known)
        report.earlier = len(known)
        rest = [m for m in self.mutants if id(m) not in {id(v.mutant) for v in known}]
        if known:
            _say(f"{len(known)} mutants were judged before, {len(rest)} are left")
        if rest and time.perf_counter() < self.deadline:
            judge.measure({mutant.target for mutant in rest})
            report.idle = judge.failed
            self._judge(judge, rest)
        found = {id(v.mutant) for v in report.verdicts}
        left = [m for m in rest if id(m) not in found]
        report.verdicts += [Verdict(m, None, died=False) for m in left if kept.alive(m)]
        report.unjudged = [m for m in left if not kept.alive(m)]

    def _judge(self, judge: Judge, rest: list[Mutant]) -> None:
        for done, verdict in enumerate(judge.verdicts(rest), start=1):
            self.kept.add(verdict)
            self.report.verdicts.append(verdict)
            if self.options.verbose or verdict.kind in ("survived", "refuted"):
                _say(f"{verdict.kind}: {_described(verdict.mutant)}")
            if self.options.verbose and verdict.killer:
                _say(f"    by {verdict.killer}")
            late = time.perf_counter() > self.deadline
            if done % 20 == 0 or done == len(rest) or late:
                self.kept.write()
            if done % 100 == 0 or done == len(rest) or late:
                _say(f"{done} of {len(rest)} mutants judged")
            if late:
                break


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Change the mathematics in every small way; each change must fail a test.",
        epilog="Exit 1 where a mutant survives that is not listed in equivalents.",
    )
    parser.add_argument("--quick", action="store_true", help=f"one mutant in {QUICK}")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="NAME",
        help="targets whose name contains this, such as kernels.training.adam; in this order",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="show the mutants and judge none")
    parser.add_argument("--verbose", action="store_true", help="show what kills each mutant")
    parser.add_argument("--tests", nargs="+", default=["tests"], metavar="PATH", help="the judges")
    parser.add_argument(
        "-k", default="", metavar="NAME", help="of these such ones, as pytest has it"
    )
    parser.add_argument("--slow", action="store_true", help="those marked as slow judge too")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, metavar="SECONDS",
        help=f"of tests on a mutant until it counts as a survivor ({PATIENCE:g})",
    )  # fmt: skip
    parser.add_argument(
        "--keep", nargs="+", default=[], metavar="FILE",
        help="go on from earlier runs: a mutant is not judged again where its function is as it "
        "was and its killer is still there, or it rightly survived; the first file is written as "
        "the run goes on, and then has all that is known",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=math.inf,
        help="how long to judge; with 0 the report is of what is kept",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--write", metavar="FILE", help="write the result as Markdown")
    return parser.parse_args()


def _mutants(targets: list[Target]) -> list[Mutant]:
    """Every mutant of the targets, with what `equivalents` says of it."""
    return [
        Mutant(target, mutation, reason(target.name, mutation.names))
        for target in targets
        for mutation in mutations(target.tree)
    ]


def _described(mutant: Mutant) -> str:
    return f"{mutant.target.name}: {mutant.mutation.names[-1]}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
