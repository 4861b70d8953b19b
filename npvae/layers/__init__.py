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
from .combine import Beside, Concat, Residual, Sequential, mlp
from .conv import Conv2d, ConvTranspose2d
from .dense import Dense
from .dropout import Dropout
from .images import Stacked, Unstacked
from .init import INITIALISERS
from .layer import Layer
from .norm import BatchNorm, GroupNorm, LayerNorm
from .resize import AveragePool2d, MaxPool2d, Upsample2d

__all__ = [
    "ELU", "GELU", "INITIALISERS", "Activation", "AveragePool2d", "BatchNorm", "Beside", "Concat",
    "Conv2d", "ConvTranspose2d", "Dense", "Dropout", "GroupNorm", "Identity", "Layer", "LayerNorm",
    "LeakyReLU", "MaxPool2d", "ReLU", "Residual", "Sequential", "SiLU", "Sigmoid", "Softplus",
    "Stacked", "Tanh", "Unstacked", "Upsample2d", "mlp",
]  # fmt: skip
