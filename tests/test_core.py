"""The registry, `resolve`, the flat vector and its views, clones and configs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from npvae import VAE, Bernoulli, Gaussian, core
from npvae.core import Part, Terms, bind, clone, initialise, layout, n_parameters, resolve
from npvae.core.errors import ConfigError
from npvae.core.parameters import flat_vector
from npvae.layers import Dense, ReLU, Sequential, Softplus, mlp

LIBRARY = {
    n: cls for n, cls in core.registered_parts().items() if cls.__module__.startswith("npvae.")
}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """A registry for this test alone: what it defines is gone after it."""
    copied = {family: dict(parts) for family, parts in core.registry._registry.items()}
    monkeypatch.setattr(core.registry, "_registry", copied)
    return copied


class Scaled(Part, abstract=True):
    """y = x · gain; the template of the parts that these tests define."""

    family = "toy"

    def __init__(self, start=1.0, width=3):
        self.start, self.width = start, width
        self.parameter("gain", (width,), lambda rng, shape: np.full(shape, start))

    def forward(self, x):
        return x * self.gain, x

    def backward(self, x, dy):
        self.dgain += (dy * x).sum(0)
        return dy * self.gain

    @classmethod
    def example(cls, rng):
        return cls(), (rng.normal(size=(2, 3)),)


class Pair(Part, abstract=True):
    """Two parts one after the other, and a list of more."""

    def __init__(self, first, second, rest=()):
        self.first, self.second, self.rest = first, second, list(rest)
        self.parameter("shift", (2,), lambda rng, shape: rng.normal(size=shape))

    def forward(self, x):
        for part in (self.first, self.second, *self.rest):
            x, _ = part.forward(x)
        return x + self.shift[0], None

    def backward(self, cache, dy): ...


class Toy(Scaled, abstract=True):
    """A concrete one that stays out of the registry."""


def define(cls_name, base=Scaled, module=__name__, **attributes):
    names = {"__module__": module, "__qualname__": cls_name}
    return type(Part)(cls_name, (base,), {**names, **attributes})


@pytest.mark.parametrize(("cls_name", "name"), [("Twice", "twice"), ("TwoWords", "two_words")])
def test_a_part_registers_itself_under_its_name(cls_name, name):
    cls = define(cls_name)
    assert core.registered("toy") == {name: cls}
    assert core.registered()[f"toy.{name}"] is cls


def test_a_name_of_its_own_wins_and_is_not_inherited():
    parent = define("Parent", name="given")
    child = define("Child", base=parent)
    assert core.registered("toy") == {"given": parent, "child": child}


def test_an_abstract_base_is_not_registered():
    class Base(Part, abstract=True):
        family = "toy"

    assert core.registered("toy") == {}
    with pytest.raises(TypeError, match="abstract"):
        Base()


def test_a_part_without_example_is_refused_when_it_is_defined():
    with pytest.raises(TypeError) as caught:

        class Unproven(Part):
            family = "toy"

            def forward(self, x): ...
            def backward(self, cache, dy): ...

    assert str(caught.value) == (
        "a part needs example(rng) -> (part, inputs), so that its gradient can be proven; "
        "Unproven has none. Add the classmethod, or say abstract=True for a base."
    )
    assert core.registered("toy") == {}


def test_a_taken_name_is_refused_and_the_first_stays():
    first = define("Twice")
    with pytest.raises(TypeError) as caught:
        define("Another", name="twice")
    assert str(caught.value) == (
        f"toy names are unique; 'twice' is taken by {__name__}.Twice. Give Another another `name`."
    )
    assert core.registered("toy") == {"twice": first}


def test_the_same_name_in_another_module_or_family():
    define("Twice")
    with pytest.raises(TypeError, match="'twice' is taken"):
        define("Twice", module="elsewhere")
    other = define("Twice", module="elsewhere", family="other_toy")
    assert core.registered("other_toy") == {"twice": other}


def test_a_notebook_cell_may_run_again():
    define("Twice", start_2=1)
    again = define("Twice", start_2=2)
    assert core.registered("toy") == {"twice": again}
    assert type(resolve("toy", "twice")) is again


def test_registered_gives_a_copy():
    define("Twice")
    core.registered("toy").clear()
    core.registered().clear()
    assert list(core.registered("toy")) == ["twice"]
    assert core.registered("no such family") == {}


@pytest.mark.parametrize("attempt", [1, 2])
def test_parts_of_one_test_are_unknown_to_the_next(attempt):
    assert "toy" not in core.registry._registry
    define(f"Number{attempt}")


def test_the_library_registers_its_parts():
    families = {name.split(".")[0] for name in core.registered()}
    assert {"activation", "layer", "likelihood", "model", "posterior", "prior"} <= families
    assert core.registered("activation")["relu"] is ReLU


def test_resolve_by_name_config_and_object():
    assert type(resolve("activation", "relu")) is ReLU
    assert resolve("likelihood", {"name": "gaussian", "scale": 0.5}).scale == 0.5
    assert resolve("likelihood", {"name": "gaussian"}).scale == 1.0
    part = Gaussian(2.0)
    assert resolve("likelihood", part) is part
    config = {"name": "gaussian", "scale": 0.5}
    resolve("likelihood", config)
    assert config == {"name": "gaussian", "scale": 0.5}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            "gausian",
            "likelihood must be a registered name; got 'gausian'; did you mean 'gaussian'? ",
        ),
        ("zzz", "likelihood must be a registered name; got 'zzz'. Known: bernoulli, beta, "),
        (
            ReLU(),
            "likelihood takes a name or an object of that family; got ReLU(). Known: bernoulli",
        ),
        (
            Bernoulli,
            "likelihood takes a name or an object of that family; got the class Bernoulli, of",
        ),
        (None, "likelihood takes a name or an object of that family; got None. "),
        (3, "likelihood takes a name or an object of that family; got 3. "),
        ({"scale": 1}, "likelihood takes a name or an object of that family; got {'scale': 1}. "),
        ({"name": 3}, "likelihood takes a name or an object of that family; got {'name': 3}. "),
        (
            {"name": "gaussian", "sigma": 1},
            "likelihood 'gaussian' takes scale=1.0; got 'sigma'.",
        ),
        ({"name": "gaussian", "scale": -1}, "Gaussian's scale is a finite number above 0; got -1"),
    ],
)
def test_resolve_refuses(choice, message):
    with pytest.raises(ConfigError) as caught:
        resolve("likelihood", choice)
    assert str(caught.value).startswith(message)


def test_a_user_s_part_serves_by_name():
    class Doubled(ReLU):
        def forward(self, a, b):
            h, cache = super().forward(a, b)
            return 2 * h, cache

    layer = Dense(3, 2, "doubled")
    layer.allocate(np.random.default_rng(0))
    plain = Dense(3, 2, "relu")
    plain.allocate(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(4, 3))
    np.testing.assert_array_equal(layer.forward(x)[0], 2 * plain.forward(x)[0])


def test_layout_is_the_order_in_which_parts_are_set():
    root = Pair(Dense(2, 3), Toy(width=3), [Toy(width=3), Dense(3, 1)])
    slots = layout(root)
    shapes = {name: slot.shape for name, slot in slots.items()}
    assert list(shapes.items()) == [
        ("shift", (2,)),
        ("first.W", (3, 2)),
        ("first.b", (3,)),
        ("second.gain", (3,)),
        ("rest.0.gain", (3,)),
        ("rest.1.W", (1, 3)),
        ("rest.1.b", (1,)),
    ]
    assert [slot.start for slot in slots.values()] == [0, 2, 8, 11, 14, 17, 20]
    assert n_parameters(root) == 21


def test_a_model_s_layout():
    names = list(layout(VAE(4, 2, hidden=(3,))))
    assert names == [
        f"{side}.layers.{i}.{p}" for side in ("encoder", "decoder") for i in (0, 1) for p in "Wb"
    ]


def test_a_scalar_parameter_is_one_number():
    part = Toy()
    part.parameter("temperature", (), lambda rng, shape: 0.25)
    part.allocate(np.random.default_rng(0))
    assert part.temperature.shape == ()
    assert part.temperature == 0.25
    assert n_parameters(part) == 4


def test_values_are_drawn_in_layout_order_in_float64():
    root = Pair(Dense(2, 3), Dense(3, 2))
    flat = initialise(root, np.random.default_rng(7), np.float64)
    rng = np.random.default_rng(7)
    wants = [rng.normal(size=2)]
    for n_in, n_out in ((2, 3), (3, 2)):
        bound = np.sqrt(6 / (n_in + n_out))
        wants += [rng.uniform(-bound, bound, (n_out, n_in)).ravel(), np.zeros(n_out)]
    np.testing.assert_allclose(flat, np.concatenate(wants), rtol=1e-15)
    narrow = initialise(root, np.random.default_rng(7), np.float32)
    np.testing.assert_array_equal(narrow, flat.astype(np.float32))


def test_views_and_vector_are_the_same_memory():
    root = Pair(Dense(2, 3), Toy())
    flat = np.arange(14.0)
    views = bind(root, flat)
    assert list(views) == list(layout(root))
    np.testing.assert_array_equal(root.first.W, [[2, 3], [4, 5], [6, 7]])
    np.testing.assert_array_equal(root.second.gain, [11, 12, 13])
    assert views["first.W"] is root.first.W
    root.first.b[1] = -1
    assert flat[9] == -1
    flat[0] = 50
    assert root.shift[0] == 50


def test_gradients_are_bound_with_a_prefix():
    root = Pair(Dense(2, 3), Toy())
    bind(root, np.zeros(14))
    gradient = np.zeros(14)
    bind(root, gradient, prefix="d")
    root.first.dW += 1
    root.second.dgain[...] = 2
    np.testing.assert_array_equal(gradient, [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 2])
    assert not root.first.W.any()


def test_allocate_gives_a_part_memory_of_its_own():
    one, other = Toy(start=2.0), Toy(start=2.0)
    for part in (one, other):
        part.allocate(np.random.default_rng(0), np.float32)
    assert one.gain.dtype == np.float32
    assert one.gain.tolist() == [2, 2, 2]
    one.gain[...] = 0
    assert other.gain.tolist() == [2, 2, 2]


def test_a_clone_is_bound_apart_from_its_original():
    root = Pair(Dense(2, 3, "tanh"), Toy(), [Toy()])
    flat = initialise(root, np.random.default_rng(0), np.float64)
    bind(root, flat)
    twin = clone(root)
    assert twin.first is not root.first
    assert twin.rest[0] is not root.rest[0]
    assert twin.first.W is root.first.W  # until it is bound anew
    bind(twin, 10 + flat)
    np.testing.assert_array_equal(twin.first.W, 10 + root.first.W)
    np.testing.assert_array_equal(twin.rest[0].gain, 10 + root.rest[0].gain)
    bind(twin, np.zeros_like(flat), prefix="d")
    assert not hasattr(root.first, "dW")
    twin.second.start = 99
    twin.rest.append(Toy())
    assert root.second.start == 1.0
    assert len(root.rest) == 1


def test_a_clone_keeps_tuples_and_other_lists():
    root = Toy()
    root.pair, root.numbers = (Toy(), 3), [1, 2]
    twin = clone(root)
    assert type(twin.pair) is tuple
    assert twin.pair[0] is not root.pair[0]
    assert twin.pair[1] == 3
    assert twin.numbers is root.numbers


def test_a_shared_part_is_one_part_in_vector_and_clone():
    """Tied weights, or one activation object with a parameter, given to all layers."""
    shared = Toy()
    root = Pair(shared, shared, [shared])
    assert n_parameters(root) == 5
    flat = initialise(root, np.random.default_rng(0), np.float64)
    flat[...] = np.arange(1, len(flat) + 1)
    bind(root, flat)
    twin = clone(root)
    bind(twin, flat)
    x = np.ones((2, 3))
    np.testing.assert_array_equal(twin.forward(x)[0], root.forward(x)[0])


@pytest.mark.parametrize("name", LIBRARY)
def test_every_registered_part_is_rebuilt_from_its_config(name):
    family, cls = name.split(".")[0], LIBRARY[name]
    part, _ = cls.example(np.random.default_rng(0))
    twin = cls(**part.config) if family == "model" else resolve(family, part.config)
    assert type(twin) is cls
    assert twin.config == part.config
    assert repr(twin) == repr(part)


@pytest.mark.parametrize("family", ["activation", "likelihood", "model", "posterior", "prior"])
def test_what_a_model_file_keeps_is_json(family):
    for name in [name for name in LIBRARY if name.startswith(f"{family}.")]:
        config = LIBRARY[name].example(np.random.default_rng(0))[0].config
        assert json.loads(json.dumps(config)) == config


def test_config_and_repr_name_the_arguments():
    assert Bernoulli().config == "bernoulli"
    assert Gaussian(0.5).config == {"name": "gaussian", "scale": 0.5}
    assert repr(Gaussian(0.5)) == "Gaussian(scale=0.5)"
    assert repr(Softplus()) == "Softplus()"


def test_terms_do_not_share_their_lists():
    Terms().levels.append(1)
    assert Terms().levels == []


def test_sequential_of_layers_has_numbered_names():
    root = mlp(4, (3, 2), 5, "relu")
    assert isinstance(root, Sequential)
    assert {n: s.shape for n, s in layout(root).items()} == {
        "layers.0.W": (3, 4), "layers.0.b": (3,),
        "layers.1.W": (2, 3), "layers.1.b": (2,),
        "layers.2.W": (5, 2), "layers.2.b": (5,),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_parameters_begin_where_a_cache_line_does(dtype):
    assert flat_vector(0, np.dtype(dtype)).shape == (0,)
    for n in (1, 7, 1000):
        flat = flat_vector(n, np.dtype(dtype))
        assert (flat.dtype, flat.shape, flat.ctypes.data % 64) == (dtype, (n,), 0)
    assert initialise(Toy(), np.random.default_rng(0), dtype).ctypes.data % 64 == 0


def test_copies_begin_where_a_cache_line_does_too():
    model = VAE(4, 2, hidden=(3,))
    copies = [model.astype(dtype) for dtype in ("float64", "float32") for _ in range(4)]
    assert [copy.flat.ctypes.data % 64 for copy in copies] == [0] * 8
    np.testing.assert_array_equal([copy.flat for copy in copies], [model.flat] * 8)
