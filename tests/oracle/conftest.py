"""What the tests against PyTorch, JAX and SymPy share; they need the ``oracle`` extra."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import npvae as nv

# Users need no framework, so the ordinary suite leaves these tests out where the extra is missing.
# Asked for by name (python -m pytest -m slow tests/oracle), they can't be left out silently: pytest
# fails where it collects nothing.
if not all(importlib.util.find_spec(name) for name in ("torch", "jax", "sympy")):
    collect_ignore_glob = ["test_*.py"]


def pytest_ignore_collect(collection_path, config):
    """Frameworks take seconds to import, in every process, for tests which then are left out."""
    if config.option.markexpr == "not slow" and collection_path.name.startswith("test_"):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """All are slow, whoever has the extra: the default run is the same for everybody."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def use_kernels():
    """`nv.use_kernels`, restored after the test."""
    yield nv.use_kernels
    nv.use_kernels(None)


@pytest.fixture(scope="session")
def mnist_batch():
    """128 digits in [0, 1], (128, 784): MNIST's where NPVAE_DATA is set, else like them."""
    root = os.environ.get("NPVAE_DATA")
    if root:
        folder = Path(root, "mnist")
        assert folder.exists(), f"NPVAE_DATA is set, but {folder} is missing"
        return nv.datasets.load(folder)[0][:128] / 255
    rng = np.random.default_rng(0)
    return np.where(rng.random((128, 784)) < 0.8, 0, rng.random((128, 784)))
