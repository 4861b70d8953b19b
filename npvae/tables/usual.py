"""The model that a table gets where nobody says otherwise."""

from __future__ import annotations

from typing import Any


def usual(n: int, d: int) -> dict[str, Any]:
    """z_dim, hidden, prior and lr for a table of n rows and d modelled columns.

    Measured on the tables that come with scikit-learn; see docs/training.md.
    """
    return {
        "z_dim": max(1, min(8, d - 1)),
        "hidden": [128] if n < 1000 else [256],
        "prior": f"mixture:n_components={max(2, min(30, n // 10))}",
        "lr": 2e-3,
    }
