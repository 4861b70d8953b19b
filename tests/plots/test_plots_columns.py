"""Columns of tables, in the data and in samples."""

from __future__ import annotations

import numpy as np
import pytest
from figures import legend_names, noise

from npvae import plots


def test_columns_have_a_histogram_of_data_and_samples_each():
    x, samples = noise(400, 3), noise(300, 3) ** 2
    figure = plots.columns(x, samples, ["age", "height", "weight"])
    assert [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes[:3]] == [
        "age", "height", "weight",
    ]  # fmt: skip
    assert legend_names(figure) == ["data", "samples"]
    for column, axes in enumerate(figure.axes[:3]):
        for patch, table in zip(axes.patches, (x, samples), strict=True):
            shares, edges, _ = patch.get_data()
            counts, _ = np.histogram(table[:, column], edges)
            np.testing.assert_allclose(shares, counts / len(table))
            assert 0.97 < shares.sum() <= 1
        assert (
            axes.patches[0].get_data().edges.tolist() == axes.patches[1].get_data().edges.tolist()
        )


def test_a_column_of_few_whole_numbers_has_a_bin_for_each():
    x = np.arange(600).reshape(-1, 1) % 5
    patch = plots.columns(x, noise(50, 1) * 4).axes[0].patches[0]
    assert patch.get_data().edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    np.testing.assert_allclose(patch.get_data().values, 0.2)
    constant = plots.columns(np.full((9, 1), 7.0), np.full((4, 1), 7.0)).axes[0].patches
    assert [patch.get_data().values.tolist() for patch in constant] == [[1.0], [1.0]]


def test_columns_without_names_are_numbered_and_samples_can_stand_alone():
    figure = plots.columns(None, noise(20, 2), label="drawn")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["feature 0", "feature 1"]
    assert legend_names(figure) == ["drawn"]


def test_seventeen_columns_get_a_median_with_a_band_each():
    x, names = noise(50, 17), [f"gene {i}" for i in range(17)]
    axes = plots.columns(x, x**2, names).axes[0]
    for line, table in zip(axes.lines, (x, x**2), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), np.median(table, axis=0))
    assert [text.get_text() for text in axes.get_xticklabels()] == names
    assert plots.columns(x, x).axes[0].get_xlabel() == "feature"
    assert plots.columns(None, noise(50, 61)).axes[0].get_ylabel() == ""


@pytest.mark.parametrize(("top", "scale"), [(1, "linear"), (1e5, "symlog")])
def test_more_columns_than_can_be_told_apart_get_a_point_each(top, scale):
    x, samples = noise(50, 61), noise(40, 61)
    x[0, 0] = top
    axes = plots.columns(x, samples).axes[0]
    np.testing.assert_allclose(axes.lines[1].get_xdata(), x.mean(0))
    np.testing.assert_allclose(axes.lines[1].get_ydata(), samples.mean(0))
    assert axes.get_xscale() == axes.get_yscale() == scale
