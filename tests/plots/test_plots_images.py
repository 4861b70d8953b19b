"""Images stand where they belong, with their values, unblurred."""

from __future__ import annotations

from statistics import NormalDist

import matplotlib
import numpy as np
import pytest
from figures import dots, legend_names, noise, pixels, rows, tile
from matplotlib.backends.backend_agg import FigureCanvasAgg

from npvae import plots


def test_grid_places_image_k_row_by_row():
    images = noise(7, 28 * 20)
    figure = plots.image_grid(images, (28, 20), columns=4)
    for k, image in enumerate(images):
        np.testing.assert_array_equal(tile(figure, k // 4, k % 4, (28, 20)), image)
    assert np.isnan(tile(figure, 1, 3, (28, 20))).all()
    square = plots.image_grid(images, (28, 20))
    np.testing.assert_array_equal(tile(square, 2, 0, (28, 20)), images[6])
    assert pixels(square).shape == (3 * 28 * 5 + 6, 3 * 20 * 5 + 6)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (28, 20), (112, 92)])
def test_every_value_is_a_square_of_whole_screen_pixels(shape):
    figure = plots.image_grid(noise(7, shape[0] * shape[1]), shape, columns=4)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    screen, array = np.asarray(canvas.buffer_rgba())[::-1], pixels(figure)[::-1]  # upward
    corners = figure.axes[0].get_window_extent().extents
    x0, y0, x1, y1 = (round(corner) for corner in corners)
    np.testing.assert_allclose([x0, y0, x1, y1], corners, atol=1e-5)
    grey = np.where(np.isnan(array), 255, matplotlib.colormaps["gray"](array, bytes=True)[..., 0])
    np.testing.assert_array_equal(screen[y0:y1, x0:x1, 0], grey)


def test_strips_are_as_tall_as_can_be_seen_and_no_taller_than_a_screen():
    strip = noise(6, 40)
    wide = pixels(plots.image_grid(strip, (1, 40)))
    assert len(wide) == 6 * 16 + 5 * 3, "below each other"
    np.testing.assert_array_equal(wide[::19, :: wide.shape[1] // 40], strip)
    tall = plots.reconstructions(noise(3, 200), noise(3, 200), (200, 1))
    assert pixels(tall).shape == (2 * 800 + 3, 3 * 16 + 2 * 3)


def test_a_title_is_in_view_whole():
    figure = plots.manifold(lambda z: np.repeat(z, 2, axis=1), (2, 2), n=3)
    figure.draw_without_rendering()
    title = figure.axes[0]._left_title.get_window_extent()
    assert title.x1 < figure.bbox.width


def test_without_a_title_there_is_no_room_for_one():
    named, bare = (plots.image_grid(noise(60, 64), (8, 8), title=title) for title in ("a", ""))
    (width, height), (_, less) = (
        figure.get_size_inches() * plots.style.DPI for figure in (named, bare)
    )
    assert height - less == 28
    assert (width, less) == (pixels(bare).shape[1] + 26, pixels(bare).shape[0] + 26)


def test_colour_images_are_drawn_in_colour_with_white_between_them():
    images = noise(5, 8 * 6 * 3)
    figure = plots.image_grid(images, (8, 6, 3), columns=3)
    array = pixels(figure)
    scale = (array.shape[1] - 6) // 18
    height, width = 8 * scale + 3, 6 * scale + 3
    for k, image in enumerate(images):
        top, left = k // 3 * height, k % 3 * width
        shown = array[top : top + height - 3 : scale, left : left + width - 3 : scale]
        np.testing.assert_array_equal(shown, image.reshape(8, 6, 3))
    assert (array[height - 3 : height] == 1).all()
    assert (array[:, width - 3 : width] == 1).all()
    assert (array[height:, 2 * width :] == 1).all(), "the place that is left over"


def test_colours_are_scaled_by_the_value_range():
    images = noise(2, 48) * 4 - 2
    figure = plots.reconstructions(images, images[::-1], (4, 4, 3), value_range=None)
    array = pixels(figure)
    assert (array.min(), array.max()) == (0, 1)
    expected = (images[0, :3] - images.min()) / (images.max() - images.min())
    np.testing.assert_allclose(array[0, 0], expected)
    walk = plots.interpolation(images[None], (4, 4, 3), value_range=(0, 1))
    np.testing.assert_array_equal(pixels(walk)[0, 0], np.clip(images[0, :3], 0, 1))


def test_value_range_is_black_and_white():
    image = noise(1, 64) * 7 - 3
    for value_range in (None, (-1, 2)):
        figure = plots.image_grid(image, (8, 8), value_range=value_range)
        clim = figure.axes[0].images[0].get_clim()
        assert clim == (value_range or (image.min(), image.max()))


def test_reconstructions_stand_under_their_inputs():
    x, x_hat = noise(12, 784), 1 - noise(12, 784)
    figure = plots.reconstructions(x, x_hat, (28, 28), n=5)
    for i in range(5):
        np.testing.assert_array_equal(tile(figure, 0, i, (28, 28)), x[i])
        np.testing.assert_array_equal(tile(figure, 1, i, (28, 28)), x_hat[i])
    assert tile(figure, 0, 5, (28, 28)).size == 0
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["input", "reconstruction"]
    assert (list(axes.get_yticks()), axes.get_ylim()) == ([0.75, 0.25], (0, 1))
    few = plots.reconstructions(x[:2], x_hat[:2], (28, 28))
    np.testing.assert_array_equal(tile(few, 1, 1, (28, 28)), x_hat[1])


def test_reconstructions_of_features():
    x, x_hat = noise(3, 12), noise(3, 12) + 1
    figure = plots.reconstructions(x, x_hat, None)
    assert len(figure.axes) == 3
    for i, axes in enumerate(figure.axes):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), x[i])
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), x_hat[i])
    assert legend_names(figure) == ["input", "reconstruction"]
    assert figure.axes[-1].get_xlabel() == "feature"
    named = plots.reconstructions(x, x_hat, None, names=list("abcdefghijkl")).axes[-1]
    assert "".join(text.get_text() for text in named.get_xticklabels()) == "abcdefghijkl"
    assert named.get_xlabel() == ""


@pytest.mark.parametrize(("top", "scale"), [(1, "linear"), (1e4, "symlog")])
def test_reconstructions_of_many_features(top, scale):
    x, x_hat = noise(4, 300), noise(4, 300) ** 2
    x[0, 0] = top
    figure = plots.reconstructions(x, x_hat, None, n=3)
    assert rows(dots(figure)[0]) == rows(np.column_stack([x[:3].ravel(), x_hat[:3].ravel()]))
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == scale


def test_interpolation_gives_each_pair_a_row():
    decoded = noise(3, 5, 784)
    figure = plots.interpolation(decoded, (28, 28))
    for pair, step in np.ndindex(3, 5):
        np.testing.assert_array_equal(tile(figure, pair, step, (28, 28)), decoded[pair, step])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["start", "end"]
    np.testing.assert_allclose(figure.axes[0].get_xticks(), [0.1, 0.9])


def test_a_traversal_gives_each_dimension_a_row():
    decoded = noise(2, 5, 784)
    figure = plots.traversal(decoded, (28, 28), [3, 1], np.linspace(-2, 2, 5))
    for row, step in np.ndindex(2, 5):
        np.testing.assert_array_equal(tile(figure, row, step, (28, 28)), decoded[row, step])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["z[3]", "z[1]"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["−2", "−1", "0", "1", "2"]
    np.testing.assert_allclose(axes.get_yticks(), [0.75, 0.25])


def test_an_attribute_gives_each_row_its_own():
    decoded, strengths = noise(2, 3, 784), [0, 0.5, 1]
    figure = plots.attribute(decoded, (28, 28), strengths, ["row 7", "row 31234"])
    for row, step in np.ndindex(2, 3):
        np.testing.assert_array_equal(tile(figure, row, step, (28, 28)), decoded[row, step])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["row 7", "row 31234"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "0.5", "1"]
    figure.canvas.draw()
    assert min(t.get_window_extent().x0 for t in axes.get_yticklabels()) > 0, "none is cut off"
    lines = plots.attribute(noise(2, 3, 4), None, strengths).axes[1].lines
    assert [line.get_label() for line in lines] == ["row 1", "row 2"]
    np.testing.assert_array_equal(lines[0].get_xdata(), strengths)


def test_a_traversal_of_columns_is_drawn_over_the_values():
    decoded = noise(2, 5, 3)
    values = np.linspace(-2, 2, 5)
    figure = plots.traversal(decoded, None, [3, 1], values, names=["a", "b", "c"])
    for j, axes in enumerate(figure.axes):
        for line, want, name in zip(axes.lines, decoded[:, :, j], ["z[3]", "z[1]"], strict=True):
            np.testing.assert_array_equal(line.get_xdata(), values)
            np.testing.assert_array_equal(line.get_ydata(), want)
            assert line.get_label() == name


def test_interpolation_has_the_inputs_at_its_sides():
    decoded, ends = noise(3, 5, 784), 1 - noise(3, 2, 784)
    figure = plots.interpolation(decoded, (28, 28), ends=ends)
    axes = figure.axes[0]
    for pair in range(3):
        np.testing.assert_array_equal(tile(figure, pair, 0, (28, 28)), ends[pair, 0])
        np.testing.assert_array_equal(tile(figure, pair, 6, (28, 28)), ends[pair, 1])
        for step in range(5):
            shown = tile(figure, pair, step + 1, (28, 28))
            np.testing.assert_array_equal(shown, decoded[pair, step])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["input", "decoded", "input"]
    width = pixels(figure).shape[1]
    for line, place in zip(axes.lines, (1, 6), strict=True):
        assert abs(line.get_xdata()[0] * width - place * (width + 3) / 7 + 1.5) <= 1.5, "in the gap"


def test_samples_stand_beside_data():
    samples, data = noise(7, 64), 1 - noise(9, 64)
    figure = plots.image_grid(samples, (8, 8), data=data)
    for k in range(7):
        np.testing.assert_array_equal(tile(figure, k // 3, k % 3, (8, 8)), data[k])
        np.testing.assert_array_equal(tile(figure, k // 3, 3 + k % 3, (8, 8)), samples[k])
    assert np.isnan(tile(figure, 2, 1, (8, 8))).all()
    few = plots.image_grid(samples, (8, 8), data=data[:2])
    np.testing.assert_array_equal(tile(few, 2, 3, (8, 8)), samples[6])
    assert np.isnan(tile(few, 1, 0, (8, 8))).all()
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["data", "samples"]
    colour = plots.image_grid(noise(3, 48), (4, 4, 3), value_range=None, data=noise(3, 48) * 2)
    assert pixels(colour).shape[2] == 3
    assert np.isfinite(pixels(colour)).all()


def test_interpolation_of_features_is_a_line_for_each_pair_and_column():
    decoded, ends = noise(3, 5, 12), noise(3, 2, 12)
    figure = plots.interpolation(decoded, None, ends=ends)
    for j, axes in enumerate(figure.axes):
        assert len(axes.lines) == 6
        for pair, (line, circles) in enumerate(zip(axes.lines[::2], axes.lines[1::2], strict=True)):
            np.testing.assert_array_equal(line.get_ydata(), decoded[pair, :, j])
            np.testing.assert_array_equal(
                circles.get_xydata(), [(0, ends[pair, 0, j]), (1, ends[pair, 1, j])]
            )
            assert line.get_color() == circles.get_color()
    assert legend_names(figure) == ["pair 1", "pair 2", "pair 3"]
    named = plots.interpolation(decoded[..., :2], None, names=["age", "a" * 30])
    assert [axes.get_title(loc="left") for axes in named.axes] == ["age", "a" * 23 + "…"]


def test_interpolation_of_many_features_is_a_heat_map_for_each_pair():
    decoded = noise(3, 5, 37)
    figure = plots.interpolation(decoded, None)
    for walk, axes in zip(decoded, figure.axes[:3], strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), walk)
        assert axes.images[0].get_clim() == (decoded.min(), decoded.max())
        assert [t.get_text() for t in axes.get_yticklabels()] == ["start", "end"]
    named = plots.interpolation(
        decoded, None, names=[f"c{j}" for j in range(36)] + ["a" * 30]
    ).axes[2]
    assert [t.get_text() for t in named.get_xticklabels()][-2:] == ["c35", "a" * 23 + "…"]


def test_manifold_grows_rightward_and_upward_by_the_quantiles_of_the_prior():
    seen = []

    def decode(z):  # an upper half that shows z[0] and a lower half that shows z[1]
        seen.append(z)
        return np.repeat(z, 8, axis=1)

    n, size = 5, 4
    figure = plots.manifold(decode, (size, size), n=n, value_range=None)
    quantiles = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    assert seen[0].shape == (n * n, 2)
    array = pixels(figure)
    step = (len(array) + 1) // n  # an image and a gap of one pixel
    assert np.isnan(array[step - 1 :: step]).all()
    assert np.isnan(array[:, step - 1 :: step]).all()
    assert np.isnan(array).sum() == array.size - (n * (step - 1)) ** 2
    for row in range(n):
        np.testing.assert_allclose(array[step * row, ::step], quantiles)
        below = array[step * row + step // 2, ::step]
        np.testing.assert_allclose(below, quantiles[n - 1 - row])
    axes = figure.axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        np.testing.assert_allclose(axis.get_ticklocs(), [0.1, 0.3, 0.5, 0.7, 0.9])
        names = [label.get_text() for label in axis.get_ticklabels()]
        assert names == ["−1.28", "−0.52", "0.00", "0.52", "1.28"]
    assert (axes.get_xlabel(), axes.get_xlim()) == ("z[0]", (0, 1))
    assert (axes.get_ylabel(), axes.get_ylim()) == ("z[1]", (0, 1))


def test_ticks_of_a_large_manifold_are_a_few_that_lie_alike_on_both_sides():
    axes = plots.manifold(lambda z: np.repeat(z, 2, axis=1), (2, 2), n=20).axes[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["−1.96", "−0.76", "−0.19", "0.19", "0.76", "1.96"]
    np.testing.assert_allclose(axes.get_xticks(), (np.array([0, 4, 8, 11, 15, 19]) + 0.5) / 20)


def test_guess_image_shape():
    guesses = [plots.guess_image_shape(d) for d in (0, 9, 16, 560, 784)]
    assert guesses == [None, None, (4, 4), None, (28, 28)]
