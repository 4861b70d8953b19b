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


def test_ticks_are_written_as_the_column_writes_its_numbers():
    x = np.column_stack([noise(20) * 100, noise(20)])
    formats = [lambda days: f"day {days:g}", None]
    figure = plots.columns_reconstructed(x, x, ["joined", "size"], formats=formats)
    figure.draw_without_rendering()
    joined, size = figure.axes
    for axis in (joined.xaxis, joined.yaxis):
        assert {"day 0", "day 50"} & {text.get_text() for text in axis.get_ticklabels()}
    assert not any("day" in text.get_text() for text in size.get_xticklabels())
    assert figure.get_supxlabel() == "input, in the column's units"
    assert figure.get_supylabel() == "reconstruction"
    (samples,) = plots.columns(x[:, :1], x[:, :1], ["joined"], formats=formats[:1]).axes
    assert samples.xaxis.get_major_formatter()(3) == "day 3"
    assert samples.yaxis.get_major_formatter()(0.125) == "12.5 %"


def test_long_labels_have_two_lines_and_many_their_number():
    words = ("strongly disagree", "strongly agree", "St. Petersburg am Meer")
    places = np.arange(9)[:, None] % 3
    axes = plots.columns_reconstructed(places, places, ["q"], [words]).axes[0]
    shown = [text.get_text() for text in axes.get_yticklabels()]
    assert shown == ["strongly\ndisagree", "strongly\nagree", "St.\nPetersburg…"]
    letters = tuple("ABCDEFGHIJKL")
    axes = plots.columns_reconstructed(places, places, ["q"], [letters]).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(letters)
    many = tuple(f"town {i}" for i in range(12))
    axes = plots.columns_reconstructed(places, places, ["q"], [many]).axes[0]
    assert (list(axes.get_xticks()), axes.get_xlabel()) == ([], "12 labels")


def test_walks_are_lines_in_the_columns_units():
    decoded = np.stack([np.linspace([0.0, 0, 7], [4, 0.75, 7], 5), np.full((5, 3), [2, 0.25, 7])])
    ends = np.array([[[0, 0, NAN], [4, 1, 7]], [[2, 0, 7], [2, 1, 7]]])
    labels = [("a", "b", "c", "d", "e"), ("no", "yes"), ()]
    figure = plots.walks(decoded, ["letter", "member", "size"], ends, labels)
    letter, member, size = figure.axes
    np.testing.assert_array_equal(letter.lines[0].get_ydata(), [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(size.lines[1].get_ydata(), [NAN, 7])
    assert [text.get_text() for text in letter.get_yticklabels()] == ["a", "b", "c", "d", "e"]
    assert [text.get_text() for text in member.get_yticklabels()] == ["no", "yes"]
    assert [text.get_text() for text in size.get_xticklabels()] == ["start", "end"]
    assert figure.legends[0].get_title().get_text() == "circles: the rows themselves"


def test_labels_that_walks_meet_lie_as_far_apart_as_any():
    decoded = np.array([[[0.0], [30], [31]]])
    labels = [[f"town {i}" for i in range(40)]]
    axes = plots.walks(decoded, ["town"], np.array([[[0.0], [31]]]), labels).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0, 1, 2])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [0, 2])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["town 0", "town 30", "town 31"]


def test_a_day_and_its_time_stand_in_two_lines():
    decoded = np.array([[[0.0], [1.0]]])
    axes = plots.walks(decoded, ["at"], formats=[lambda v: f"day {v:g}\n12:00"]).axes[0]
    assert axes.yaxis.get_major_formatter()(1.0, 0) == "day 1\n12:00"


@pytest.mark.slow
def test_of_many_columns_those_have_a_panel_that_walks_change_most():
    decoded = np.tile(noise(40), (2, 3, 1))
    decoded[:, 1:, 5] += [[1], [2]]
    decoded[:, 1:, 39] += [[100], [300]]
    names = [f"c{j}" for j in range(40)]
    figure = plots.walks(decoded, names)
    shown = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(shown) == 36
    assert {"c5", "c39"} <= set(shown)
    assert "the 36 columns that change most" in figure.get_suptitle()
    assert not plots.walks(np.tile(decoded, (6, 1, 1))).legends, "twelve lines are not named"
