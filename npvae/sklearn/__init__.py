"""VAEs as scikit-learn's estimators: for pipelines, grid searches, and data frames.

Arrays are numbers. Data frames of pandas and polars are tables: every column is modelled by its
kind, as `npvae.tables.read` sees it, and may have gaps.
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError as error:
    from ..core.errors import MissingDependency

    raise MissingDependency(
        'npvae.sklearn needs scikit-learn: pip install "npvae[sklearn]"'
    ) from error

from .classifier import VAEClassifier
from .imputer import VAEImputer
from .outliers import VAEOutlierDetector
from .vae import VAE

__all__ = ["VAE", "VAEClassifier", "VAEImputer", "VAEOutlierDetector"]
