"""What the tests of scikit-learn's estimators share."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", "1.6")


@pytest.fixture(autouse=True)
def uncompiled(kernels):
    """Nets are tiny here, and compiling costs more than training them."""


@pytest.fixture
def rows():
    """Numbers that a line through space explains, (150, 4)."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(150, 1))
    return 10 + z @ [[3.0, -2.0, 1.0, 0.5]] + 0.3 * rng.normal(size=(150, 4))


@pytest.fixture
def table():
    """A data frame of mixed kinds with gaps, in which income and town follow from age."""
    rng = np.random.default_rng(0)
    n = 160
    age = rng.integers(18, 80, n)
    frame = pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "income": (1000 + 50 * age + 100 * rng.normal(size=n)).round(2),
            "town": np.where(age < 40, "Rome", np.where(rng.random(n) < 0.8, "Oslo", "Paris")),
            "member": rng.random(n) < 0.4,
            "size": pd.Categorical(
                np.where(age < 30, "S", np.where(age < 60, "M", "L")), ["S", "M", "L"], ordered=True
            ),
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(n), "D"),
        },
        index=pd.Index([f"r{i}" for i in range(n)], name="row"),
    )
    frame.loc["r3", "age"], frame.loc["r5", "town"] = pd.NA, None
    frame.loc["r8", "income"], frame.loc["r9", "size"] = np.nan, np.nan
    frame.loc["r11", "since"] = pd.NaT
    return frame


LONG = {"check_classifiers_train", "check_classifiers_classes"}
"""Checks that train the classifier many times."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of scikit-learn's checks of several estimators, those of all but one are slow.

    Which one it is goes round from check to check; the classifier, which trains for long, has those
    that are for classifiers alone.
    """
    checks = defaultdict(list)
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue  # of other folders
        callspec = getattr(item, "callspec", None)
        if callspec is not None and "estimator" in callspec.params:
            name = callspec.params.get("check", callspec.params.get("name"))
            checks[getattr(getattr(name, "func", name), "__name__", name)].append(item)
    for i, (name, same) in enumerate(checks.items()):
        quick = [item for item in same if "VAEClassifier" not in item.callspec.id] or same
        for item in same:
            if name in LONG or item is not quick[i % len(quick)]:
                item.add_marker(pytest.mark.slow)
