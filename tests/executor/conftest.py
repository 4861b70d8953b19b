"""What the tests of captured training share."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.executor import program
from npvae.training import captured as steps


@pytest.fixture(autouse=True)
def _no_override(monkeypatch):
    """Training runs on Numba, and so captured, unless a test asks for NumPy."""
    monkeypatch.setattr(kernels.choice, "_chosen", None)


@pytest.fixture
def share_all(monkeypatch):
    """Threads share every operation that has a row for each of them, however small it is."""
    monkeypatch.setattr(program, "SHARED", 0.0)
    monkeypatch.setattr(program, "BARRIER", 0.0)


@pytest.fixture
def attempts(monkeypatch):
    """What each call of `fit` came to: its captured steps, or None where it runs eagerly."""
    found = []

    def spy(*arguments):
        found.append(steps_of(*arguments))
        return found[-1]

    steps_of = steps.captured_steps
    monkeypatch.setattr(steps, "captured_steps", spy)
    return found


@pytest.fixture
def both(attempts):
    """Train twins, captured and eagerly, and give ((model, history) of each, captured steps)."""

    def run(model, x, **options):
        runs = []
        for kernel_set, twin in ((None, model.copy()), ("numpy", model.copy())):
            nv.use_kernels(kernel_set)
            runs.append((twin, nv.fit(twin, x, **options)))
        nv.use_kernels(None)
        assert len(attempts) == 1
        assert attempts[0] is not None, "it was not captured"
        return *runs, attempts.pop()

    return run


@pytest.fixture
def alike(both):
    """Assert that captured and eager training come to the same; gives the captured steps."""

    def check(model, x, rtol=1e-4, **options):
        (ours, history), (wanted, eager), captured = both(model, x, **options)
        for record, other in zip(history.records, eager.records, strict=True):
            assert record.keys() == other.keys()
            for name, value in other.items():
                if name != "seconds" and value is not None:
                    of = abs(other["train_loss"]) if "_" in name else 0  # a KL may be next to 0
                    assert record[name] == pytest.approx(value, rel=rtol, abs=rtol * of), name
        moved = np.abs(wanted.flat - model.flat).max()
        assert moved > 0
        np.testing.assert_allclose(ours.flat, wanted.flat, rtol=0, atol=0.02 * moved)
        return captured

    return check
