"""Data sets: the embedded digits, and readers of the user's own files."""

from __future__ import annotations

from .dataset import Dataset
from .digits import digits
from .readers import has_test_split, load, read
from .sprites import sprites

__all__ = ["Dataset", "digits", "has_test_split", "load", "read", "sprites"]
