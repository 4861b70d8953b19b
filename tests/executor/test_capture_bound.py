"""Scoring held-out rows in compiled code, against eager scoring with the same noise."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import network, numbers

import npvae as nv
from npvae.training import sources as table

X, HELD_OUT = numbers((40, 5)), numbers((37, 5), seed=1)
OPTIONS = dict(epochs=2, batch_size=16, lr=3e-3, seed=4)


@pytest.mark.smoke(2)
@pytest.mark.parametrize("rows", [1, 15, 16, 32, 37])
def test_held_out_rows_of_any_number(alike, rows):
    captured = alike(network(), X, valid=HELD_OUT[:rows], **OPTIONS)
    assert captured.bounds.full.batch == min(16, rows)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.float64),
        lambda x: np.asfortranarray(x),
        lambda x: (255 * x).astype(np.uint8),
        lambda x: x > 0.5,
    ],
    ids=["float64", "by columns", "bytes", "booleans"],
)
def test_held_out_rows_of_any_kind(alike, convert, monkeypatch):
    monkeypatch.setattr(table, "STAGED_ROWS", 20)  # fewer than there are
    alike(network(), convert(X), valid=convert(HELD_OUT), **OPTIONS)


def test_held_out_rows_with_a_context(alike):
    context = numbers((77, 3), seed=2)
    model = network(context_dim=3)
    alike(model, X, context=context[:40], valid=(HELD_OUT, context[40:]), **OPTIONS)


def test_the_bound_is_at_beta_1_with_one_sample(alike):
    alike(network(), X, valid=HELD_OUT, objective=nv.ELBO(beta=3.0, n_samples=4), **OPTIONS)
