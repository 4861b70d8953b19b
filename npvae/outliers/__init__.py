"""Which rows are strange to a model, how strange, and which of their columns make them so."""

from __future__ import annotations

from .scores import anomaly_contributions, anomaly_scores

__all__ = ["anomaly_contributions", "anomaly_scores"]
