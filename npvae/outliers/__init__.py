"""Which rows are strange to a model, how strange, and which of their columns make them so."""

from __future__ import annotations

from .detector import Detector, fit_detector
from .scores import anomaly_contributions, anomaly_scores

__all__ = ["Detector", "anomaly_contributions", "anomaly_scores", "fit_detector"]
