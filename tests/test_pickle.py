"""Models that are copied and pickled are whole: what trains is what encodes."""

from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest

import npvae as nv

X = np.random.default_rng(0).random((30, 6))


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


WAYS = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "pickle 2": lambda model, _: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": through_joblib,
    "copy": lambda model, _: copy.copy(model),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "in a list": lambda model, _: copy.deepcopy([model])[0],
}


@pytest.mark.smoke
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(
    "options",
    [
        {"likelihood": "gaussian", "standardise": True},
        {"likelihood": "student_t:df=3", "prior": "mixture:n_components=3", "dtype": "float64"},
        {"prior": "vamp:n_components=2", "missing": "mask", "scale": 255.0},
    ],
    ids=str,
)
def test_a_twin_is_whole(options, way, tmp_path):
    model = nv.VAE(6, 2, hidden=(4,), **options)
    nv.fit(model, X, epochs=1, seed=1)
    twin = WAYS[way](model, tmp_path)
    assert type(twin) is nv.VAE
    assert twin.config == model.config
    np.testing.assert_array_equal(twin.encode(X)[0], model.encode(X)[0])
    np.testing.assert_array_equal(twin.elbo(X), model.elbo(X))
    assert not np.shares_memory(twin.flat, model.flat)
    assert all(np.shares_memory(value, twin.flat) for value in twin.params.values())
    before = model.flat.copy()
    nv.fit(twin, X, epochs=1, seed=2)
    np.testing.assert_array_equal(model.flat, before)
    nv.fit(model, X, epochs=1, seed=2)
    np.testing.assert_array_equal(twin.elbo(X), model.elbo(X))


class Wide(nv.VAE):
    """A model of a user's own."""

    name = "wide_for_pickle"


def test_a_class_of_ones_own_comes_back_as_itself():
    twin = pickle.loads(pickle.dumps(Wide(6, 2, hidden=(3,))))
    assert type(twin) is Wide
    assert twin.hidden == (3,)
