"""The embedded digits."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.resources import files

import numpy as np
from sklearn.datasets import load_digits

from npvae.datasets import digits


def test_values():
    x, y = digits()
    assert (x.shape, x.dtype) == ((1797, 64), np.float32)
    assert (y.shape, y.dtype) == ((1797,), np.int64)
    assert x.min() == 0.0
    assert x.max() == 1.0
    assert y[:10].tolist() == list(range(10))
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    first_zero = [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]
    assert (x[0, :16] * 16).tolist() == first_zero
    counts = (x * 16).astype(np.uint8)
    assert counts.sum() == 561718
    assert hashlib.md5(counts.tobytes()).hexdigest() == "fa70cba135d4cdd4cde65da70dbffde2"


def test_each_call_returns_its_own_arrays():
    digits()[0][:] = -1
    assert digits()[0].min() == 0


def test_same_as_scikit_learn():
    source = load_digits()
    x, y = digits()
    np.testing.assert_array_equal(x, (source.data / 16).astype(np.float32))
    np.testing.assert_array_equal(y, source.target)


def test_embedded_file_is_small_and_credited():
    folder = files("npvae.datasets")
    assert len(folder.joinpath("digits.npz").read_bytes()) < 50_000
    licence = folder.joinpath("digits.LICENSE").read_text(encoding="utf-8")
    for part in ("Alpaydin", "Kaynak", "1998", "CC BY 4.0", "UCI", "scikit-learn"):
        assert part in licence
        assert part in digits.__doc__


def test_needs_numpy_alone():
    code = (
        "import sys, npvae.datasets as d; d.digits(); "
        "print([m for m in ('numba', 'scipy', 'sklearn', 'matplotlib', 'pandas') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
