"""Models: what an objective is asked of, and what people encode, decode and sample with."""

from ..core import registered
from .autoencoder import Autoencoder
from .base import Model
from .conv import ConvVAE
from .gradient import value_and_grad
from .hierarchical import HierarchicalVAE
from .semi_supervised import SemiSupervisedVAE
from .vae import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "ConvVAE",
    "HierarchicalVAE",
    "Model",
    "SemiSupervisedVAE",
    "registered",
    "value_and_grad",
]
