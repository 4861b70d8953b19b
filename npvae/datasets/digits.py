"""The 8x8 digits that come with npvae."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from .dataset import Array


def digits() -> tuple[Array, Array]:
    """Return the 1,797 handwritten digits of scikit-learn's ``load_digits``.

    Returns
    -------
    x : float32 array (1797, 64)
        Images of 8x8 pixels, row by row, in [0, 1]: the counts 0 to 16 of the source, over 16.
    y : int64 array (1797,)
        The digits, 0 to 9.

    Notes
    -----
    The test set of "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998,
    UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, CC BY 4.0. The embedded file
    was made from scikit-learn's copy::

        data, target = sklearn.datasets.load_digits(return_X_y=True)
        np.savez_compressed("digits.npz", x=data.astype(np.uint8), y=target.astype(np.uint8))
    """
    source = files("npvae.datasets").joinpath("digits.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return arrays["x"].astype(np.float32) / np.float32(16), arrays["y"].astype(np.int64)
