"""npvae: variational autoencoders in pure NumPy, every gradient derived by hand and proven.

The public names below are loaded when they are first used, so that ``import npvae`` costs little
more than ``import numpy`` and inference never meets numba or matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ._version import __version__

_NAMES = {
    "data.augment": ("Flip", "Shift"),
    "data.conditions": ("Labels", "Vector"),
    "models": (
        "Autoencoder", "ConvVAE", "HierarchicalVAE", "Model", "SemiSupervisedVAE", "VAE",
        "registered", "value_and_grad",
    ),
    "executor.inference": ("CompiledModel", "compiled"),
    "training.fit": ("fit",),
    "training.history": ("History",),
    "training.calibrate": ("calibrate", "fit_prior"),
    "objectives": (
        "BetaTC", "CIWAE", "DIP", "DReG", "ELBO", "IWAE", "Losses", "MIWAE", "MMD", "Objective",
        "Renyi", "STL",
    ),
    "optim": ("Adam",),
    "core.schedules": ("Constant", "Cosine", "Cyclical", "Linear"),
    "training.callbacks": ("EarlyStopping",),
    "evaluate": (
        "DrawnRows", "accuracy", "active_units", "disentanglement", "drawn_rows_report",
        "inference_gap", "information", "kl_by_dimension", "label_accuracy", "log_likelihood",
        "metrics", "rate_distortion", "reconstruction_error", "refine", "report",
    ),
    "outliers": ("Detector", "anomaly_contributions", "anomaly_scores", "fit_detector"),
    "gaps": ("impute",),
    "models.storage": ("load", "save"),
    "models.walks": ("attribute_vector", "interpolate", "traverse"),
    "gradcheck": ("check_gradients",),
    "core": ("LevelTerms", "Part", "Terms"),
    "likelihoods": (
        "Bernoulli", "Beta", "Categorical", "ContinuousBernoulli", "Gaussian",
        "GaussianColumnScale", "GaussianHeteroscedastic", "GaussianLearntScale", "Laplace",
        "Likelihood", "Mixed", "NegativeBinomial", "OneHot", "Ordinal", "Poisson", "StudentT",
        "Transformed", "ZeroInflatedNegativeBinomial",
    ),
    "discrete": ("BernoulliCode", "BernoulliPrior", "CategoricalCode", "UniformPrior"),
    "flows": ("Coupling", "Flow", "FlowPrior", "Flowed", "IAF", "Planar", "Radial", "Sylvester"),
    "levels": ("Level",),
    "posteriors": ("DiagonalGaussian",),
    "priors": ("Mixture", "Prior", "StandardNormal", "VampPrior"),
    "kernels": ("kernels_in_use", "use_kernels"),
    "core.errors": (
        "ConfigError", "DataError", "MissingDependency", "ModelFileError", "NonFiniteLoss",
        "NpvaeError",
    ),
}  # fmt: skip
_HOME = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = ("datasets", "gradcheck", "layers", "plots", "tables")
_WITH_EXTRAS = ("sklearn",)
"""Modules that need another package to be imported; ``from npvae import *`` leaves them out."""

__all__ = ["__version__", *sorted(_HOME), *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES + _WITH_EXTRAS:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module 'npvae' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
