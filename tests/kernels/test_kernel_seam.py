"""The seam: which kernel set runs, with and without numba, and without a place for its cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

import npvae
from npvae import kernels
from npvae.errors import ConfigError, MissingDependency
from npvae.kernels import compiled, reference
from npvae.kernels.compiled import options


@pytest.fixture(autouse=True)
def _no_override(monkeypatch):
    monkeypatch.setattr(kernels, "_override", None)


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)


def test_eager_calls_run_the_reference():
    assert kernels.bias_relu is reference.bias_relu


def test_every_kernel_is_found_where_it_is_defined(monkeypatch):
    names = [
        n
        for n, f in vars(reference).items()
        if getattr(f, "__module__", "").startswith(reference.__name__)
    ]
    assert len(names) > 30
    for name in names:
        assert getattr(kernels, name) is getattr(reference, name)
    monkeypatch.setattr(reference, "add", min)
    assert kernels.add is min


def test_running_chooses_for_its_block_alone():
    with kernels.running("numba"):
        assert kernels.bias_relu is compiled.bias_relu
        with kernels.running("numpy"):
            assert kernels.bias_relu is reference.bias_relu
        assert kernels.bias_relu is compiled.bias_relu
    assert kernels.bias_relu is reference.bias_relu


def test_running_ends_with_its_block_after_an_error():
    with pytest.raises(KeyError), kernels.running("numba"):
        raise KeyError
    assert kernels.bias_relu is reference.bias_relu


def test_override_beats_both_defaults():
    kernels.use_kernels("numba")
    assert kernels.bias_relu is compiled.bias_relu
    assert kernels.kernels_in_use() == "numba"
    kernels.use_kernels("numpy")
    assert kernels.kernels_in_use() == "numpy"
    with kernels.running("numba"):
        assert kernels.bias_relu is reference.bias_relu
    kernels.use_kernels(None)
    assert kernels.bias_relu is reference.bias_relu
    assert kernels.kernels_in_use() == "numba"


def test_override_reaches_the_parts():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    layer = npvae.layers.Dense(4, 2, "gelu").allocate(np.random.default_rng(0), np.float32)
    eager = layer.forward(x)[0]
    compiled_gelu = compiled.bias_gelu(x @ layer.W.T, layer.b)[0]
    kernels.use_kernels("numba")
    np.testing.assert_array_equal(layer.forward(x)[0], compiled_gelu)
    kernels.use_kernels("numpy")
    np.testing.assert_array_equal(layer.forward(x)[0], eager)


def test_another_thread_is_left_alone():
    seen = []
    with kernels.running("numba"):
        thread = threading.Thread(target=lambda: seen.append(kernels.bias_relu))
        thread.start()
        thread.join()
    assert seen == [reference.bias_relu]


@pytest.mark.parametrize("name", ["nunba", "", "torch"])
def test_an_unknown_set_is_refused(name):
    kernels.use_kernels("numpy")
    for choose in (kernels.use_kernels, lambda n: kernels.running(n).__enter__()):
        with pytest.raises(ConfigError, match=f"no kernel set '{name}'.*Known: numba, numpy"):
            choose(name)
    assert kernels.kernels_in_use() == "numpy"


def test_an_unknown_kernel_is_an_attribute_error():
    with pytest.raises(AttributeError, match="bias_rleu"):
        kernels.bias_rleu  # noqa: B018


def test_without_numba_all_runs_on_numpy(without_numba):
    assert kernels.kernels_in_use() == "numpy"
    with kernels.running(kernels.kernels_in_use()):
        assert kernels.bias_relu is reference.bias_relu
    for choose in (kernels.use_kernels, lambda n: kernels.running(n).__enter__()):
        with pytest.raises(MissingDependency, match=r"pip install 'npvae\[fast\]'"):
            choose("numba")
    assert kernels.kernels_in_use() == "numpy"


def test_without_numba_a_model_trains(without_numba):
    model = npvae.VAE(4, 2, hidden=(3,))
    npvae.fit(model, np.eye(4, dtype=np.float32), epochs=1)
    assert np.isfinite(model.flat).all()


def test_kernels_are_kept_in_a_cache_where_there_is_one():
    assert type(compiled.bias_relu._cache).__name__ == "FunctionCache"


def test_a_refused_cache_means_compiling_without(monkeypatch):
    asked = []

    def njit(cache=False, **options):
        def decorate(function):
            asked.append(cache)
            if cache:
                raise RuntimeError(f"cannot cache function {function.__name__!r}: no locator")
            return function

        return decorate

    monkeypatch.setattr(numba, "njit", njit)
    assert options.kernel(len) is len
    assert asked == [True, False]


@pytest.mark.slow
def test_no_folder_for_a_cache(tmp_path):
    """Numba for real: a file stands where each of its folders would go, for root as well."""
    package = tmp_path / "npvae"
    shutil.copytree(
        Path(npvae.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "kernels" / "compiled" / "__pycache__").touch()
    nowhere = tmp_path / "a file"
    nowhere.touch()
    blocked = dict.fromkeys(
        ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"), str(nowhere / "folder")
    )
    code = (
        "import numpy as np; from npvae.kernels import compiled as c; "
        "print(c.__file__); print(type(c.bias_relu._cache).__name__); "
        "print(c.bias_relu(np.array([[-1.0, 2.0]]), np.zeros(2)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **blocked, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    home, cache, output = done.stdout.splitlines()
    assert Path(home).is_relative_to(tmp_path)
    assert output == "[[0. 2.]]"
    assert sys.platform == "win32" or cache == "NullCache"


def test_inference_never_meets_numba():
    code = (
        "import sys, numpy as np, npvae; m = npvae.VAE(4, 2, hidden=(3,)); "
        "m.decode(m.encode(np.eye(4))[0]); m.elbo(np.eye(4)); m.sample(2); "
        "print([n for n in ('numba', 'npvae.kernels.compiled') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
