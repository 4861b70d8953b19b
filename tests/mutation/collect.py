"""Collecting the tests, once: pytest, with the judge in the place of its loop over them."""

from __future__ import annotations

import builtins
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .judge import Judge
from .targets import REACHED, Target

LEFT_OUT = ("mutation", "oracle", "cli", "executor", "bench", "plots", "datasets")
"""Folders of tests that judge nothing: these here; the frameworks' witnesses, since the result is
to be that of the suite that everybody can run; the compiled step's, which take long and have
eager code for their measure; and what reaches no mathematics or only runs it."""


def with_tests(
    paths: list[str], chosen: list[str], targets: list[Target], work: Callable[[Judge], None]
) -> None:
    """Collect the tests in `paths` that these options choose; `work` is pytest's loop over them."""
    plugin = _Plugin(targets, work)
    for target in targets:
        target.watch()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = scratch
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = scratch
        options = ["-o", "addopts=", *chosen, "--tb=native", "-p", "no:cacheprovider", "-s"]
        options += ["--continue-on-collection-errors"]
        options += [f"--ignore={Path(__file__).parents[1] / folder}" for folder in LEFT_OUT]
        pytest.main([*options, *paths], plugins=[plugin])
    if plugin.error is not None:
        raise plugin.error


def _never_shrink() -> None:
    """Hypothesis need not look for the simplest example of a failure."""
    try:
        from hypothesis import Phase, settings
    except ImportError:
        return
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutation", derandomize=True, database=None, phases=phases)
    settings.load_profile("mutation")


class _Plugin:
    """Stands in for pytest's loop over the tests, and for its reports."""

    def __init__(self, targets: list[Target], work: Callable[[Judge], None]) -> None:
        self.targets, self.work = targets, work
        self.error: BaseException | None = None
        self.early: set[tuple[str, str]] = set()
        self.collecting = ""
        setattr(builtins, REACHED, lambda name: self.early.add((self.collecting, name)))

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        config.pluginmanager.unregister(name="terminalreporter")
        _never_shrink()

    def pytest_collectstart(self, collector: Any) -> None:
        self.collecting = str(collector.path)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            print(f"can't be collected, so it judges nothing: {report.nodeid}", flush=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        setattr(builtins, REACHED, lambda name: None)
        try:
            self.work(Judge(session.items, self.targets, self.early))
        except BaseException as error:
            self.error = error
        return True
