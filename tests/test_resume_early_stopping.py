"""Early stopping in a run that is resumed: what was best, and how long it waited."""

from __future__ import annotations

import math

import pytest
from resumed import X, assert_same, small

import npvae as nv

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


class Script:
    """Gives every epoch the validation loss that the test wants."""

    def __init__(self, losses):
        self.losses = losses

    def __call__(self, model, record):
        record["valid_loss"] = self.losses[record["epoch"] - 1]


def stopping_run(path, epochs, patience):
    model, stopping = small(), nv.EarlyStopping(patience)
    script = Script([9, 5, 4, 6, 7, 3, 8, 8])
    history = nv.fit(
        model, X, epochs=epochs, batch_size=9, valid=X[:10], callbacks=[script, stopping],
        checkpoint=path, resume=path is not None,
    )  # fmt: skip
    return model, [r["epoch"] for r in history.records], stopping


@pytest.mark.parametrize("first", [1, 3, 4])
def test_early_stopping_remembers_the_best_weights_and_how_long_it_waited(path, first):
    expected = stopping_run(None, 8, patience=2)
    assert expected[1] == [1, 2, 3, 4, 5]
    assert expected[2].best_epoch == 3
    stopping_run(path, first, patience=2)
    assert_same(stopping_run(path, 8, patience=2), expected)


def test_a_run_that_was_stopped_early_stays_stopped_until_it_is_given_more_patience(path):
    expected = stopping_run(path, 8, patience=2)
    assert_same(stopping_run(path, 8, patience=2), expected)
    patient = stopping_run(path, 8, patience=4)
    assert patient[1] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert_same(patient, stopping_run(None, 8, patience=4))


def test_early_stopping_that_has_seen_only_nan_resumes(path):
    def part(epochs):
        script = Script([math.nan] * 5)
        return nv.fit(
            small(), X, epochs=epochs, valid=X, callbacks=[script, nv.EarlyStopping(3)],
            checkpoint=path, resume=True,
        )  # fmt: skip

    part(2)
    assert len(part(5).records) == 3
    assert len(part(5).records) == 3
