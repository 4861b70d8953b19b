"""How good a trained model is: bounds, likelihoods, latent space in use, and the rows it draws."""

from __future__ import annotations

from .baseline import columns_alone
from .drawn_rows import DrawnRows, drawn_rows_report
from .measures import active_units, log_likelihood, metrics

__all__ = [
    "DrawnRows", "active_units", "columns_alone", "drawn_rows_report", "log_likelihood", "metrics",
]  # fmt: skip
