"""By which methods gradients of models are proven by default, and by which in the slow tests."""

from __future__ import annotations

import pytest

each_proof = pytest.mark.parametrize(
    "methods",
    [
        pytest.param(("complex", "taylor"), id="complex"),
        pytest.param(("central",), id="central", marks=pytest.mark.slow),
    ],
)
"""Central differences need ten times as many losses as complex step, to say the same."""
