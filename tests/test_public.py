"""What every public function does beside its work: explain keywords, compute by NumPy's rules."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import npvae as nv
from npvae.core import aliases

X = np.random.default_rng(0).random((12, 4))


def vae(**options):
    return nv.VAE(**{"x_dim": 4, "z_dim": 2, "hidden": (3,), **options})


def fit(**options):
    return nv.fit(vae(), X, **options)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nv.VAE(4, latent_dim=2), "nv.VAE calls this z_dim; got latent_dim=."),
        (lambda: nv.VAE(input_dim=4, z_dim=2), "nv.VAE calls this x_dim; got input_dim=."),
        (lambda: nv.HierarchicalVAE(4, z_dim=2), "nv.HierarchicalVAE calls this z_dims; got z_dim"),
        (lambda: nv.ConvVAE(x_dim=64, z_dim=2), "nv.ConvVAE takes no x_dim=: rows have x_dim= in"),
        (lambda: vae(hidden_dims=[3]), "nv.VAE calls this hidden; got hidden_dims=."),
        (lambda: vae(loss="mse"), "nv.VAE calls this likelihood; got loss=."),
        (lambda: vae(activaton="relu"), "nv.VAE calls this activation; got activaton=."),
        (lambda: vae(beta=4), "nv.VAE takes no beta=: pass objective=nv.ELBO(beta=...) to nv.fit."),
        (lambda: vae(device="cuda"), "nv.VAE takes no device=: npvae computes on the CPU"),
        (lambda: vae(xyzzy=1), "nv.VAE takes no xyzzy=; it takes x_dim, z_dim, hidden, "),
        (lambda: fit(learning_rate=1), "nv.fit calls this lr; got learning_rate=."),
        (lambda: fit(verbose=2), "nv.fit calls this progress; got verbose=."),
        (lambda: fit(validation_data=X), "nv.fit calls this valid; got validation_data=."),
        (lambda: fit(validation_split=0.1), "nv.fit takes no validation_split=: hold rows out"),
        (lambda: fit(n_epochs=3), "nv.fit calls this epochs; got n_epochs=."),
        (lambda: fit(optimizer="adam"), "nv.fit calls this optimiser; got optimizer=."),
        (lambda: fit(patience=3), "pass callbacks=[nv.EarlyStopping(patience=5)] to nv.fit."),
        (lambda: vae().sample(n_samples=3), "sample calls this n; got n_samples=."),
        (lambda: vae().encode(X, y=1), "encode calls this context; got y=."),
        (lambda: nv.IWAE(k=5), "nv.IWAE calls this n_samples; got k=."),
        (lambda: nv.ELBO(kl_weight=2), "nv.ELBO calls this beta; got kl_weight=."),
        (lambda: nv.Adam(learning_rate=1), "nv.Adam takes no learning_rate=: pass it to nv.fit"),
        (lambda: nv.EarlyStopping(3, monitor="x"), "it takes patience, min_delta."),
        (lambda: nv.log_likelihood(vae(), X, num_samples=3), "calls this n_samples"),
        (lambda: nv.tables.read("t.csv", categorical=["a"]), "nv.tables.read calls this columns"),
        (lambda: nv.check_gradients(vae(), tol=1), "nv.check_gradients calls this rtol; got tol="),
        (lambda: nv.layers.Dense(3, 4, act="relu"), "nv.layers.Dense calls this activation"),
    ],
)
def test_another_librarys_word_is_answered_with_npvaes(call, said):
    with pytest.raises(TypeError) as caught:
        call()
    assert said in str(caught.value)
    assert isinstance(caught.value, nv.ConfigError)


def test_other_type_errors_stay_what_they_are():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        nv.fit(vae())

    def fail(model, record):
        raise TypeError("mine")

    nv.use_kernels("numpy")
    with pytest.raises(TypeError, match="mine"):
        fit(epochs=1, callbacks=[fail])
    nv.use_kernels(None)


def test_a_class_of_ones_own_may_pass_keywords_on():
    class Mine(nv.VAE, abstract=True):
        def __init__(self, width, **options):
            super().__init__(4, 2, hidden=(width,), **options)

    assert Mine(3, seed=1).seed == 1
    with pytest.raises(nv.ConfigError, match="Mine calls this likelihood; got loss="):
        Mine(3, loss="mse")


def test_signatures_and_docstrings_are_those_of_the_functions():
    assert list(inspect.signature(nv.VAE).parameters)[:2] == ["x_dim", "z_dim"]
    assert list(inspect.signature(nv.fit).parameters)[:2] == ["model", "x"]
    assert "Train a model in place" in nv.fit.__doc__


FUNCTIONS = {
    f"{module.__name__}.{name}": function
    for module in (nv, nv.datasets, nv.gradcheck, nv.layers, nv.plots, nv.tables)
    for name in module.__all__
    if inspect.isfunction(function := getattr(module, name))
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_what_its_function_takes_and_gives(name):
    signature, doc = inspect.signature(FUNCTIONS[name]), inspect.getdoc(FUNCTIONS[name])
    assert [a for a in signature.parameters if not re.search(rf"\b{a}\b", doc)] == []
    if signature.parameters:
        assert "\nParameters\n----------\n" in doc
    if signature.parameters and signature.return_annotation != "None":
        assert "\nReturns\n-------\n" in doc


PUBLIC = [nv.VAE, nv.fit, nv.ELBO, nv.Adam, nv.VAE.sample, nv.log_likelihood, nv.check_gradients]


def test_no_alias_is_the_name_of_an_argument_of_the_same_function():
    """It would never be looked up; and each name of the table is somebody's argument."""
    for function in PUBLIC:
        takes = set(inspect.signature(function).parameters)
        for name in takes & set(aliases._NAMES):
            for alias in set(aliases._NAMES[name].split()) - takes:
                found = aliases.meant(alias, takes)
                assert found in takes, (function, alias)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fit", "'VAE' object has no attribute 'fit'; say nv.fit(model, x)"),
        ("transform", "say model.encode(x)"),
        ("generate", "say model.sample(n)"),
        ("summary", "say print(model)"),
        ("state_dict", "say model.params"),
        ("xyzzy", "'VAE' object has no attribute 'xyzzy'"),
    ],
)
def test_another_librarys_method_is_answered_too(name, said):
    for model in (vae(), vae(x_dim=None)):
        with pytest.raises(AttributeError) as caught:
            getattr(model, name)
        assert str(caught.value).endswith(said)
        assert not hasattr(model, name)


def test_what_stands_for_a_call_is_one_that_there_is():
    for call, names in aliases._METHODS.items():
        room, _, name = call.partition("(")[0].partition(".")
        assert room == "print" or hasattr({"nv": nv, "model": vae()}[room], name)
        assert not [n for n in names.split() if hasattr(nv.VAE, n)]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"likelihood": "mse"}, "gaussian"),
        ({"likelihood": "BCE"}, "bernoulli"),
        ({"likelihood": "zinb"}, "zero_inflated_negative_binomial"),
        ({"likelihood": "normal"}, "gaussian"),
        ({"activation": "swish"}, "silu"),
        ({"prior": "normal"}, "standard"),
    ],
)
def test_another_librarys_name_of_a_part_is_answered_too(options, found):
    with pytest.raises(nv.ConfigError, match=f"did you mean '{found}'"):
        vae(**options)


@pytest.mark.parametrize(
    ("called", "found"), [("wae", "mmd"), ("InfoVAE", "mmd"), ("tcvae", "betatc"), ("vr", "renyi")]
)
def test_papers_names_of_an_objective_are_answered(called, found):
    with pytest.raises(nv.ConfigError, match=f"did you mean '{found}'"):
        nv.fit(vae(), X, objective=called)


def test_each_name_of_a_part_is_registered():
    from npvae.core import registered

    known = {name.partition(".")[2] for name in registered()}
    assert set(aliases._VALUES) <= known


def test_the_model_comes_first():
    with pytest.raises(nv.ConfigError, match="takes a model and then x; got a ndarray first"):
        nv.fit(X, vae())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: nv.fit(nv.VAE, X),
            "takes a model and then x; got the class VAE, of which VAE(...",
        ),
        (lambda: fit(objective=nv.ELBO), "got the class ELBO, of which ELBO(...) makes an object"),
        (lambda: fit(callbacks=[nv.EarlyStopping]), "got the class EarlyStopping. Pass a list"),
        (lambda: fit(callbacks=nv.EarlyStopping), "got the class EarlyStopping. Pass a list"),
        (lambda: fit(callbacks=print), "callbacks is a list of functions of (model, record); got"),
        (lambda: fit(callbacks=[3]), "callbacks is a list of functions of (model, record); got 3."),
        (lambda: vae(condition=10), "condition says what is given; got 10. Take nv.Labels(10)."),
    ],
)
def test_a_class_or_a_number_in_the_place_of_an_object(call, said):
    with pytest.raises(nv.ConfigError) as caught:
        call()
    assert said in str(caught.value)
