"""Points in latent space: where they lie, and which class has which colour."""

from __future__ import annotations

import numpy as np
import pytest
from figures import dots, legend_names, noise, rows
from matplotlib.colors import to_rgb

from npvae import plots


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
    quantity[3] = float("nan")
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
        ([2.0, 1.0, float("nan"), 2.0], ["1", "2", "unknown"]),
        ([True, False, True, True], ["False", "True"]),
        (np.array(["b", "a", "b", "unknown"], object), ["a", "b", "unknown"]),
        (np.array(["b", "", "b", "a"]), ["unknown", "a", "b"]),
        ([7, 7, 7, 7], ["7"]),
        ([0.5, 1.0, 2.0, 3.0], []),
    ],
)
def test_what_counts_as_a_class(labels, names):
    assert legend_names(plots.latent(noise(4, 2), labels)) == names


@pytest.mark.smoke(1)
@pytest.mark.parametrize("kind", [int, float, str])
def test_sixty_classes_get_a_legend_and_more_a_colour_bar(kind):
    labels = np.arange(122) % 61
    twenty = plots.latent(noise(122, 2), np.minimum(labels, 19).astype(kind))
    assert len(legend_names(twenty)) == 20
    assert len(set(dots(twenty)[1].values())) == 20
    sixty = plots.latent(noise(122, 2), np.minimum(labels, 59).astype(kind))
    assert len(legend_names(sixty)) == 60
    assert len(plots.latent(noise(122, 2), labels.astype(kind)).axes) == 2


def test_above_twenty_classes_colours_come_again_with_another_mark():
    mu, labels = noise(400, 2), np.repeat(np.arange(1, 41), 10)
    figure = plots.latent(mu, labels)
    assert len(figure.axes) == 1, "no colour bar"
    first, second = figure.axes[0].collections
    assert rows(first.get_offsets()) == rows(mu[labels <= 20])
    assert rows(second.get_offsets()) == rows(mu[labels > 20])
    marks = [handle.get_marker() for handle in figure.legends[0].legend_handles]
    colours = [handle.get_color() for handle in figure.legends[0].legend_handles]
    assert marks == ["o"] * 20 + ["^"] * 20
    assert colours[:20] == colours[20:] == plots.PALETTE
    shown = {
        tuple(xy): tuple(rgba[:3])
        for dots in (first, second)
        for xy, rgba in zip(dots.get_offsets(), dots.get_facecolors(), strict=True)
    }
    for point, label in zip(mu, labels, strict=True):
        np.testing.assert_allclose(shown[tuple(point)], to_rgb(colours[label - 1]))


def test_many_whole_numbers_that_do_not_count_up_from_one_are_a_quantity():
    ages = 18 + np.arange(90) % 30
    assert [axes.get_ylabel() for axes in plots.latent(noise(90, 2), ages).axes][1:] == ["label"]
    assert len(plots.latent(noise(90, 2), 2 * (np.arange(90) % 30)).axes) == 2


def test_many_classes_in_one_dimension_get_a_row_each():
    mu, names = noise(90, 1), np.array([f"person {i:02}" for i in range(30)])
    figure = plots.latent(mu, np.tile(names, 3))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(names)
    expected = np.column_stack([mu[:, 0], np.arange(90) % 30])
    assert rows(axes.collections[0].get_offsets()) == rows(expected)


def test_more_points_are_smaller_and_fainter():
    few, many = (plots.latent(noise(n, 2)).axes[0].collections[0] for n in (100, 60_000))
    assert few.get_sizes()[0] > many.get_sizes()[0]
    assert few.get_alpha() > many.get_alpha()
    assert (few.get_rasterized(), many.get_rasterized()) == (False, True)


def test_latent_says_which_rows_and_which_plane_it_shows():
    def subtitle(*arguments, **more):
        return plots.latent(*arguments, **more).axes[0].get_title(loc="left")

    assert subtitle(noise(1200, 2)) == "1,200 rows"
    assert subtitle(noise(1, 1)) == "1 row"
    assert subtitle(noise(9, 2), rows="9 training rows") == "9 training rows"
    assert subtitle(noise(9, 5)) == "9 rows; of 5 dimensions, the plane of most variance"


def test_the_legend_names_what_labels_are_and_cuts_long_names():
    figure = plots.latent(noise(2, 2), ["a" * 40, "b"], label="species of penguin at the station")
    assert legend_names(figure) == ["a" * 23 + "…", "b"]
    assert figure.legends[0].get_title().get_text() == "species of penguin at t…"
    bar = plots.latent(noise(9, 2), noise(9), label="mass").axes[1]
    assert bar.get_ylabel() == "mass"


def test_above_ten_classes_names_stand_where_the_classes_lie():
    middles = np.stack(np.meshgrid(np.arange(8), np.arange(5)), -1).reshape(40, 2) * 20
    mu, labels = np.repeat(middles, 10, axis=0) + noise(400, 2), np.repeat(np.arange(1, 41), 10)
    texts = plots.latent(mu, labels).axes[0].texts
    assert [text.get_text() for text in texts] == [str(label) for label in range(1, 41)]
    places = [np.median(mu[labels == label], axis=0) for label in range(1, 41)]
    np.testing.assert_allclose([text.get_position() for text in texts], places)
    assert not plots.latent(mu, labels // 5).axes[0].texts
    assert 0 < len(plots.latent(noise(400, 2), labels).axes[0].texts) < 40, "none over another"
    assert not plots.latent(mu, [f"a long name {label}" for label in labels]).axes[0].texts


@pytest.mark.parametrize("n", [3, 60])
def test_points_keep_most_of_the_room_beside_long_names(n):
    labels = [f"a class with a long name {i:02}" for i in range(n)]
    figure = plots.latent(noise(n, 2), labels)
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 4 * plots.style.DPI
