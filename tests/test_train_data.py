"""fit with the same data in any form, type or scale."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

pytestmark = pytest.mark.usefixtures("kernels")


def small(**options):
    return nv.VAE(**{"x_dim": 5, "z_dim": 2, "hidden": (4,), "dtype": "float64", **options})


def data(n=23, d=5, seed=0):
    return np.random.default_rng(seed).random((n, d)) * np.linspace(0.2, 1, d)


def images(n=23):
    return np.random.default_rng(0).integers(0, 256, (n, 5)).astype("uint8")


def as_memory_map(x, folder):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def read_only(x, folder):
    x = x.copy()
    x.flags.writeable = False
    return x


FORMS = [
    as_memory_map, read_only, lambda x, folder: np.asfortranarray(x),
    lambda x, folder: np.repeat(x, 3, axis=0)[::3], lambda x, folder: np.hstack([x, x])[:, :5],
    lambda x, folder: x[::-1].copy()[::-1], lambda x, folder: x.astype(x.dtype.newbyteorder(">")),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_any_form_of_the_same_data_trains_the_same(tmp_path, form, as_bytes):
    x = images() if as_bytes else images().astype("float32") / np.float32(255)
    expected, model = small(dtype="float32"), small(dtype="float32")
    nv.fit(expected, images().astype("float32") / np.float32(255), epochs=2, batch_size=6)
    given = form(x, tmp_path)
    before = np.array(given)
    nv.fit(model, given, epochs=2, batch_size=6, valid=given[:3])
    np.testing.assert_array_equal(model.flat, expected.flat)
    np.testing.assert_array_equal(given, before)
    assert model.scale == (255.0 if as_bytes else None)


def test_float64_data_train_a_float32_model():
    x = data()
    model, twin = small(dtype="float32"), small(dtype="float32")
    nv.fit(model, x, epochs=2)
    nv.fit(twin, x.astype("float32"), epochs=2)
    np.testing.assert_allclose(model.flat, twin.flat, atol=1e-5)
    assert model.flat.dtype == np.float32


def test_bytes_are_scaled_only_where_the_likelihood_and_the_data_ask_for_it():
    grey = images()
    binary = (grey > 127).astype("uint8")
    for likelihood, x, scale in (
        ("bernoulli", grey, 255.0), ("bernoulli", binary, None), ("gaussian", grey, None),
        ("bernoulli", binary.astype("int64"), None), ("bernoulli", binary.astype(bool), None),
    ):  # fmt: skip
        model = small(likelihood=likelihood)
        nv.fit(model, x, epochs=1)
        assert model.scale == model.config["scale"] == scale
    with pytest.raises(nv.DataError, match=r"maximum of .*Divide by 255"):
        nv.fit(small(), grey.astype("int64"), epochs=1)


def test_the_scale_is_kept_for_every_later_call():
    grey = images()
    model = small()
    nv.fit(model, grey, epochs=1, valid=grey[:4])
    np.testing.assert_array_equal(model.encode(grey)[0], model.encode(grey / 255.0)[0])
    np.testing.assert_array_equal(model.encode(grey)[0], model.encode(grey.astype("int32"))[0])
    nv.fit(model, (grey > 127).astype("uint8"), epochs=1)
    assert model.scale == 255.0
    assert nv.VAE(**model.config).scale == 255.0
