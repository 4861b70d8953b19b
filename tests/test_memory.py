"""What the machine has no memory for is refused before memory is taken."""

from __future__ import annotations

import re

import numpy as np
import pytest

import npvae as nv
from npvae.core import memory
from npvae.core.parameters import initialise

GIGABYTE = 10**9


@pytest.fixture
def small_machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: float(GIGABYTE))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nv.VAE(64, 10**8),
        lambda: nv.VAE(64, 10**8, condition=nv.Labels(3)),
        lambda: nv.VAE(64, 2, hidden=(10**8,)),
        lambda: nv.VAE(64, posterior=nv.CategoricalCode(10**8, 10**8)),
        lambda: nv.VAE(64, 2, prior=nv.VampPrior(10**11)),
        lambda: nv.Autoencoder(64, 10**9),
        lambda: nv.HierarchicalVAE(64, (10**9, 2)),
        lambda: nv.HierarchicalVAE(64, (2, 10**9), inference="chain"),
        lambda: nv.SemiSupervisedVAE(64, 10**9, 3),
        lambda: nv.ConvVAE((8, 8), 10**9),
        lambda: nv.VAE(64, 2, posterior="iaf:width=100000000"),
        lambda: nv.VAE(64, 2, posterior="iaf:context=100000000"),
    ],
)
def test_a_model_that_no_memory_holds_is_refused_at_once(make, small_machine):
    with pytest.raises(nv.ConfigError, match=r"takes [\d.e+]+ [GT]B of memory, and this machine"):
        make()


def test_the_parts_count_together(small_machine, monkeypatch):
    """Each fits, not all of them; and to train takes more than to hold."""
    model = nv.VAE(64, 2, hidden=(8,))
    n = model.n_params
    monkeypatch.setattr(memory, "machine_memory", lambda: 4.0 * n)
    with pytest.raises(nv.ConfigError, match=re.escape(f"a model of {n:.3g} parameters")):
        initialise(model, np.random.default_rng(0), np.float32)
    with pytest.raises(nv.ConfigError, match=re.escape(f"training {n:.3g} parameters")):
        nv.fit(model, np.zeros((4, 64)), epochs=1)


def test_where_the_system_does_not_say_all_is_tried(monkeypatch):
    monkeypatch.setattr(memory.os, "sysconf", lambda name: (_ for _ in ()).throw(ValueError(name)))
    assert memory.machine_memory() == float("inf")
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.machine_memory() == float("inf")


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(12, "12 bytes"), (3.2e7, "32 MB"), (25.3e9, "25.3 GB"), (5e12, "5 TB")]
)
def test_bytes_in_words(n_bytes, said):
    assert memory.in_words(n_bytes) == said
