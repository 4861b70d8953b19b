"""`npvae.pyod.VAE` beside PyOD's own base class, which is given the same scores."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pyod.models.base import BaseDetector
from sklearn.base import clone

import npvae as nv
from npvae.pyod import VAE


class Theirs(BaseDetector):
    """PyOD's own predictions from our scores."""

    def __init__(self, ours, contamination):
        super().__init__(contamination)
        self.ours = ours

    def fit(self, X, y=None):
        self._set_n_classes(y)
        self.decision_scores_ = self.decision_function(X)
        self._process_decision_scores()
        return self

    def decision_function(self, X):
        return self.ours.decision_function(X)


def rows(n, seed):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    x[::10] *= 4
    return x


@pytest.fixture(scope="module", params=[0.1, 0.25])
def pair(request):
    ours = VAE(contamination=request.param, random_state=2).fit(rows(150, 0))
    return ours, Theirs(ours, request.param).fit(rows(150, 0))


@pytest.mark.smoke(1)
def test_what_is_learnt_is_what_pyod_learns(pair):
    ours, theirs = pair
    np.testing.assert_allclose(ours.decision_scores_, theirs.decision_scores_, rtol=1e-12)
    assert ours.threshold_ == pytest.approx(theirs.threshold_, rel=1e-12)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.sum() == round(ours.contamination * 150)
    assert ours._classes == theirs._classes


def test_predictions_are_pyods(pair):
    ours, theirs = pair
    x = rows(60, 1)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    for method in ("linear", "unify"):
        mine, confidence = ours.predict_proba(x, method, return_confidence=True)
        other, their_confidence = theirs.predict_proba(x, method, return_confidence=True)
        np.testing.assert_allclose(mine, other, atol=1e-12)
        np.testing.assert_allclose(confidence, their_confidence, atol=1e-9)
    labels, confidence = ours.predict(x, return_confidence=True)
    np.testing.assert_array_equal(labels, ours.predict(x))
    np.testing.assert_allclose(confidence, theirs.predict_confidence(x), atol=1e-9)


def test_strange_rows_are_found(pair):
    ours, _ = pair
    x = rows(200, 3)
    found = ours.decision_function(x)
    assert found[::10].mean() > np.quantile(np.delete(found, np.arange(0, 200, 10)), 0.9)


@pytest.mark.smoke(1)
def test_it_counts_as_one_of_pyods_and_can_be_cloned_and_pickled(pair):
    ours, _ = pair
    assert isinstance(ours, BaseDetector)
    twin = clone(ours)
    assert twin.get_params() == ours.get_params() == {
        "contamination": ours.contamination, "random_state": 2,
    }  # fmt: skip
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(
        again.decision_function(rows(5, 4)), ours.decision_function(rows(5, 4))
    )
    assert twin.set_params(contamination=0.3).contamination == 0.3
    assert repr(twin) == "VAE(contamination=0.3, random_state=2)"
    np.testing.assert_array_equal(clone(ours).fit_predict(rows(150, 0)), ours.labels_)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match=r"at most 0.5; got 0.7"):
        VAE(contamination=0.7)
    with pytest.raises(nv.NpvaeError, match="not fitted yet"):
        VAE().predict(np.zeros((2, 3)))
    fitted = VAE().fit(rows(20, 0))
    with pytest.raises(nv.ConfigError, match="method is 'linear' or 'unify'"):
        fitted.predict_proba(rows(3, 1), "both")


def test_a_parameter_that_it_has_not_is_refused():
    with pytest.raises(ValueError, match="no parameter 'contaminaton'; did you mean 'contamin"):
        VAE().set_params(contaminaton=0.2)
