"""A panel or a bar for each column of a table."""

from __future__ import annotations

import numpy as np
import pytest
from figures import noise

from npvae import plots
from npvae.core.errors import DataError

NAN = float("nan")


def title(axes):
    return axes.get_title() or axes.get_title(loc="left")


def test_bars_have_the_least_on_top():
    figure = plots.column_bars([0.5, -0.25, NAN, 2.0], ["a", "b", "c", "d"], "Title", "nats")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["b", "a", "d"]
    assert [bar.get_width() for bar in axes.patches] == [-0.25, 0.5, 2.0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "downward"
    assert axes.get_xlabel() == "nats\n1 others have more, or no value"
    many = plots.column_bars(np.arange(9.0), list("abcdefghi"), "Title", "nats", most=3)
    assert [text.get_text() for text in many.axes[0].get_yticklabels()] == ["a", "b", "c"]
    with pytest.raises(DataError, match="a number or NaN for each column"):
        plots.column_bars([], [], "Title", "nats")


def test_columns_with_labels_have_a_bar_for_each_label():
    x = np.column_stack([noise(40), np.arange(40) % 3])
    x[3, 0] = x[5, 1] = NAN
    samples = np.column_stack([noise(30), np.zeros(30)])
    figure = plots.columns(x, samples, ["size", "colour"], labels=[(), ("red", "green", "blue")])
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(bars, [14 / 39, 13 / 39, 12 / 39, 1, 0, 0])
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == [
        "red",
        "green",
        "blue",
    ]
    assert sum(figure.axes[0].patches[0].get_data().values) > 0.9
    with pytest.raises(DataError, match="finite"):
        plots.columns(x, samples)


def test_reconstructions_lie_against_inputs_in_a_panel_for_each_column():
    x = np.column_stack([noise(20), np.arange(20) % 2])
    x_hat = np.column_stack([noise(20) + 1, np.ones(20) * 0.8])
    x[2, 0] = NAN
    figure = plots.columns_reconstructed(x, x_hat, ["size", "member"], [(), ("no", "yes")])
    points = figure.axes[0].lines[1].get_xydata()
    np.testing.assert_array_equal(
        points, np.column_stack([x, x_hat])[np.arange(20) != 2][:, [0, 2]]
    )
    texts = {text.get_position(): text.get_text() for text in figure.axes[1].texts}
    assert texts == {(0, 0): "0", (1, 0): "0", (0, 1): "10", (1, 1): "10"}
    assert [title(axes) for axes in figure.axes] == ["size", "member"]
    assert len(plots.columns_reconstructed(noise(5, 50), noise(5, 50), ["a"] * 50).axes) == 36
    with pytest.raises(DataError, match="one shape"):
        plots.columns_reconstructed(x, x_hat[:3], ["a", "b"])
