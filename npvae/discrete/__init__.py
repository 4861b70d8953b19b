"""Latent codes: z that are classes, or zeros and ones."""

from __future__ import annotations

from .bernoulli import BernoulliCode, BernoulliPrior
from .categorical import CategoricalCode, UniformPrior
from .codes import Code

__all__ = ["BernoulliCode", "BernoulliPrior", "CategoricalCode", "Code", "UniformPrior"]
