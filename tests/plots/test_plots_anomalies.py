"""The picture of strange rows."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

RNG = np.random.default_rng(0)
ROWS = [("row 3", [("income 250000", 8.0), ("town Oslo", 2.0)]), ("row 9", [])]


def test_scores_are_counted_on_both_sides_of_the_threshold():
    scores = np.concatenate([RNG.normal(size=95), [9.0, 9.0, 9.0, 9.0, 1e9]])
    left, right = nv.plots.anomalies(scores, 5.0, ROWS).axes
    counts = {patch.get_facecolor(): 0.0 for patch in left.patches}
    for patch in left.patches:
        counts[patch.get_facecolor()] += patch.get_height()
    assert sorted(counts.values()) == [5, 95]
    assert "in the last bar: 1" in left.get_xlabel()
    assert [bar.get_width() for bar in right.patches] == [8.0, 2.0]
    assert [t.get_text() for t in right.get_yticklabels()] == ["income 250000", "town Oslo"]


@pytest.mark.parametrize("colour", [(), (3,)])
def test_images_stand_in_place_of_bars(colour):
    images = RNG.random((3, 5, 4, 6, *colour))
    _, right = nv.plots.anomalies(RNG.normal(size=20), 1.0, images=images).axes
    (picture,) = right.get_images()
    assert picture.get_array().shape == (3 * 5, 5 * 7, 3)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("scores", [np.full(4, 2.0), np.array([1.0, np.inf, 2.0]), np.ones(1)])
def test_scores_of_any_kind_are_drawn(scores, tmp_path):
    nv.plots.save(nv.plots.anomalies(scores, 1.5), tmp_path / "a.png")


def test_scores_are_one_for_each_row():
    with pytest.raises(nv.DataError, match="one for each row"):
        nv.plots.anomalies(np.zeros((3, 2)), 1.0)
