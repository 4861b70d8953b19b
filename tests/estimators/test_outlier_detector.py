"""`npvae.sklearn.VAEOutlierDetector`: what scikit-learn's checks do not see."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import npvae as nv
from npvae.sklearn import VAEOutlierDetector


def small(**options):
    return VAEOutlierDetector(**{"max_iter": 20, "random_state": 0, **options})


@pytest.fixture
def spoilt(rows):
    """Rows of which the last ten lie off the line, by no single number."""
    rng = np.random.default_rng(5)
    strange = rng.permuted(rows[:10], axis=0)
    strange[:, 1] += 5
    return np.vstack([rows, strange]), np.r_[np.zeros(150), np.ones(10)]


def test_strange_rows_are_found_without_labels(spoilt):
    x, y = spoilt
    detector = small(max_iter=200).fit(x)
    assert roc_auc_score(y, -detector.score_samples(x)) > 0.85
    np.testing.assert_array_equal(detector.score_samples(x), -detector.detector_.scores(x))
    blamed = detector.contributions(x)
    assert blamed.shape == x.shape


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_as_many_are_outliers_as_were_said(spoilt, share):
    x, _ = spoilt
    detector = small(contamination=share)
    found = detector.fit_predict(x)
    assert (found == -1).sum() == round(share * len(x))
    np.testing.assert_array_equal(found == -1, detector.decision_function(x) < 0)
    np.testing.assert_allclose(
        detector.decision_function(x), detector.score_samples(x) - detector.offset_
    )


def test_auto_takes_what_is_far(rows):
    detector = small(contamination="auto").fit(rows)
    assert detector.offset_ == -3.5
    assert detector.predict(rows + 100).tolist() == [-1] * 150
    assert (detector.predict(rows) == 1).mean() > 0.7


def test_data_frames_of_mixed_columns_are_tables(table):
    detector = small().fit(table)
    assert detector.schema_.names == list(table.columns)
    scores = detector.score_samples(table)
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_allclose(detector.score_samples(table.iloc[order]), scores[order], rtol=1e-9)
    far = table.assign(income=1e5)
    assert (detector.predict(far) == -1).all()
    x, reference = (nv.tables.read(f, schema=detector.schema_).x for f in (far, table))
    np.testing.assert_array_equal(
        detector.contributions(far), detector.detector_.contributions(x, reference)
    )


@pytest.mark.slow
def test_a_frame_of_numbers_is_the_array_of_them(rows):
    frame = pd.DataFrame(rows, columns=list("abcd"))
    detector = small().fit(frame)
    assert detector.schema_ is None
    np.testing.assert_array_equal(
        detector.score_samples(frame), small().fit(rows).score_samples(rows)
    )
    assert small(columns={}).fit(frame).schema_ is not None


def test_copies_and_pipelines(rows):
    detector = small().fit(rows)
    scores = detector.score_samples(rows)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(detector)).score_samples(rows), scores)
    np.testing.assert_array_equal(clone(detector).fit(rows).score_samples(rows), scores)
    assert set(make_pipeline(StandardScaler(), small()).fit(rows).predict(rows)) == {-1, 1}
