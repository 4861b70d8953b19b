"""Layers: parts that map arrays to arrays."""

from .activation import (
    ELU,
    GELU,
    Activation,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from .combine import Beside, Concat, Sequential, mlp
from .conv import Conv2d, ConvTranspose2d
from .dense import Dense
from .images import Stacked, Unstacked
from .init import INITIALISERS
from .layer import Layer

__all__ = [
    "ELU", "GELU", "INITIALISERS", "Activation", "Beside", "Concat", "Conv2d", "ConvTranspose2d",
    "Dense", "Identity", "Layer", "LeakyReLU", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softplus",
    "Stacked", "Tanh", "Unstacked", "mlp",
]  # fmt: skip
