"""Data sets: the embedded digits, and readers of the user's own files."""

from __future__ import annotations

from npvae.datasets.dataset import Dataset
from npvae.datasets.digits import digits
from npvae.datasets.readers import has_test_split, load, read

__all__ = ["Dataset", "digits", "has_test_split", "load", "read"]
