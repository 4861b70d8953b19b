"""What the pictures show is what they were given: values, places, order, names."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from npvae import plots
from npvae.errors import DataError, MissingDependency

NAN = float("nan")


def record(epoch, train, valid=None, **more):
    """Total, reconstruction and KL as train + 0, 1, 2 and valid + 0, 1, 2."""
    terms = {"loss": 0.0, "rec": 1.0, "kl": 2.0}
    row = {f"train_{name}": train + shift for name, shift in terms.items()}
    row |= {f"valid_{n}": None if valid is None else valid + s for n, s in terms.items()}
    return {"epoch": epoch, **row, **more}


def noise(*shape):
    return np.random.default_rng(0).random(shape)


def pixels(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), NAN)


def tile(figure, row, column, shape):
    """The image at a place of the grid, each of its squares as one value."""
    array = pixels(figure)
    scale = np.isnan(array[0]).argmax() // shape[1]  # a gap of 3 ends the first image
    (height, width), gap = scale * np.array(shape), 3
    top, left = row * (height + gap), column * (width + gap)
    return array[top : top + height : scale, left : left + width : scale].ravel()


def dots(figure):
    """The offsets of the scatter, and its colours by offset."""
    collection = figure.axes[0].collections[0]
    collection.update_scalarmappable()
    offsets, colours = np.asarray(collection.get_offsets()), collection.get_facecolors()
    return offsets, {tuple(xy): tuple(rgba[:3]) for xy, rgba in zip(offsets, colours, strict=True)}


def rows(array):
    return sorted(map(tuple, array))


def legend_names(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_loss_curves_draw_the_records():
    history = [record(e, 100.0 / e, 110.0 / e) for e in range(1, 7)]
    figure = plots.loss_curves(history)
    for axes, term in zip(figure.axes, ("loss", "rec", "kl"), strict=True):
        assert axes.get_ylabel() == "nats per example"
        for line, split in zip(axes.lines, ("train", "valid"), strict=True):
            assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
            assert list(line.get_ydata()) == [row[f"{split}_{term}"] for row in history]
    assert legend_names(figure) == ["train", "validation"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Loss", "Reconstruction term", "KL term"]


def test_loss_curves_skip_epochs_without_validation():
    history = [record(1, 9.0), record(2, 8.0, 8.5), record(3, 7.0, NAN), record(4, 6.0, 6.5)]
    del history[0]["valid_loss"]
    train, valid = plots.loss_curves(history).axes[0].lines
    assert list(train.get_xdata()) == [1, 2, 3, 4]
    assert valid.get_xydata().tolist() == [[2, 8.5], [4, 6.5]]
    assert legend_names(plots.loss_curves([record(1, 9.0), record(2, 8.0)])) == ["train"]


def test_loss_curves_of_one_epoch_and_of_many():
    one = plots.loss_curves([record(1, 9.0, 9.5)]).axes[0]
    assert one.lines[0].get_marker() == "o"
    assert [tick for tick in one.get_xticks() if abs(tick - 1) < 0.5] == [1]
    many = plots.loss_curves([record(e, 100 + 50 * 0.98**e) for e in range(1, 501)]).axes[0]
    assert many.lines[0].get_marker() in ("", "None")
    assert many.get_ylim()[1] > 149


def test_loss_curves_mark_the_epoch_that_they_cut():
    history = [record(1, 5432.0), *(record(e, 100.0 + 20 / e, 105.0) for e in range(2, 21))]
    axes = plots.loss_curves(history).axes[0]
    low, high = axes.get_ylim()
    assert low < 101
    assert 110 < high < 130
    assert [text.get_text() for text in axes.texts] == ["↑ cut: up to 5,432 (epoch 1)"]
    axes = plots.loss_curves([record(e, 100.0 + 80 / e) for e in range(1, 21)]).axes[0]
    assert axes.get_ylim()[1] > 180, "an ordinary first epoch stays"
    assert not axes.texts


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


def test_interpolation_of_features_is_a_heat_map_for_each_pair():
    decoded = noise(3, 5, 12)
    figure = plots.interpolation(decoded, None)
    for walk, axes in zip(decoded, figure.axes[:3], strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), walk)
        assert axes.images[0].get_clim() == (decoded.min(), decoded.max())
        assert [t.get_text() for t in axes.get_yticklabels()] == ["start", "end"]


def test_latent_scatter_is_mu_in_the_colours_of_the_legend():
    mu, labels = noise(50, 2), np.arange(50) % 3 + 4
    figure = plots.latent(mu, labels)
    offsets, colours = dots(figure)
    assert rows(offsets) == rows(mu)
    assert legend_names(figure) == ["4", "5", "6"]
    named = [to_rgb(handle.get_color()) for handle in figure.legends[0].legend_handles]
    for point, label in zip(mu, labels, strict=True):
        np.testing.assert_allclose(colours[tuple(point)], named[label - 4])
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("z[0]", "z[1]")
    assert not legend_names(plots.latent(mu))


def test_latent_of_more_dimensions_agrees_with_the_eigenvectors_of_the_covariance():
    mu = noise(200, 5) * [1, 5, 2, 0.5, 3] + 10
    variances, vectors = np.linalg.eigh(np.cov(mu.T))
    figure = plots.latent(mu)
    offsets, _ = dots(figure)
    vectors = vectors[:, [-1, -2]]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), [0, 1]])
    expected = (mu - mu.mean(0)) @ vectors
    np.testing.assert_allclose(
        offsets[offsets[:, 0].argsort()], expected[expected[:, 0].argsort()], atol=1e-10
    )
    shares = 100 * variances / variances.sum()
    axes = figure.axes[0]
    assert axes.get_xlabel() == f"principal component 1 ({shares[-1]:.0f} % of variance)"
    assert axes.get_ylabel() == f"principal component 2 ({shares[-2]:.0f} % of variance)"


@pytest.mark.parametrize("mu", [np.ones((1, 3)), np.zeros((9, 4))])
def test_latent_without_variance(mu):
    figure = plots.latent(mu)
    assert rows(dots(figure)[0]) == [(0, 0)] * len(mu)
    assert "(0 % of variance)" in figure.axes[0].get_xlabel()


def test_latent_of_one_dimension_is_a_histogram_by_label():
    mu, labels = noise(300, 1), np.where(np.arange(300) < 100, "cat", "dog")
    figure = plots.latent(mu, labels)
    assert legend_names(figure) == ["cat", "dog"]
    for patch, name in zip(figure.axes[0].patches, ["cat", "dog"], strict=True):
        counts, edges, _ = patch.get_data()
        assert counts.sum() == np.sum(labels == name)
        np.testing.assert_array_equal(counts, np.histogram(mu[labels == name], edges)[0])
    assert plots.latent(mu).axes[0].patches[0].get_data().values.sum() == 300
    quantity = plots.latent(mu, mu[:, 0] ** 2)
    assert rows(dots(quantity)[0]) == rows(np.column_stack([mu, mu**2]))
    assert quantity.axes[0].get_ylabel() == "label"


def test_a_quantity_gets_a_colour_bar():
    mu, quantity = noise(40, 2), noise(40) ** 2
    quantity[3] = NAN
    figure = plots.latent(mu, quantity)
    assert not figure.legends
    assert [axes.get_ylabel() for axes in figure.axes] == ["z[1]", "label"]
    _, colours = dots(figure)
    np.testing.assert_allclose(colours[tuple(mu[3])], to_rgb(plots.PALE))
    low, high = (colours[tuple(mu[i(quantity)])] for i in (np.nanargmin, np.nanargmax))
    assert sum(low) < sum(high)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0, 1, 1, 10], ["0", "1", "10"]),
        ([2.0, 1.0, NAN, 2.0], ["1", "2", "unknown"]),
        ([True, False, True, True], ["False", "True"]),
        (np.array(["b", "a", "b", "unknown"], object), ["a", "b", "unknown"]),
        ([7, 7, 7, 7], ["7"]),
        ([0.5, 1.0, 2.0, 3.0], []),
    ],
)
def test_what_counts_as_a_class(labels, names):
    assert legend_names(plots.latent(noise(4, 2), labels)) == names


@pytest.mark.parametrize("kind", [int, str])
def test_twenty_classes_get_a_legend_and_more_a_colour_bar(kind):
    labels = np.arange(63) % 21
    twenty = plots.latent(noise(63, 2), np.minimum(labels, 19).astype(kind))
    assert len(legend_names(twenty)) == 20
    assert len(set(dots(twenty)[1].values())) == 20
    assert len(plots.latent(noise(63, 2), labels.astype(kind)).axes) == 2


def test_more_points_are_smaller_and_fainter():
    few, many = (plots.latent(noise(n, 2)).axes[0].collections[0] for n in (100, 60_000))
    assert few.get_sizes()[0] > many.get_sizes()[0]
    assert few.get_alpha() > many.get_alpha()
    assert (few.get_rasterized(), many.get_rasterized()) == (False, True)


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
    zoom = array.shape[0] // (n * size)
    array = array[::zoom, ::zoom]
    for row in range(n):
        np.testing.assert_allclose(array[size * row, ::size], quantiles)
        np.testing.assert_allclose(array[size * row + 2, ::size], quantiles[n - 1 - row])
    axes = figure.axes[0]
    places = [NormalDist().cdf(z) for z in (-1, -0.5, 0, 0.5, 1)]
    for axis in (axes.xaxis, axes.yaxis):
        np.testing.assert_allclose(axis.get_ticklocs(), places)
        names = [label.get_text() for label in axis.get_ticklabels()]
        assert names == ["−1", "−0.5", "0", "0.5", "1"]
    assert (axes.get_xlabel(), axes.get_xlim()) == ("z[0]", (0, 1))
    assert (axes.get_ylabel(), axes.get_ylim()) == ("z[1]", (0, 1))


def test_guess_image_shape():
    guesses = [plots.guess_image_shape(d) for d in (0, 9, 16, 560, 784)]
    assert guesses == [None, None, (4, 4), None, (28, 28)]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_save_writes_the_same_bytes_and_leaves_nothing_else(tmp_path, suffix):
    def write(name):
        plots.save(plots.latent(noise(30, 2), np.arange(30) % 3), tmp_path / name)
        return (tmp_path / name).read_bytes()

    first = write(f"a.{suffix}")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert write(f"b.{suffix}") == first
    assert write(f"a.{suffix}") == first
    assert matplotlib.__version__.encode() not in first
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


X = np.zeros((3, 64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.loss_curves([]), "one epoch or more; got no record"),
        (lambda: plots.loss_curves([{"epoch": 1}]), "without train_kl, train_loss, train_rec"),
        (lambda: plots.image_grid(X, (8, 9)), "h × w = 64; got (8, 9). Try (8, 8)."),
        (lambda: plots.image_grid(X, None), "got None. Try (8, 8)."),
        (lambda: plots.image_grid(X, 8), "got 8. Try (8, 8)."),
        (lambda: plots.image_grid(X[0], (8, 8)), "(n, D), an image a row; got (64,)"),
        (lambda: plots.image_grid(X.astype(np.uint8) + 200, (8, 8)), "got 200. Divide by 255?"),
        (lambda: plots.reconstructions(X, X[:2], (8, 8)), "one shape (N, D)"),
        (lambda: plots.reconstructions(X, X, (8, 8), n=0), "n=0"),
        (lambda: plots.reconstructions(X, X, (7, 7)), "h × w = 64; got (7, 7)"),
        (lambda: plots.interpolation(X, (8, 8)), "got (3, 64). One pair: pass decoded[None]."),
        (lambda: plots.latent(X[0]), "mu must be (N, Z)"),
        (lambda: plots.latent(X * NAN), "192 values NaN"),
        (lambda: plots.latent(X, [1, 2]), "labels must be (3,)"),
        (lambda: plots.latent(X, np.eye(3)), "labels.argmax(1)"),
        (lambda: plots.manifold(lambda z: X, (8, 8), n=2), "one image for each z, here 4; got 3"),
        (lambda: plots.save(plots.latent(X), "picture.bmp"), "Try picture.png"),
    ],
)
def test_a_bad_argument_gets_one_clear_sentence(call, message):
    with pytest.raises(DataError, match=re.escape(message)):
        call()


def test_pyplot_is_never_imported_and_settings_are_left_alone():
    code = """
import sys
from npvae import plots
assert "matplotlib" not in sys.modules
import io, matplotlib, numpy as np
matplotlib.rcParams["font.size"] = 21
before = matplotlib.rcParams.copy()
x = np.random.default_rng(0).random((9, 64))
row = dict(epoch=1, train_loss=3.0, train_rec=2.0, train_kl=1.0)
figures = [plots.loss_curves([row]), plots.image_grid(x, (8, 8)),
           plots.reconstructions(x, x, (8, 8)), plots.reconstructions(x, x, None),
           plots.interpolation(x[None], (8, 8)), plots.interpolation(x[None], None),
           plots.latent(x, np.arange(9)), plots.latent(x[:, :1]), plots.latent(x, x[:, 0]),
           plots.manifold(lambda z: x, (8, 8), n=3)]
for figure in figures:
    figure.savefig(io.BytesIO())
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependency, match=re.escape("pip install 'npvae[plot]'")):
        plots.latent([[1.0, 2.0]])


def test_threads_draw_at_once_and_restore_the_settings(tmp_path):
    before = matplotlib.rcParams.copy()

    def draw(i):
        plots.save(plots.latent(noise(20, 2)), tmp_path / f"{i}.png")
        return (tmp_path / f"{i}.png").read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1
    assert matplotlib.rcParams.copy() == before
