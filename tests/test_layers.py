"""Layers' values and gradients against closed forms, SciPy and explicit sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from npvae.core import clone, layout, registered, resolve
from npvae.core.errors import ConfigError, DataError
from npvae.gradcheck import check_gradients
from npvae.layers import Concat, Dense, Layer, Sequential, mlp
from npvae.layers.masked import MaskedDense


def logistic(s):
    return special.expit(s)


# f and f', written in other terms than the library's.
ACTIVATIONS = {
    "identity": (lambda s: s, np.ones_like),
    "relu": (lambda s: (s + abs(s)) / 2, lambda s: np.heaviside(s, 0)),
    "leaky_relu": (lambda s: np.maximum(s, 0.01 * s), lambda s: np.where(s > 0, 1, 0.01)),
    "tanh": (lambda s: 1 - 2 * logistic(-2 * s), lambda s: 1 / np.cosh(s) ** 2),
    "sigmoid": (logistic, lambda s: logistic(s) * logistic(-s)),
    "softplus": (lambda s: np.logaddexp(0, s), logistic),
    "elu": (lambda s: np.where(s > 0, s, np.exp(s) - 1), lambda s: np.exp(np.minimum(s, 0))),
    "gelu": (
        lambda s: s * special.ndtr(s),
        lambda s: special.ndtr(s) + s * stats.norm.pdf(s),
    ),
    "silu": (
        lambda s: s * logistic(s),
        lambda s: logistic(s) * (1 + s * logistic(-s)),
    ),
}

# The same at -1 and 2, from tables of the standard functions (erf, exp) to ten digits.
SPOT_VALUES = {
    "identity": (-1.0, 2.0),
    "relu": (0.0, 2.0),
    "leaky_relu": (-0.01, 2.0),
    "tanh": (-0.7615941560, 0.9640275801),
    "sigmoid": (0.2689414214, 0.8807970780),
    "softplus": (0.3132616875, 2.1269280110),
    "elu": (-0.6321205588, 2.0),
    "gelu": (-0.1586552539, 1.9544997361),
    "silu": (-0.2689414214, 1.7615941560),
}

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def gradients(part):
    """Give a part zeroed gradient views of its own; return them by name."""
    views = {}
    for name, slot in layout(part).items():
        views[name] = np.zeros(slot.shape)
        setattr(slot.part, "d" + slot.attribute, views[name])
    return views


def test_every_activation_is_tested_here():
    library = {n for n, c in registered("activation").items() if c.__module__.startswith("npvae.")}
    assert library == set(ACTIVATIONS) == set(SPOT_VALUES), (
        "give the new activation its closed form"
    )


@each_activation
def test_activation_values(name, rng):
    f, _ = ACTIVATIONS[name]
    a = np.concatenate([rng.normal(0, 6, (40, 3)), [[0.0, -700.0, 700.0]]])
    b = np.array([0.5, -2.0, 0.0])
    h, _ = resolve("activation", name).forward(a, b)
    np.testing.assert_allclose(h, f(a + b), rtol=1e-12, atol=2e-16)
    assert h.shape == a.shape


@each_activation
def test_activation_spot_values(name):
    h, _ = resolve("activation", name).forward(np.array([[-1.0, 2.0]]), np.zeros(2))
    np.testing.assert_allclose(h[0], SPOT_VALUES[name], rtol=0, atol=1e-10)


@each_activation
def test_activation_gradients(name, rng):
    part, slope = resolve("activation", name), ACTIVATIONS[name][1]
    a, b, dh = rng.normal(0, 4, (40, 3)), np.array([0.5, -2.0, 0.0]), rng.normal(size=(40, 3))
    _, cache = part.forward(a, b)
    da, db = part.backward(cache, dh)
    np.testing.assert_allclose(da, dh * slope(a + b), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(db, (dh * slope(a + b)).sum(0), rtol=1e-9)


@pytest.mark.parametrize(
    ("choice", "f", "slope"),
    [
        (
            "leaky_relu:slope=0.3",
            lambda s: np.maximum(s, 0.3 * s),
            lambda s: np.where(s > 0, 1, 0.3),
        ),
        (
            "leaky_relu:slope=1.5",
            lambda s: np.minimum(s, 1.5 * s),
            lambda s: np.where(s > 0, 1, 1.5),
        ),
        ("leaky_relu:slope=0", lambda s: s * (s > 0), lambda s: 1.0 * (s > 0)),
        (
            {"name": "elu", "alpha": 0.4},
            lambda s: np.where(s > 0, s, 0.4 * (np.exp(s) - 1)),
            lambda s: np.where(s > 0, 1, 0.4 * np.exp(s)),
        ),
    ],
)
def test_activations_with_constants(choice, f, slope, rng):
    part = resolve("activation", choice)
    a, b, dh = rng.normal(0, 4, (40, 3)), np.array([0.5, -2.0, 0.0]), rng.normal(size=(40, 3))
    h, cache = part.forward(a, b)
    np.testing.assert_allclose(h, f(a + b), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(part.backward(cache, dh)[0], dh * slope(a + b), rtol=1e-9)
    assert resolve("activation", part.config).config == part.config != part.name
    assert resolve("activation", part.name).config == part.name


@pytest.mark.parametrize("choice", ["leaky_relu:slope=-0.1", "elu:alpha=nan"])
def test_constants_that_are_refused(choice):
    with pytest.raises(ConfigError, match="is a finite number, 0 or more; got"):
        resolve("activation", choice)


@pytest.mark.parametrize("leading", [(6,), (3, 6), (1, 1), (0,), (3, 0)])
@pytest.mark.parametrize("activation", ["identity", "tanh", "gelu"])
def test_dense_is_the_explicit_sum(leading, activation, rng):
    layer = Dense(5, 4, activation)
    layer.allocate(rng)
    layer.b += rng.normal(size=4)
    x, dh = rng.normal(size=(*leading, 5)), rng.normal(size=(*leading, 4))
    f, slope = ACTIVATIONS[activation]
    s = np.einsum("...i,oi->...o", x, layer.W) + layer.b
    views = gradients(layer)

    h, cache = layer.forward(x)
    np.testing.assert_allclose(h, f(s), rtol=1e-12, atol=1e-14)
    dx = layer.backward(cache, dh)
    ds = dh * slope(s)
    np.testing.assert_allclose(dx, np.einsum("...o,oi->...i", ds, layer.W), atol=1e-13)
    ds_rows, x_rows = ds.reshape(-1, 4), x.reshape(-1, 5)
    np.testing.assert_allclose(views["W"], np.einsum("ro,ri->oi", ds_rows, x_rows), atol=1e-12)
    np.testing.assert_allclose(views["b"], np.einsum("ro->o", ds_rows), atol=1e-12)
    assert h.shape == (*leading, 4)
    assert dx.shape == x.shape


def test_dense_adds_to_its_gradients(rng):
    layer = Dense(3, 2)
    layer.allocate(rng)
    views = gradients(layer)
    _, cache = layer.forward(rng.normal(size=(4, 3)))
    dh = rng.normal(size=(4, 2))
    layer.backward(cache, dh)
    once = {n: v.copy() for n, v in views.items()}
    assert layer.backward(cache, dh, wrt_input=False) is None
    for name, view in views.items():
        np.testing.assert_array_equal(view, 2 * once[name])


def test_a_masked_layer_gives_the_gradient_of_its_input_where_it_is_asked_for(rng):
    layer = MaskedDense(np.tril(np.ones((3, 3)))).allocate(rng)
    gradients(layer)
    x = rng.normal(size=(4, 3))
    y, cache = layer.forward(x)
    np.testing.assert_allclose(layer.backward(cache, y), y @ (layer.W * layer.mask), rtol=1e-12)
    assert layer.backward(cache, y, wrt_input=False) is None


def test_nothing_that_backward_needs_lives_on_the_layer(rng):
    """Two forwards, then their backwards: each has its own cache."""
    layer = Dense(3, 2, "silu")
    layer.allocate(rng)
    x = rng.normal(size=(2, 4, 3))
    dh = rng.normal(size=(4, 2))
    gradients(layer)
    before = set(vars(layer))
    alone = layer.backward(layer.forward(x[0])[1], dh)
    caches = [layer.forward(xi)[1] for xi in x]
    np.testing.assert_array_equal(layer.backward(caches[0], dh), alone)
    assert set(vars(layer)) == before


@pytest.mark.parametrize("leading", [(), (3,), (4, 3)])
def test_concat_repeats_the_context(leading, rng):
    a, c = rng.normal(size=(*leading, 2, 5)), rng.normal(size=(2, 3))
    y, cache = Concat().forward(a, c)
    dy = rng.normal(size=(*leading, 2, 8))
    da, dc = Concat().backward(cache, dy)
    assert y.shape == (*leading, 2, 8)
    total = np.zeros((2, 3))
    for index in np.ndindex(*leading):
        for b in range(2):
            np.testing.assert_array_equal(y[index][b], [*a[index][b], *c[b]])
            np.testing.assert_array_equal(da[index][b], dy[index][b][:5])
            total[b] += dy[index][b][5:]
    np.testing.assert_allclose(dc, total, rtol=1e-13)


def test_sequential_is_the_composition(rng):
    layers = [Dense(4, 5, "tanh"), Dense(5, 3, "softplus"), Dense(3, 2)]
    chain = Sequential(layers)
    chain.allocate(rng)
    x, dy = rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    views = gradients(chain)
    y, caches = chain.forward(x)

    def slope_at(h, layer):
        return ACTIVATIONS[layer.activation.name][1](h @ layer.W.T + layer.b)

    h1 = layers[0].forward(x)[0]
    h2 = layers[1].forward(h1)[0]
    np.testing.assert_array_equal(y, layers[2].forward(h2)[0])
    dx = chain.backward(caches, dy)
    ds2 = (dy @ layers[2].W) * slope_at(h1, layers[1])
    ds1 = (ds2 @ layers[1].W) * slope_at(x, layers[0])
    np.testing.assert_allclose(dx, ds1 @ layers[0].W, rtol=1e-9)
    np.testing.assert_allclose(views["layers.0.W"], ds1.T @ x, rtol=1e-9)
    assert chain.backward(caches, dy, wrt_input=False) is None


def test_mlp_has_the_activation_on_hidden_layers_alone():
    chain = mlp(4, (6, 5), 3, "gelu", "he_normal", out_gain=0.25)
    names = [layer.activation.name for layer in chain.layers]
    assert names == ["gelu", "gelu", "identity"]
    assert [(layer.n_in, layer.n_out) for layer in chain.layers] == [(4, 6), (6, 5), (5, 3)]
    assert [layer.gain for layer in chain.layers] == [1, 1, 0.25]
    assert {layer.init for layer in chain.layers} == {"he_normal"}
    assert [layer.n_out for layer in mlp(4, (), 3, "gelu").layers] == [3]


def test_layers_say_their_shapes():
    chain = mlp(4, (6, 5), 3, "tanh")
    assert (chain.in_shape, chain.out_shape, chain.n_in, chain.n_out) == ((4,), (3,), 4, 3)
    assert (Dense(2, 7).in_shape, Dense(2, 7).out_shape) == ((2,), (7,))


class Shifted(Layer):
    """y = x + c, with a constant c: a layer for rows of any size."""

    def forward(self, x):
        return x + 1.0, None

    def backward(self, cache, dy, wrt_input=True):
        return dy if wrt_input else None

    @classmethod
    def example(cls, rng):
        return cls(), (rng.normal(size=(2, 3)),)


class Image(Layer):
    """y = x: a layer that says it is about images, or that says what is not so."""

    def __init__(self, before, after):
        self.before, self.after = before, after
        self.in_shape, self.out_shape = tuple(before), tuple(after)

    def forward(self, x):
        return x, None

    def backward(self, cache, dy, wrt_input=True):
        return dy

    @classmethod
    def example(cls, rng):
        return cls((2, 2, 1), (2, 2, 1)), (rng.normal(size=(3, 4)),)


def test_layers_for_rows_of_any_size(rng):
    chain = Sequential([Shifted(), Dense(4, 3), Shifted(), Shifted(), Dense(3, 2), Shifted()])
    assert (chain.n_in, chain.n_out) == (4, 2)
    chain.allocate(rng)
    for leading in ((5,), (3, 5)):
        assert chain.forward(np.ones((*leading, 4)))[0].shape == (*leading, 2)
    assert check_gradients(chain, (rng.normal(size=(5, 4)),)).ok
    alone = Sequential([Shifted()])
    assert (alone.in_shape, alone.out_shape) == (None, None)
    assert Sequential([alone, Dense(3, 2)]).in_shape == (3,)


def test_shapes_of_images_must_be_equal_and_rows_as_long():
    image = Image((2, 3, 1), (3, 2, 2))
    assert Sequential([Dense(5, 6), image, Dense(12, 1)]).out_shape == (1,)
    assert Sequential([image, Image((3, 2, 2), (1, 1, 1))]).in_shape == (2, 3, 1)
    with pytest.raises(ConfigError) as caught:
        Sequential([image, Image((2, 3, 2), (1, 1, 1))])
    assert str(caught.value) == (
        "layer 1 (Image) of a Sequential takes rows of 12 numbers, (2, 3, 2), and layer 0 (Image) "
        "of a Sequential gives rows of 12 numbers, (3, 2, 2); change one of them."
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Dense(4, 5), Shifted(), Dense(4, 3)],
            "layer 2 (Dense) of a Sequential takes rows of 4 numbers, and layer 0 (Dense) of a "
            "Sequential gives rows of 5 numbers; change one of them.",
        ),
        (["dens"], "layer must be a registered name; got 'dens'; did you mean 'dense'?"),
        (["dense:n_in=4"], "layer 'dense' takes n_in, n_out, activation=identity, init=glorot_"),
        (["dense:n_in=0,n_out=2"], "Dense's n_in is a whole number, 1 or more; got 0."),
        ([3], "layer takes a name or an object of that family; got 3."),
    ],
)
def test_layers_that_make_no_sequential(layers, message):
    with pytest.raises(ConfigError) as caught:
        Sequential(layers)
    assert str(caught.value).startswith(message)


def test_a_layer_with_parameters_stands_in_a_sequential_once():
    layer, shifted = Dense(3, 3), Shifted()
    assert Sequential([layer, clone(layer), shifted, shifted]).n_out == 3
    with pytest.raises(ConfigError) as caught:
        Sequential([layer, shifted, layer])
    assert str(caught.value).startswith("layer 2 (Dense) of a Sequential is in it already, and no ")
    with pytest.raises(ConfigError, match=r"layer 1 \(Sequential\) of a Sequential is in it"):
        Sequential([Sequential([layer]), Sequential([layer])])


def test_a_sequential_is_made_of_a_list():
    with pytest.raises(ConfigError, match="Sequential takes a list of layers; got 3"):
        Sequential(3)


def test_a_part_that_is_no_layer_is_refused():
    with pytest.raises(ConfigError, match="layer takes a name or an object of that family; got C"):
        Sequential([Concat()])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Dense(4, 5), Dense(5, 2)],
            "layer 0 (Dense) of a Sequential takes rows of 4 numbers; got (2, 3) from outside.",
        ),
        (
            [Image((3,), (5,)), Dense(5, 2)],
            "layer 1 (Dense) of a Sequential takes rows of 5 numbers; got (2, 3) from layer 0 "
            "(Image) of a Sequential.",
        ),
    ],
)
def test_rows_of_another_size_than_a_layer_says(layers, message, rng):
    chain = Sequential(layers)
    chain.allocate(rng)
    with pytest.raises(DataError) as caught:
        chain.forward(np.ones((2, 3)))
    assert str(caught.value) == message
