"""What people hold their numbers in: frames, series, masked and sparse arrays."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.core.arrays import as_array

X = np.random.default_rng(0).normal(size=(12, 4))


def model(**options):
    return nv.VAE(4, 2, hidden=(8,), likelihood="gaussian", **options)


def fitted(x=X, **options):
    nv.use_kernels("numpy")
    try:
        return nv.fit(model(), x, epochs=1, **options).records[0]
    finally:
        nv.use_kernels(None)


def pandas_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    flags = np.c_[X[:, :3], X[:, 3] > 0]
    gap = frame.convert_dtypes()
    gap.iloc[0, 1] = pandas.NA
    with_gap = X.copy()
    with_gap[0, 1] = np.nan
    whole = frame.round().astype(int)
    return {
        "floats": (frame, X),
        "a bool among floats": (frame.assign(d=frame.d > 0), flags),
        "nullable": (frame.convert_dtypes(), X),
        "nullable bool": (frame.assign(d=(frame.d > 0).astype("boolean")), flags),
        "a value missing": (gap, with_gap),
        "whole": (whole.convert_dtypes(), X.round()),
        "bytes": (whole.astype("UInt8", errors="ignore"), X.round()),
    }


@pytest.mark.parametrize("kind", ["floats", "a bool among floats", "nullable", "nullable bool",
                                  "a value missing", "whole", "bytes"])  # fmt: skip
def test_frames_of_numbers_are_their_numbers(kind):
    frame, expected = pandas_frames()[kind]
    given = model(missing="mask").encode(frame)[0]
    np.testing.assert_array_equal(given, model(missing="mask").encode(expected)[0])


def test_whole_numbers_stay_whole_so_that_a_scale_applies():
    pandas = pytest.importorskip("pandas")
    whole = pandas.DataFrame({"a": [1, 2], "b": [3, 4]}).convert_dtypes()
    assert as_array(whole, "x").dtype == np.int64
    assert as_array(whole.astype("UInt8"), "x").dtype == np.uint8
    scaled = nv.VAE(2, 1, hidden=(3,), scale=255.0)
    np.testing.assert_array_equal(
        scaled.encode(whole)[0], scaled.encode(whole.to_numpy(float) / 255)[0]
    )


def test_polars_frames_are_their_numbers():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=list("abcd"), orient="row")
    np.testing.assert_array_equal(as_array(frame, "x"), X)
    np.testing.assert_array_equal(
        as_array(frame.with_columns(polars.col("d") > 0), "x"), np.c_[X[:, :3], X[:, 3] > 0]
    )
    gap = polars.DataFrame({"a": [True, None]})
    np.testing.assert_array_equal(as_array(gap, "x"), [[1], [np.nan]])
    with pytest.raises(
        nv.DataError, match=r"'d' \(String\).*x\.cast\(float\).*nv\.tables\.read\(x\)"
    ):
        as_array(frame.with_columns(polars.lit("text").alias("d")), "x")
    with pytest.raises(nv.DataError, match=r"got a LazyFrame object. Pass x\.collect\(\)"):
        as_array(frame.lazy(), "x")


@pytest.mark.parametrize("kind", ["object", "category", "datetime64[ns]", "str"])
def test_columns_that_are_no_numbers_are_named(kind):
    pandas = pytest.importorskip("pandas")
    values = {"category": ["u", "v"] * 6, "str": ["u", "v"] * 6}.get(kind, range(12))
    column = pandas.Series(list(values)).astype(kind)
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(c=column)
    for what, given in {"x": frame, "weights": column}.items():
        with pytest.raises(nv.DataError, match=rf"{what}\.astype\(float\)\. .*nv\.tables\.read"):
            fitted(**{"x": X, what: given})
    with pytest.raises(nv.DataError, match=r"other types: 'c' \("):
        model().encode(frame)


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array"])
def test_of_sparse_data_it_says_what_to_call(form):
    sparse = pytest.importorskip("scipy.sparse")
    given = getattr(sparse, form)(X)
    refusal = rf"x can't be sparse; got a {form}. Pass x\.toarray\(\)"
    for call in (model().encode, model().elbo, fitted):
        with pytest.raises(nv.DataError, match=refusal):
            call(given)
    with pytest.raises(nv.DataError, match=r"valid\.toarray\(\)"):
        fitted(valid=given)


@pytest.mark.parametrize("name", ["x", "valid", "weights", "context"])
def test_gaps_are_refused_wherever_rows_are_given(name):
    holes = {"weights": np.ones(12), "context": np.ones((12, 2))}.get(name, X.copy())
    hidden = np.ma.array(holes, mask=np.zeros(holes.shape, bool))
    hidden[0] = np.ma.masked
    hidden.data[0] = 1e6  # behind the mask
    calls = {"context": lambda: model(context_dim=2).encode(X, context=hidden)}
    call = calls.get(name, lambda: fitted(**{"x": X, name: hidden}))
    with pytest.raises(nv.DataError, match=rf"{name} can't have gaps; got a masked array"):
        call()
    whole = np.ma.array(holes, mask=False)
    if name == "weights":
        assert fitted(weights=whole)["train_loss"] == fitted(weights=holes)["train_loss"]


def test_gaps_in_a_list_of_masked_rows_are_seen():
    rows = [np.ma.array(row, mask=False) for row in X]
    np.testing.assert_array_equal(as_array(rows, "x"), X)
    rows[3][1] = np.ma.masked
    with pytest.raises(nv.DataError, match="can't have gaps"):
        as_array(rows, "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "got a NoneType object. Pass an array of numbers"),
        ({"a": 1}, "got a dict object"),
        (np.zeros((2, 4), "M8[D]"), "Count from a day"),
        (np.zeros((2, 4), "m8[D]"), "Say in which unit"),
        (np.zeros((2, 4), complex), r"Pass x\.real"),
        (np.zeros(2, [("a", float)]), "structured_to_unstructured"),
        (X.astype(object), r"x\.astype\(float\)"),
        (X.astype(str), "Turn categories and text into numbers first"),
    ],
)
def test_each_other_array_has_its_own_advice(given, said):
    with pytest.raises(nv.DataError, match=said):
        model().encode(given)


def test_a_tensor_with_a_gradient_says_what_to_call():
    class Tensor:  # as torch.Tensor answers
        def __array__(self, *_, **__):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use detach().")

    with pytest.raises(nv.DataError, match=r"x can't be read as an array: .*Use detach\(\)"):
        model().encode(Tensor())
