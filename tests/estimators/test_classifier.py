"""The classifier: labels that are not known, names of classes, tables."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import npvae as nv
from npvae.sklearn import VAEClassifier


def small(**options):
    return VAEClassifier(**{"hidden": (16,), "max_iter": 40, "random_state": 0, **options})


@pytest.fixture
def clusters():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=240)
    return 3 * np.eye(3)[y] @ rng.normal(size=(3, 5)) + rng.normal(size=(240, 5)), y


@pytest.mark.smoke(1)
@pytest.mark.parametrize("unknown", [-1, np.nan, None])
def test_rows_without_a_label_help(clusters, unknown):
    x, y = clusters
    known = np.where(np.arange(240) < 60, y, unknown)
    found = small().fit(x[:200], known[:200])
    assert found.classes_.tolist() == [0, 1, 2]
    assert found.score(x[200:], y[200:]) > 0.8
    proba = found.predict_proba(x)
    np.testing.assert_allclose(proba.sum(1), 1)
    np.testing.assert_array_equal(found.classes_[proba.argmax(1)], found.predict(x))
    np.testing.assert_array_equal(
        clone(found).fit(x[:200], known[:200]).predict(x), found.predict(x)
    )


@pytest.mark.slow
def test_names_of_classes_and_pipelines(clusters):
    x, y = clusters
    names = np.array(["ant", "bee", "cow"])[y]
    pipeline = make_pipeline(StandardScaler(), small())
    assert cross_val_score(pipeline, x, names, cv=3).mean() > 0.8


def test_minus_one_and_one_are_two_classes(clusters):
    x, y = clusters
    found = small().fit(x, np.where(y > 0, 1, -1))
    assert found.classes_.tolist() == [-1, 1]


def test_rows_count_by_their_weights(clusters):
    x, y = clusters
    right = np.random.default_rng(1).integers(2, size=240)
    shown = np.where(right, y, (y + 1) % 3)
    found = small().fit(x, shown, sample_weight=right)
    assert found.score(x, y) > 0.8
    assert small().fit(x, shown).score(x, y) < 0.8


def test_one_class_is_refused(clusters):
    x, _ = clusters
    with pytest.raises(nv.DataError, match="two classes or more"):
        small().fit(x, np.zeros(240, int))
