"""What people look at first: a model printed, one without x_dim, a history by name."""

from __future__ import annotations

import copy
import io
import pickle
import re

import numpy as np
import pytest

import npvae as nv
from npvae import plots

X = np.random.default_rng(0).random((30, 6))
OPTIONS = [
    {},
    {"prior": "vamp:n_components=3"},
    {"prior": "mixture:n_components=2", "posterior": nv.Flowed([nv.Planar()])},
    {"likelihood": "student_t", "standardise": True, "missing": "mask", "dtype": "float64"},
    {"encoder": nv.layers.Sequential([nv.layers.Dense(6, 5, "gelu"), nv.layers.Dense(5, 4)])},
]


@pytest.fixture(autouse=True)
def numpy_kernels():
    nv.use_kernels("numpy")
    yield
    nv.use_kernels(None)


def without_x_dim(**options):
    return nv.VAE(**{"z_dim": 2, "hidden": (5,), **options})


@pytest.mark.parametrize("options", OPTIONS)
def test_a_model_without_x_dim_becomes_the_one_with_it(options, tmp_path):
    late, early = without_x_dim(**options), without_x_dim(x_dim=6, **options)
    assert late.config == {**early.config, "x_dim": None}
    first, second = nv.fit(late, X, epochs=2), nv.fit(early, X, epochs=2)
    assert first["train_loss"].tolist() == second["train_loss"].tolist()
    np.testing.assert_array_equal(late.flat, early.flat)
    assert list(late.params) == list(early.params)
    assert all(np.shares_memory(view, late.flat) for view in late.params.values())
    assert (late.config, repr(late), str(late)) == (early.config, repr(early), str(early))
    nv.save(late, tmp_path / "model.npz")
    np.testing.assert_array_equal(nv.load(tmp_path / "model.npz").flat, early.flat)
    with pytest.raises(nv.DataError, match=r"needs shape \(N, 6\)"):
        nv.fit(late, X[:, :4], epochs=1)


@pytest.mark.parametrize("options", OPTIONS[:4])
@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.encode(X),
        lambda m: m.decode(np.zeros((1, 2))),
        lambda m: m.reconstruct(X),
        lambda m: m.sample(3),
        lambda m: m.elbo(X),
        lambda m: m.draw_noise(3, 1, np.random.default_rng(0)),
        lambda m: m.n_params,
        lambda m: m.params,
        lambda m: m.flat,
        lambda m: m.save("never.npz"),
        lambda m: nv.log_likelihood(m, X),
        lambda m: nv.active_units(m, X),
        lambda m: nv.value_and_grad(m, nv.ELBO(), X, np.zeros((1, 30, 2))),
        lambda m: nv.check_gradients(m, objective=nv.ELBO()),
    ],
)
def test_before_its_first_fit_it_says_so(options, call):
    with pytest.raises(nv.ConfigError, match=r"finds x_dim, .*at its first fit; fit it before"):
        call(without_x_dim(**options))


@pytest.mark.parametrize("twin", [nv.VAE.copy, copy.deepcopy, copy.copy,
                                  lambda m: pickle.loads(pickle.dumps(m)),
                                  lambda m: nv.VAE(**m.config)])  # fmt: skip
def test_copies_of_it_find_x_dim_for_themselves(twin):
    model = without_x_dim()
    nv.fit(twin(model), X, epochs=1)
    assert model.x_dim is None
    assert not model.is_built
    nv.fit(model, X[:, :4], epochs=1)
    assert model.x_dim == 4


def test_its_type_is_known_and_can_be_changed():
    assert without_x_dim().dtype == "float32"
    wide = without_x_dim().astype("float64")
    nv.fit(wide, X, epochs=1)
    assert wide.dtype == wide.flat.dtype == "float64"
    with pytest.raises(AttributeError, match="'VAE' object has no attribute 'flt'"):
        wide.flt  # noqa: B018
    with pytest.raises(AttributeError, match="'VAE' object has no attribute 'flt'"):
        without_x_dim().flt  # noqa: B018
    assert not hasattr(without_x_dim(), "flat")


@pytest.mark.parametrize("x", [X[0], X - 5, np.where(X > 0.9, np.nan, X), "text"])
def test_data_that_are_refused_leave_it_as_it_was(x):
    model = without_x_dim()
    with pytest.raises(nv.DataError):
        nv.fit(model, x, epochs=1)
    with pytest.raises(nv.DataError):
        nv.fit(model, X, valid=X[:, :3], epochs=1)
    assert model.x_dim is None
    assert not model.is_built


def test_it_resumes(tmp_path):
    options = {"checkpoint": tmp_path / "c.npz", "resume": True}
    nv.fit(without_x_dim(), X, epochs=1, **options)
    resumed, whole = without_x_dim(), without_x_dim()
    nv.fit(resumed, X, epochs=2, **options)
    nv.fit(whole, X, epochs=2)
    np.testing.assert_array_equal(resumed.flat, whole.flat)


def test_a_schema_says_x_dim(tmp_path):
    rows = [f"{i * 0.37 % 5},{'xyz'[i % 3]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *rows]))
    schema = nv.tables.read(tmp_path / "t.csv").schema
    options = {k: v for k, v in schema.options().items() if k != "x_dim"}
    assert nv.VAE(z_dim=2, **options).n_params == nv.VAE(z_dim=2, **schema.options()).n_params


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"z_dim": None}, "z_dim is a whole number, 1 or more; got None"),
        ({"parameters": {}}, "belong to columns; give x_dim too"),
        ({"standardise": {"mean": [0], "scale": [1]}}, "belong to columns; give x_dim too"),
    ],
)
def test_what_needs_x_dim(options, said):
    with pytest.raises(nv.ConfigError, match=said):
        without_x_dim(**options)


def test_a_file_without_x_dim_is_no_model(tmp_path):
    nv.save(without_x_dim(x_dim=6), tmp_path / "m.npz")
    data = (tmp_path / "m.npz").read_bytes()
    assert data.count(b'"x_dim": 6') == 1
    with pytest.raises(nv.ModelFileError):
        nv.load(data.replace(b'"x_dim": 6', b'"x_dim":{}'))


def test_a_printed_model_is_its_layers_sizes_and_parameters():
    model = nv.VAE(784, 20)
    lines = str(model).splitlines()
    assert lines[0] == "VAE: 784 columns, z of 20 dimensions"
    words = [" ".join(line.split()) for line in lines[2:]]
    assert words == [
        "part parameters",
        f"encoder Dense 784 -> 400, relu {784 * 400 + 400:,}",
        f"Dense 400 -> 40 {400 * 40 + 40:,}",
        "posterior gaussian 0",
        "prior standard 0",
        f"decoder Dense 20 -> 400, relu {20 * 400 + 400:,}",
        f"Dense 400 -> 784 {400 * 784 + 784:,}",
        "likelihood bernoulli 0",
        f"in all float32 {model.n_params:,}",
    ]
    assert len({len(line) for line in lines[3:]}) == 1, "one column of numbers"
    assert model._repr_html_() == f"<pre>{str(model).replace('>', '&gt;')}</pre>"
    assert str(model).isascii()


@pytest.mark.parametrize("options", OPTIONS)
def test_the_numbers_of_the_parts_add_up(options):
    model = without_x_dim(x_dim=6, context_dim=0, **options)
    numbers = [int(line.split()[-1].replace(",", "")) for line in str(model).splitlines()[3:]]
    assert sum(numbers[:-1]) == numbers[-1] == model.n_params


@pytest.mark.slow
def test_repr_stays_short_whatever_the_table(tmp_path):
    header = ",".join(f"c{j}" for j in range(60))
    rows = [",".join(str((i * j * 7 % 11) / 8) for j in range(60)) for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]))
    model = nv.VAE(z_dim=2, **nv.tables.read(tmp_path / "t.csv").schema.options())
    assert len(repr(model)) < 500
    assert "mixed of " in str(model)
    assert "x_dim=None" in repr(without_x_dim())
    assert "from its first fit on" in str(without_x_dim())


def test_a_history_by_name():
    history = nv.fit(without_x_dim(), X, valid=X[:5], epochs=3)
    losses = history["valid_loss"]
    assert losses.tolist() == [record["valid_loss"] for record in history.records]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert (len(history), history[-1], history[:2]) == (3, history.records[2], history.records[:2])
    assert [record["epoch"] for record in history] == [1, 2, 3]
    blind = nv.fit(without_x_dim(), X, epochs=2)
    assert np.isnan(blind["valid_loss"]).all()
    assert len(nv.History()) == 0


def test_what_callbacks_add_has_a_name_too():
    def note(model, record):
        record["mse"] = np.float32(record["epoch"])
        record["said"] = "yes"

    history = nv.fit(without_x_dim(), X, epochs=2, callbacks=[note])
    assert history["mse"].tolist() == [1, 2]
    assert history["said"].tolist() == ["yes", "yes"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("val_loss", "it calls this valid_loss"),
        ("loss", "it calls this train_loss"),
        ("valid_los", "it calls this valid_loss"),
        ("xyzzy", "it has epoch, train_loss, "),
    ],
)
def test_a_name_that_a_history_lacks(name, said):
    with pytest.raises(nv.ConfigError, match=f"this history has no '{name}'; {said}"):
        nv.fit(without_x_dim(), X, epochs=1)[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kl_weight", "pass objective=nv.ELBO(beta=...) to nv.fit"),
        ("hidden_layer_sizes", "takes no hidden_layer_sizes=; it takes"),
        ("learning_rate", "nv.fit calls this lr"),
    ],
)
def test_a_keyword_of_others_is_explained_by_its_meaning_before_its_letters(name, said):
    with pytest.raises(nv.ConfigError, match=re.escape(said)):
        nv.fit(without_x_dim(), X, **{name: 1})


def test_what_is_fit_s_is_said_where_a_model_is_built():
    with pytest.raises(nv.ConfigError, match=r"pass it to nv.fit, such as .*progress=True"):
        nv.VAE(4, 2, verbose=1)


def test_masked_weights_are_filled_in_with_0():
    weights = np.ma.array(np.ones(len(X)), mask=np.arange(len(X)) == 0)
    with pytest.raises(nv.DataError, match=re.escape("weights.filled(0) leaves such rows out")):
        nv.fit(without_x_dim(), X, weights=weights)
    nv.fit(without_x_dim(), X, weights=weights.filled(0), epochs=1)


def test_a_model_is_saved_into_an_open_file(tmp_path):
    model, file = nv.VAE(6, 2, hidden=(4,)), io.BytesIO()
    nv.save(model, file)
    nv.save(model, tmp_path / "m.npz")
    assert file.getvalue() == (tmp_path / "m.npz").read_bytes()
    again = nv.load(file.getvalue())
    np.testing.assert_array_equal(again.encode(X), model.encode(X))


def test_curves_take_a_history_or_its_records():
    pytest.importorskip("matplotlib")
    history = nv.fit(without_x_dim(), X, epochs=2)
    drawn = [plots.loss_curves(given) for given in (history, history.records)]
    first, second = (figure.axes[0].lines[0].get_xydata().tolist() for figure in drawn)
    assert first == second


def test_a_notebook_is_given_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    figure = plots.loss_curves(nv.fit(without_x_dim(), X, epochs=2))
    plots.save(figure, tmp_path / "loss.png")
    assert figure._repr_png_() == (tmp_path / "loss.png").read_bytes()
    assert pickle.loads(pickle.dumps(figure))._repr_png_()[:4] == b"\x89PNG"
