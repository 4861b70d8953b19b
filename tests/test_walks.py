"""Interpolation, traversals and attribute vectors, against the geometry that they promise."""

from __future__ import annotations

import numpy as np
import pytest
from two_levels import BottomUp

import npvae as nv
from npvae.models.walks import between

RNG = np.random.default_rng(0)
X = RNG.random((12, 6))


@pytest.fixture(params=["vae", "flow", "context"])
def model(request):
    options = {"flow": {"posterior": "planar:n=2"}, "context": {"context_dim": 2}}
    made = nv.VAE(6, 3, hidden=(5,), dtype="float64", **options.get(request.param, {}))
    made.flat += 0.3 * np.random.default_rng(1).normal(size=made.n_params)
    return made


@pytest.fixture
def context(model):
    return RNG.normal(size=(12, 2)) if model.context_dim else None


def test_the_ways_ends_are_the_reconstructions(model, context):
    a, b = X[:4], X[4:8]
    c = None if context is None else context[:4]
    for spherical in (False, True):
        walks = nv.interpolate(model, a, b, steps=5, spherical=spherical, context=c)
        assert walks.shape == (4, 5, 6)
        np.testing.assert_allclose(walks[:, 0], model.reconstruct(a, c), rtol=1e-10)
        np.testing.assert_allclose(walks[:, -1], model.reconstruct(b, c), rtol=1e-10)
        alone = None if c is None else c[2]
        one = nv.interpolate(model, a[2], b[2], steps=5, spherical=spherical, context=alone)
        np.testing.assert_allclose(one, walks[2], rtol=1e-10)


def test_a_straight_walk_decodes_the_line(model, context):
    c = None if context is None else context[:1]
    (start,), (end,) = model.centres(X[:1], c)[0], model.centres(X[1:2], c)[0]
    middle = nv.interpolate(model, X[0], X[1], steps=3, context=None if c is None else c[0])[1]
    np.testing.assert_allclose(middle, model.decode((start + end)[None] / 2, c)[0], rtol=1e-10)


def test_an_arc_turns_evenly_and_its_length_goes_from_one_to_the_other():
    start, end = np.array([[2.0, 0, 0]]), np.array([[0, 2.0, 0]])
    arc = between(start, end, 7, spherical=True)[0]
    angles = np.linspace(0, np.pi / 2, 7)
    np.testing.assert_allclose(
        arc, 2 * np.c_[np.cos(angles), np.sin(angles), 0 * angles], atol=1e-12
    )
    # White 2016, by the formula, on vectors of any length.
    a, b = RNG.normal(size=(2, 5))
    omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    for t, z in zip(np.linspace(0, 1, 4), between(a[None], b[None], 4, True)[0], strict=True):
        want = (np.sin((1 - t) * omega) * a + np.sin(t * omega) * b) / np.sin(omega)
        np.testing.assert_allclose(z, want, rtol=1e-9)


@pytest.mark.parametrize("other", [1.0, 3.0, -1.0, 0.0])
def test_where_there_is_no_arc_it_is_a_line(other):
    start = np.array([[1.0, 2.0]])
    arcs = between(start, other * start, 5, spherical=True)
    np.testing.assert_allclose(arcs, between(start, other * start, 5), atol=1e-6)
    assert between(np.float32(start), np.float32(start), 3, True).dtype == np.float32


def test_a_traversal_changes_one_dimension_alone(model, context):
    c = None if context is None else context[:2]
    z, values = RNG.normal(size=(2, 3)), np.array([-1.0, 0.5, 2.0, 3.0])
    rows = nv.traverse(model, z, [2, 0], values, context=c)
    assert rows.shape == (2, 2, 4, 6)
    for n in range(2):
        for i, dim in enumerate((2, 0)):
            for v, value in enumerate(values):
                changed = z[n : n + 1].copy()
                changed[0, dim] = value
                want = model.decode(changed, None if c is None else c[n : n + 1])[0]
                np.testing.assert_allclose(rows[n, i, v], want, rtol=1e-10)
    first = None if c is None else c[0]
    np.testing.assert_allclose(nv.traverse(model, z[0], 2, values, context=first), rows[0, 0])
    np.testing.assert_allclose(nv.traverse(model, z[0], [2, 0], values, context=first), rows[0])


def test_an_attribute_vector_is_the_difference_of_mean_codes(model, context):
    has = np.arange(12) % 3 == 0
    codes = model.centres(X, context)[0]
    way = nv.attribute_vector(model, X, has, context=context)
    assert way.shape == (3,)
    np.testing.assert_allclose(way, codes[has].mean(0) - codes[~has].mean(0), rtol=1e-12)
    np.testing.assert_array_equal(nv.attribute_vector(model, X, has.astype(int), context), way)
    np.testing.assert_allclose(nv.attribute_vector(model, X, ~has, context), -way)


def test_within_groups_it_leaves_out_what_groups_differ_in():
    """Codes are those of a linear encoder: group 0 has the attribute more often, and lies apart."""
    model = nv.VAE(6, 3, hidden=(), likelihood="gaussian", dtype="float64")
    group = np.repeat(["a", "b", "c"], [4, 4, 2])
    has = np.array([1, 1, 1, 0, 0, 0, 0, 1, 1, 1], bool)  # of c all: it says nothing
    own, apart = RNG.normal(size=(2, 6))
    x = np.where(group[:, None] == "a", apart, 0) + has[:, None] * own
    expected = np.subtract(*model.centres(np.stack([own, np.zeros(6)]))[0])
    way = nv.attribute_vector(model, x, has, within=group)
    np.testing.assert_allclose(way, expected, rtol=1e-10)
    assert np.abs(nv.attribute_vector(model, x, has) - expected).max() > 0.1


def test_of_several_levels_the_one_next_to_x_is_walked_through():
    model = BottomUp(6, (3, 2), hidden=(4,))
    x = (X[:4] < 0.5).astype(float)
    walks = nv.interpolate(model, x[:2], x[2:], steps=3)
    np.testing.assert_allclose(walks[:, 0], model.reconstruct(x[:2]), rtol=1e-6)
    width = model.centres(x)[0].shape[1]
    assert nv.attribute_vector(model, x, [1, 0, 0, 1]).shape == (width,)
    assert nv.traverse(model, np.zeros(width), 0, [0.0, 1.0]).shape == (2, model.x_dim)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: nv.interpolate(m, X[:2], X[0]), r"got \(2, 6\) and \(6,\)"),
        (lambda m: nv.interpolate(m, X[0], X[1], steps=1), "steps is a whole number, 2 or more"),
        (lambda m: nv.traverse(m, np.zeros(2), [2], [0.0]), "dimensions 0 to 1; got"),
        (lambda m: nv.traverse(m, np.zeros(2), [], [0.0]), "dimensions 0 to 1; got"),
        (lambda m: nv.traverse(m, np.zeros(2), 0, 1.0), r"values are numbers \(V,\)"),
        (lambda m: nv.attribute_vector(m, X, np.ones(12)), "12 with it"),
        (lambda m: nv.attribute_vector(m, X, np.arange(12)), "whether it has the attribute"),
        (lambda m: nv.attribute_vector(m, X, [True, False]), r"shape \(2,\)"),
        (lambda m: nv.attribute_vector(m, X, X[:, 0] > 0.5, within=[1, 2]), r"shape \(2,\)"),
        (lambda m: nv.attribute_vector(m, X, X[:, 0] > 0.5, within=range(12)), "none of 12 has"),
    ],
)
def test_what_makes_no_walk_is_refused(call, said):
    with pytest.raises(nv.NpvaeError, match=said):
        call(nv.VAE(6, 2, hidden=(4,)))
