"""Running the tests on a mutant, in a fork of one process that has collected them all.

Collecting takes seconds and most mutants die within a fraction of one, so pytest is started once
(`collect.py`). In the place of its test loop a child is forked for a few mutants. It installs a
changed function and runs the tests that reach it, the likeliest killers and the quickest first,
until one fails; then it installs the function as it was, and that test must pass again. The parent
never runs a test, and what survives is tried once more in a child of its own, so nothing that a
test has kept can hide a change.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, groupby
from multiprocessing.connection import Connection
from typing import Any

from .forks import Job, in_forks
from .mutator import Mutation
from .targets import REACHED, Constant, Function, Target

STUCK = 600.0
"""Seconds of the clock after which a test is held to wait for ever. All other limits are seconds
that are computed, since those of the clock say little where others use the machine too."""

APART = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"}
"""Events of Python's audit that start a program."""

GLANCE = 10.0
"""Seconds of tests, the likeliest killers and the quickest, on a mutant that is known to change no
value."""

PATIENCE = 60.0
"""Seconds of such tests on any other: one that is alive after them counts as a survivor. What takes
longer alone is no judge."""

BATCH = 25
"""How many mutants share a fork, which costs more than most of them."""

NOT_INSTALLED = "(the changed source raises when it is defined)"


@dataclass
class Test:
    """A collected test, and what it did on the unchanged package.

    `seconds` are those that it computed, `apart` says whether it started a program.
    """

    item: Any
    seconds: float = 0.0
    failed: bool = False
    apart: bool = False
    reached: set[str] = field(default_factory=set)

    __test__ = False


@dataclass(frozen=True)
class Mutant:
    """A mutation of a target, with the reason why it changes no value, if it is said to."""

    target: Target
    mutation: Mutation
    equivalent: str = ""


@dataclass(frozen=True)
class Verdict:
    """The test that killed a mutant, or None where it survived all.

    `died` where that test did not fail, but ended the process or took too long.
    """

    mutant: Mutant
    killer: str | None
    died: bool

    @property
    def kind(self) -> str:
        """``refuted`` is a mutant that is listed as changing no value, and yet a test fails."""
        if self.mutant.equivalent:
            return "equivalent" if self.killer is None else "refuted"
        return "survived" if self.killer is None else "killed"


class Judge:
    """The collected tests, and how to put a mutant before those that reach it."""

    def __init__(
        self, items: list[Any], targets: list[Target], early: set[tuple[str, str]]
    ) -> None:
        self.tests = [Test(item) for item in items]
        self.targets = targets
        self._early = early
        self.workers, self.patience = 2, PATIENCE
        self._kills: Counter[tuple[str, str]] = (
            Counter()
        )  # by a target's or a file's name, and test

    def measure(self, targets: Iterable[Target]) -> None:
        """Run all tests on the unchanged package; note what each reaches and whether it passes.

        One that computes for longer than the patience is given up: no mutant would get that far.
        Those that may judge one of the targets run twice: each for itself, with fixtures of its
        own, and then quickest first, as mutants meet them. They must pass both times.
        """
        _warm_up()
        self._pass(alone=True)
        judges = {id(test) for target in targets for test in self.relevant(target)}
        self.tests = [test for test in self.tests if id(test) in judges or test.failed]
        self.tests.sort(key=lambda test: test.seconds)
        self._pass(alone=False)

    @property
    def failed(self) -> list[str]:
        """The tests that do not pass on the unchanged package."""
        return [test.item.nodeid for test in self.tests if test.failed]

    def relevant(self, target: Target) -> list[Test]:
        """The tests that judge a target: they pass on the unchanged package and reach it.

        A test file that reaches the target while it is imported may hold values from before the
        change, and a program that a test starts runs without it: they would see a difference that
        no real run shows, and do not count.
        """
        names = {target.name}
        if isinstance(target, Constant):
            names = {t.name for t in self.targets if isinstance(t, Function) and t.reads(target)}
        stale = {file for file, name in self._early if name in names}
        return [
            test
            for test in self.tests
            if not (test.failed or test.apart)
            and test.reached & names
            and str(test.item.path) not in stale
        ]

    def verdicts(self, mutants: list[Mutant]) -> Iterator[Verdict]:
        """Judge every mutant; in the order in which they are done."""
        tests = {t.name: self.relevant(t) for t in self.targets}
        gc.freeze()  # else a child's collector touches every page, and each is copied

        def jobs() -> Iterator[tuple[list[Mutant], Job]]:
            while waiting:
                batch = waiting.popleft()
                order = self._order(batch[0], tests[batch[0].target.name])
                yield batch, partial(_try, mutants=batch, tests=order)

        waiting = deque(_batches(mutants))
        while waiting:  # what is to be judged again may come when all others are under way
            for batch, words in in_forks(jobs(), self.workers):
                verdicts, again = _heard(batch, words)
                waiting.extendleft(reversed(again))
                for verdict in verdicts:
                    target, test = verdict.mutant.target, verdict.killer or ""
                    self._kills.update([(target.name, test), (target.file, test)])
                    yield verdict

    def _order(self, mutant: Mutant, tests: list[Test]) -> list[Test]:
        """What killed others of this function and file first, then the quick and special tests."""
        kills, name, file = self._kills, mutant.target.name, mutant.target.file

        def likely(test: Test) -> tuple[float, ...]:
            node = test.item.nodeid
            return -kills[name, node], -kills[file, node], test.seconds * len(test.reached)

        order = sorted(tests, key=likely)
        limit = min(GLANCE, self.patience) if mutant.equivalent else self.patience
        spent = accumulate(test.seconds for test in order)
        return [test for test, seconds in zip(order, spent, strict=True) if seconds < limit]

    def _pass(self, alone: bool) -> None:
        left = [test for test in self.tests if not test.failed]
        shares = [left[i :: self.workers] for i in range(self.workers)]
        while shares:
            measure = partial(_measure, alone=alone, limit=self.patience)
            jobs = [(share, partial(measure, tests=share)) for share in shares]
            shares = []
            for share, results in in_forks(jobs, self.workers):
                for test, (seconds, failed, apart, reached) in zip(share, results, strict=False):
                    test.seconds, test.failed = max(seconds, test.seconds), failed
                    test.apart |= apart
                    test.reached |= reached
                if len(results) < len(share):
                    share[len(results)].failed = True  # the child died of this one
                    shares.append(share[len(results) + 1 :])


def _warm_up() -> None:
    """What the operations import, forks inherit."""
    with contextlib.suppress(ImportError):
        from npvae.executor.operations import loop  # noqa: F401


class _Outcome:
    """Hears whether the tests of a child pass."""

    failed = False

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed = self.failed or report.failed


def _measure(sender: Connection, tests: list[Test], alone: bool, limit: float) -> None:
    """In a child: send (seconds, failed, apart, reached) of each test."""
    reached: set[str] = set()
    events: set[str] = set()
    setattr(builtins, REACHED, reached.add)
    sys.addaudithook(lambda event, _: events.add(event))
    for test, following in _with_following(tests):
        started = time.process_time()
        failed = _fails(test, None if alone else following, limit)
        seconds = time.process_time() - started
        sender.send((seconds, failed, not events.isdisjoint(APART), set(reached)))
        reached.clear()
        events.clear()


def _batches(mutants: list[Mutant]) -> Iterator[list[Mutant]]:
    """Mutants of one target that share a fork; those that ought to survive have one each."""
    for equivalent, group in groupby(mutants, key=lambda m: (m.target.name, bool(m.equivalent))):
        several = list(group)
        size = 1 if equivalent[1] else BATCH
        yield from (several[i : i + size] for i in range(0, len(several), size))


def _try(sender: Connection, mutants: list[Mutant], tests: list[Test]) -> None:
    """In a child: send what happens as ("runs", test), then for each mutant what came of it.

    That is ("fails", test) or ("survived", ""). Only a test that fails twice counts, so that none
    kills by chance, and that passes again without the change; else the child is no more as it was,
    and ends with ("spoilt", test).
    """
    tests = list(tests)
    for i, mutant in enumerate(mutants):
        killer = _killer(sender, mutant, tests)
        if killer is None or isinstance(killer, str):
            sender.send(("fails", killer) if killer else ("survived", ""))
            continue
        mutant.target.install(mutant.target.tree)
        if i + 1 < len(mutants) and _fails(killer, None, _limit(killer)):
            sender.send(("spoilt", killer.item.nodeid))
            return
        sender.send(("fails", killer.item.nodeid))
        tests.remove(killer)
        tests.insert(0, killer)


def _limit(test: Test) -> float:
    """Seconds that a test may compute on a mutant: far more than without the change."""
    return 3 + 20 * test.seconds


def _killer(sender: Connection, mutant: Mutant, tests: list[Test]) -> Test | str | None:
    try:
        mutant.target.install(mutant.mutation.tree)
    except Exception:  # as importing the changed module would
        return NOT_INSTALLED
    for test, following in _with_following(tests):
        sender.send(("runs", test.item.nodeid))
        limit = _limit(test)
        if _fails(test, following, limit) and _fails(test, None, limit):
            return test
    return None


def _heard(
    batch: list[Mutant], words: list[tuple[str, str]]
) -> tuple[list[Verdict], list[list[Mutant]]]:
    """The verdicts that a child sent, and the batches that are to be judged again.

    A mutant that survived beside others is judged once more alone: they may have hidden it.
    """
    verdicts: list[Verdict] = []
    again: list[list[Mutant]] = []
    waiting = list(batch)
    for state, test in words:
        if state in ("fails", "survived"):
            mutant = waiting.pop(0)
            if state == "survived" and len(batch) > 1:
                again.append([mutant])
            else:
                verdicts.append(Verdict(mutant, test or None, died=False))
    if waiting:
        if not words:
            raise RuntimeError(f"the judge of {waiting[0].target.name} died before its first test")
        state, test = words[-1]
        if state == "runs" and len(batch) == 1:
            verdicts.append(Verdict(waiting.pop(0), test, died=True))
        elif state in ("runs", "spoilt"):
            again.append([waiting.pop(0)])
        again += [waiting] if waiting else []
    return verdicts, again


def _with_following(tests: list[Test]) -> Iterable[tuple[Test, Test | None]]:
    return zip(tests, [*tests[1:], None], strict=False)


def _fails(test: Test, following: Test | None, limit: float) -> bool:
    """Whether a test fails; the process ends where it computes for more than `limit` seconds."""
    outcome, plugins = _Outcome(), test.item.config.pluginmanager
    plugins.register(outcome)
    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, limit),
        (signal.ITIMER_REAL, signal.SIGALRM, STUCK),
    )
    for timer, ends, seconds in timers:
        signal.signal(ends, signal.SIG_DFL)
        signal.setitimer(timer, seconds)
    test.item.ihook.pytest_runtest_protocol(
        item=test.item, nextitem=following.item if following else None
    )
    for timer, _, _ in timers:
        signal.setitimer(timer, 0)
    plugins.unregister(outcome)
    return outcome.failed
