"""What a model can't be built from or can't take, and that the message says what to do."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

X = np.random.default_rng(0).random((7, 6))
C = np.random.default_rng(1).random((7, 3))


def small(**options):
    return nv.VAE(**{"x_dim": 6, "z_dim": 2, "hidden": (5,), **options})


def with_value(value, row=5, column=4):
    x = X.copy()
    x[row, column] = value
    return x


def refused(error, function, *fragments):
    """The call raises `error` with a message of one line in which each fragment occurs."""
    with pytest.raises(error) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message, message


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"z_dim": 0}, ["z_dim", "1 or more", "got 0"]),
        ({"z_dim": -3}, ["z_dim", "got -3"]),
        ({"z_dim": 2.5}, ["z_dim", "whole number", "got 2.5"]),
        ({"z_dim": "2"}, ["z_dim", "got '2'"]),
        ({"z_dim": None}, ["z_dim", "got None"]),
        ({"x_dim": 0}, ["x_dim", "got 0"]),
        ({"x_dim": -1}, ["x_dim", "got -1"]),
        ({"hidden": 400}, ["hidden", "(400,)", "got 400"]),
        ({"hidden": "400"}, ["hidden", "got '400'"]),
        ({"hidden": (5, 0)}, ["width in hidden", "got 0"]),
        ({"hidden": (5, -2)}, ["width in hidden", "got -2"]),
        ({"hidden": (5.5,)}, ["width in hidden", "got 5.5"]),
        ({"hidden": [[3]]}, ["width in hidden", "got [3]"]),
        ({"context_dim": -1}, ["context_dim", "0 or more"]),
        ({"seed": -1}, ["seed", "0 or more"]),
        ({"seed": 0.5}, ["seed", "got 0.5"]),
        ({"scale": 0}, ["scale", "above 0"]),
        ({"scale": np.nan}, ["scale", "finite"]),
        ({"dtype": "float16"}, ["dtype", "'float32' or 'float64'", "float16"]),
        ({"dtype": "int64"}, ["dtype", "int64"]),
        ({"dtype": "flaot32"}, ["dtype", "flaot32"]),
        ({"dtype": None}, ["dtype", "None"]),
        ({"dtype": "f4,,"}, ["dtype", "f4,,"]),
        ({"activation": "rellu"}, ["activation", "'rellu'", "did you mean 'relu'?"]),
        ({"activation": 3}, ["activation", "got 3", "relu"]),
        ({"likelihood": "bernouli"}, ["likelihood", "did you mean 'bernoulli'?"]),
        ({"likelihood": "qqq"}, ["likelihood", "Known:", "bernoulli", "gaussian"]),
        ({"likelihood": nv.StandardNormal()}, ["likelihood", "StandardNormal"]),
        ({"likelihood": {"name": "gaussian", "scale": -1}}, ["scale", "above 0", "-1"]),
        ({"likelihood": {"name": "gaussian", "scael": 1}}, ["gaussian", "scael"]),
        ({"posterior": "gausian"}, ["posterior", "did you mean 'gaussian'?"]),
        ({"prior": "standart"}, ["prior", "did you mean 'standard'?"]),
        ({"init": "he_norml"}, ["did you mean 'he_normal'?"]),
    ],
)
def test_arguments_that_make_no_model(options, fragments):
    refused(nv.ConfigError, lambda: small(**options), *fragments)


def test_parameters_that_do_not_fit():
    given = small().params
    refused(
        nv.ModelFileError,
        lambda: small(parameters={k: v for k, v in given.items() if k != "decoder.layers.1.b"}),
        "'decoder.layers.1.b'",
    )
    refused(
        nv.ModelFileError,
        lambda: small(parameters={**given, "decoder.layers.1.b": np.zeros(7)}),
        "'decoder.layers.1.b'", "(6,)", "(7,)",
    )  # fmt: skip
    refused(
        nv.ModelFileError,
        lambda: small(parameters={**given, "extra": np.zeros(7)}),
        "no parameter 'extra'",
    )


BAD_X = [
    (with_value(np.nan), ["got nan in row 5, column 4"]),
    (with_value(np.inf), ["got inf in row 5, column 4"]),
    (with_value(-np.inf), ["got -inf in row 5, column 4"]),
    (with_value(1e300), ["float32", "1e+300 in row 5, column 4"]),
    (with_value(1.5), ["[0, 1]", "maximum of 1.5", "Gaussian()"]),
    (with_value(200.0), ["maximum of 200", "Divide by 255"]),
    (with_value(-0.1), ["[0, 1]", "minimum of -0.1"]),
    ((X * 255).astype("int64"), ["[0, 1]", "Divide by 255"]),
    (X[:, :5], ["(N, 6)", "(7, 5)", "columns"]),
    (X.T, ["(N, 6)", "(6, 7)", "transposed", ".T."]),
    (X[0], ["(N, 6)", "(6,)", "[None]"]),
    (X.reshape(7, 2, 3), ["(7, 2, 3)", ".reshape(len("]),
    (X[:0], ["at least one row", "(0, 6)"]),
    (np.float64(3.0), ["(N, 6)", "()"]),
    (None, ["numbers", "object"]),
    (X.astype(str), ["numbers", "Turn categories and text into numbers"]),
    (X.astype(object), ["numbers", "object"]),
    (X.astype("datetime64[s]"), ["numbers", "datetime64"]),
    (X.astype(complex), ["numbers", "complex128"]),
    ([[0.1, 0.2], [0.3]], ["rows of one length"]),
    (np.ma.masked_greater(X, 0.9), ["masked", "fill them in"]),
]


@pytest.mark.smoke
@pytest.mark.parametrize(("x", "fragments"), BAD_X)
@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.encode(x),
        lambda m, x: m.reconstruct(x),
        lambda m, x: m.elbo(x),
        lambda m, x: nv.log_likelihood(m, x, 2),
        lambda m, x: nv.active_units(m, x),
        lambda m, x: nv.metrics(m, x, 2),
        lambda m, x: nv.fit(m, x, epochs=1),
        lambda m, x: nv.fit(m, X, valid=(x, None), epochs=1),
    ],
    ids=[
        "encode",
        "reconstruct",
        "elbo",
        "log_likelihood",
        "active_units",
        "evaluate",
        "fit",
        "valid",
    ],
)
def test_x_that_no_call_takes(call, x, fragments):
    model = small()
    before = model.flat.copy()
    refused(nv.DataError, lambda: call(model, x), *fragments)
    np.testing.assert_array_equal(model.flat, before)


def test_the_row_of_a_bad_number_is_counted_from_the_start_of_the_data():
    x = np.tile(X, (1000, 1))
    x[6543, 2] = np.nan
    refused(nv.DataError, lambda: small().encode(x), "row 6543, column 2")


@pytest.mark.parametrize(
    ("z", "fragments"),
    [
        (np.zeros((3, 5)), ["z needs shape (N, 2)", "(3, 5)"]),
        (np.zeros(2), ["z[None]"]),
        (np.zeros((2, 7)), ["z.T"]),
        (np.zeros((0, 2)), ["z needs at least one row"]),
        ([[0.0, np.nan]], ["z", "nan in row 0, column 1"]),
        ([["a", "b"]], ["z needs numbers"]),
    ],
)
def test_z_that_decode_does_not_take(z, fragments):
    refused(nv.DataError, lambda: small().decode(z), *fragments)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", None])
def test_numbers_of_samples_that_make_no_sense(n):
    model = small()
    refused(nv.ConfigError, lambda: model.sample(n), "n is a whole number", repr(n))
    refused(nv.ConfigError, lambda: model.elbo(X, n_samples=n), "n_samples", repr(n))
    refused(nv.ConfigError, lambda: nv.log_likelihood(model, X, n_samples=n), "n_samples", repr(n))


@pytest.mark.parametrize("threshold", [-0.1, np.nan, "0.1"])
def test_thresholds_that_make_no_sense(threshold):
    refused(nv.ConfigError, lambda: nv.active_units(small(), X, threshold), "threshold")


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("context_dim", "context", "fragments"),
    [
        (0, C, ["takes no context", "(7, 3)", "context_dim="]),
        (3, None, ["needs a context of shape (7, 3)", "context="]),
        (3, C[:, :2], ["context needs shape (N, 3)", "(7, 2)"]),
        (3, C[:5], ["one row for each of the 7", "got 5"]),
        (3, np.full((7, 3), np.nan), ["context", "nan in row 0, column 0"]),
        (3, C.astype(str), ["context needs numbers"]),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda m, c: m.encode(X, context=c),
        lambda m, c: m.reconstruct(X, context=c),
        lambda m, c: m.elbo(X, context=c),
        lambda m, c: m.decode(np.zeros((7, 2)), context=c),
        lambda m, c: m.sample(7, context=c),
        lambda m, c: nv.log_likelihood(m, X, 2, context=c),
        lambda m, c: nv.active_units(m, X, context=c),
        lambda m, c: nv.value_and_grad(m, nv.ELBO(), X, np.zeros((1, 7, 2)), c),
        lambda m, c: nv.fit(m, X, context=c, epochs=1),
    ],
    ids=[
        "encode", "reconstruct", "elbo", "decode", "sample", "log_likelihood", "active_units",
        "value_and_grad", "fit",
    ],
)  # fmt: skip
def test_a_context_that_does_not_fit(call, context_dim, context, fragments):
    model = small(context_dim=context_dim)
    before = model.flat.copy()
    refused(nv.DataError, lambda: call(model, context), *fragments)
    np.testing.assert_array_equal(model.flat, before)


@pytest.mark.parametrize("n", [1, 3])
def test_valid_is_an_array_or_a_pair(n):
    x = np.full((4, 3), 0.5, np.float32)
    with pytest.raises(nv.ConfigError, match=rf"or a pair \(array, context\); got a tuple of {n}"):
        nv.fit(nv.VAE(3, 1, hidden=(2,)), x, valid=(x,) * n)


def test_a_column_that_is_known_in_rows_of_weight_0_alone():
    x = np.full((4, 3), 0.5, np.float32)
    x[1:, 2] = np.nan
    model = nv.VAE(3, 1, hidden=(2,), missing="mask")
    with pytest.raises(nv.DataError, match=r"column 2 .* missing in every row with a weight above"):
        nv.fit(model, x, weights=[0, 1, 1, 1])
