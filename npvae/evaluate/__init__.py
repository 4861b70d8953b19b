"""How good a trained model is: bounds, likelihoods, latent space in use, and the rows it draws."""

from __future__ import annotations

from .baseline import columns_alone
from .disentanglement import disentanglement
from .drawn_rows import DrawnRows, drawn_rows_report
from .information import information, kl_by_dimension, rate_distortion
from .likelihood import log_likelihood
from .measures import accuracy, active_units, metrics, reconstruction_error
from .refine import inference_gap, refine
from .report import report
from .representation import label_accuracy

__all__ = [
    "DrawnRows", "accuracy", "active_units", "columns_alone", "disentanglement",
    "drawn_rows_report", "inference_gap", "information", "kl_by_dimension", "label_accuracy",
    "log_likelihood", "metrics", "rate_distortion", "reconstruction_error", "refine", "report",
]  # fmt: skip
