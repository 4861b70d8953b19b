"""Missing entries of rows, filled in from p(x missing given x known)."""

from __future__ import annotations

from .fill import impute

__all__ = ["impute"]
