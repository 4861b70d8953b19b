"""Labels that are summed out: values class by class, and gradients by complex step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from npvae import kernels

K, C, B, Z = 2, 3, 4, 2
ALPHA, H = 0.7, 1e-30
KNOWN = np.array([[0.0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]])
"""Two rows have a label."""
CLASSES = np.eye(C)[np.arange(K * C) % C][:, None]  # number l has class l modulo C


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_stand_beside_their_class(dtype, rng):
    a = rng.normal(size=(K * C, B, 2)).astype(dtype)
    got = kernels.with_each_class(a, C)
    wanted = np.concatenate([a, np.broadcast_to(CLASSES, (K * C, B, C))], -1)
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == dtype


def test_a_layer_of_rows_beside_each_class(rng):
    x, W, dy = (rng.normal(size=shape) for shape in ((B, 5), (2, 5 + C), (K * C, B, 2)))
    beside = np.concatenate([np.tile(x, (K * C, 1, 1)), np.tile(CLASSES, (1, B, 1))], -1)
    np.testing.assert_allclose(kernels.linear_by_class(x, W, K * C), beside @ W.T, rtol=1e-12)
    wanted = np.einsum("lbo,lbi->oi", dy, beside)
    np.testing.assert_allclose(kernels.linear_by_class_dw(dy, x, C), wanted, rtol=1e-12)


def drawn(rng):
    shapes = ((K * C, B), (K * C, B, Z), (B, C))
    return [rng.normal(size=shape) for shape in shapes]


def test_values_class_by_class(rng):
    log_px, kl, logits = drawn(rng)
    q = special.softmax(logits, -1)
    of_x, of_kl = kernels.over_labels(log_px, kl, logits, KNOWN, ALPHA)
    for k, b in np.ndindex(K, B):
        label = KNOWN[b].argmax() if KNOWN[b].any() else None
        shares = q[b] if label is None else KNOWN[b]
        x = sum(shares[c] * log_px[k * C + c, b] for c in range(C))
        z = sum(shares[c] * kl[k * C + c, b] for c in range(C))
        y = np.log(C) + (0 if label is not None else (q[b] * np.log(q[b])).sum())
        x += 0 if label is None else ALPHA * np.log(q[b, label])
        np.testing.assert_allclose(of_x[k, b], x, rtol=1e-12)
        np.testing.assert_allclose(of_kl[k, b], [*z, y], rtol=1e-12)


def test_gradients_are_the_complex_steps(rng):
    arrays = drawn(rng)
    d_x, d_kl = rng.normal(size=(K, B)), rng.normal(size=(K, B, Z + 1))
    ours = kernels.over_labels_backward(d_x, d_kl, *arrays, KNOWN, ALPHA)
    for i, array in enumerate(arrays):
        assert ours[i].shape == array.shape
        for place in np.ndindex(array.shape):
            moved = [a + 0j for a in arrays]
            moved[i][place] += 1j * H
            of_x, of_kl = kernels.over_labels(*moved, KNOWN, ALPHA)
            slope = ((d_x * of_x).sum() + (d_kl * of_kl).sum()).imag / H
            np.testing.assert_allclose(ours[i][place], slope, rtol=1e-10, atol=1e-13)


def test_what_comes_out_has_the_type_of_what_it_is_of(rng):
    """Gradients that come in are float64, as objectives make them."""
    arrays = [a.astype(np.float32) for a in drawn(rng)]
    assert kernels.over_labels(*arrays, KNOWN.astype(np.float32), ALPHA)[1].dtype == np.float32
    d_x, d_kl = rng.normal(size=(K, B)), rng.normal(size=(K, B, Z + 1))
    _, d_each_kl, d_logits = kernels.over_labels_backward(d_x, d_kl, *arrays, KNOWN, ALPHA)
    assert d_each_kl.dtype == d_logits.dtype == np.float32


def test_where_classes_are_nearly_alike_their_kl_keeps_its_digits(rng):
    """½ of the logits' variance, of 1e-7 in float32, where log C has no such digits."""
    logits = (1e-3 * rng.normal(size=(B, C))).astype(np.float32)
    nothing = np.zeros((C, B), np.float32), np.zeros((C, B, Z), np.float32)
    _, of_kl = kernels.over_labels(*nothing, logits, np.zeros((B, C), np.float32), ALPHA)
    np.testing.assert_allclose(of_kl[0, :, -1], logits.var(-1, dtype=np.float64) / 2, rtol=3e-3)
