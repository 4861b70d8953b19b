"""Proving gradients: `check_gradients` for any part, model or function, `verify` for all."""

from .check import check_gradients
from .report import Report, Row
from .verify import Verification, verify

__all__ = ["Report", "Row", "Verification", "check_gradients", "verify"]
