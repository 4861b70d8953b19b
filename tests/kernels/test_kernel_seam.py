"""The seam: kernels run or are recorded; and what `fit` trains on, with and without numba."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest

import npvae
from npvae import kernels
from npvae.core.errors import ConfigError, MissingDependency
from npvae.kernels import choice


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    monkeypatch.setattr(choice, "_chosen", None)


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)


@kernels.kernel
def double(a):
    """Twice a."""
    return kernels.add(a, a)


class Calls(list):
    def __call__(self, kernel, *arguments):
        self.append((kernel.__name__, arguments))
        return kernel(*arguments)


def test_a_kernel_is_a_plain_function():
    assert double(2.0) == 4.0
    assert (double.__name__, double.__doc__) == ("double", "Twice a.")
    assert list(inspect.signature(kernels.linear).parameters) == ["x", "W"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'a'"):
        double(a=2.0)


def test_an_unknown_kernel_is_an_attribute_error():
    with pytest.raises(AttributeError, match="bias_rleu"):
        kernels.bias_rleu  # noqa: B018


def test_a_recorder_gets_the_calls_of_its_block():
    calls = Calls()
    with kernels.recording(calls):
        assert kernels.add(1.0, 2.0) == 3.0
        with kernels.recording(None):
            kernels.add(5.0, 5.0)
        kernels.scale_rows(np.ones(2), np.ones((2, 3)))
    kernels.add(7.0, 7.0)
    assert [name for name, _ in calls] == ["add", "scale_rows"]
    assert calls[0][1] == (1.0, 2.0)


def test_what_a_kernel_calls_is_part_of_its_own_call():
    calls = Calls()
    with kernels.recording(calls):
        assert double(3.0) == 6.0
        kernels.add(1.0, 1.0)
    assert [name for name, _ in calls] == ["double", "add"]


def test_recording_ends_with_its_block_after_an_error():
    calls = Calls()
    with pytest.raises(ValueError, match="not aligned"), kernels.recording(calls):
        kernels.linear(np.ones((2, 3)), np.ones((2, 4)))
    kernels.add(1.0, 1.0)
    assert len(calls) == 1


def test_another_thread_is_left_alone():
    calls = Calls()
    with kernels.recording(calls):
        thread = threading.Thread(target=kernels.add, args=(1.0, 1.0))
        thread.start()
        thread.join()
    assert calls == []


def test_the_default_and_the_choice():
    assert kernels.kernels_in_use() == "numba"
    kernels.use_kernels("numpy")
    assert kernels.kernels_in_use() == "numpy"
    kernels.use_kernels("numba")
    assert kernels.kernels_in_use() == "numba"
    kernels.use_kernels(None)
    assert kernels.kernels_in_use() == "numba"


def test_the_choice_leaves_eager_calls_alone():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    layer = npvae.layers.Dense(4, 2, "gelu").allocate(np.random.default_rng(0), np.float32)
    eager = layer.forward(x)[0]
    kernels.use_kernels("numba")
    np.testing.assert_array_equal(layer.forward(x)[0], eager)


@pytest.mark.parametrize("name", ["nunba", "", "torch"])
def test_an_unknown_set_is_refused(name):
    kernels.use_kernels("numpy")
    with pytest.raises(ConfigError, match=f"no kernel set '{name}'.*Known: numba, numpy"):
        kernels.use_kernels(name)
    assert kernels.kernels_in_use() == "numpy"


def test_without_numba_all_runs_on_numpy(without_numba):
    assert kernels.kernels_in_use() == "numpy"
    with pytest.raises(MissingDependency, match="pip install numba"):
        kernels.use_kernels("numba")
    assert kernels.kernels_in_use() == "numpy"


def test_a_numba_that_can_not_be_imported_is_told_apart(without_numba, monkeypatch):
    monkeypatch.setattr(choice, "numba_installed", lambda: True)
    with pytest.raises(MissingDependency, match=r"can't be imported .*use_kernels\('numpy'\)"):
        kernels.use_kernels("numba")


def test_without_numba_a_model_trains(without_numba):
    model = npvae.VAE(4, 2, hidden=(3,))
    npvae.fit(model, np.eye(4, dtype=np.float32), epochs=1)
    assert np.isfinite(model.flat).all()


def test_inference_never_meets_numba():
    code = (
        "import sys, numpy as np, npvae; m = npvae.VAE(4, 2, hidden=(3,)); "
        "m.decode(m.encode(np.eye(4))[0]); m.elbo(np.eye(4)); m.sample(2); "
        "print([n for n in ('numba', 'npvae.executor') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
