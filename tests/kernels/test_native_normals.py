"""Normal numbers drawn by compiled code: NumPy's, bit by bit, and so is the stream after them."""

import numpy as np
import pytest

from npvae.executor import normals
from npvae.executor.normals import standard_normals
from npvae.executor.operations.normals import EDGE

pytest.importorskip("numba")


def pair(seed):
    return np.random.default_rng(seed), np.random.default_rng(seed)


def assert_draws_alike(ours, numpys, n):
    found = standard_normals(ours, n)
    np.testing.assert_array_equal(found, numpys.standard_normal(n, np.float32))
    assert (found.dtype, found.shape) == (np.float32, (n,))
    assert ours.bit_generator.state == numpys.bit_generator.state


@pytest.mark.parametrize("seed", [0, [3, 7, 1], 2**100])
def test_numpys_bits_however_many_are_drawn_at_a_time(seed):
    """Of 64 bits one half may be left, which is the first of the next draw."""
    ours, numpys = pair(seed)
    for n in (0, 1, 1, 3, 2, 1000, 777, 50_001):
        assert_draws_alike(ours, numpys, n)


def test_the_stream_goes_on_for_other_draws():
    ours, numpys = pair(1)
    for n in (1, 100, 33):
        assert_draws_alike(ours, numpys, n)
        assert ours.random() == numpys.random()
        assert ours.integers(1000) == numpys.integers(1000)


def test_the_tail_is_reached():
    ours, numpys = pair(2)
    assert_draws_alike(ours, numpys, 300_000)
    assert np.abs(standard_normals(np.random.default_rng(2), 300_000)).max() > EDGE + 1


def test_another_generator_is_numpys_own_business():
    ours, numpys = (np.random.Generator(np.random.MT19937(4)) for _ in range(2))
    np.testing.assert_array_equal(
        standard_normals(ours, 50), numpys.standard_normal(50, np.float32)
    )


def test_numpy_draws_where_its_ziggurat_is_another(monkeypatch):
    monkeypatch.setattr(normals, "_has_numpys_bits", lambda: False)
    monkeypatch.setattr(normals, "_drawn", None)
    assert_draws_alike(*pair(5), 100)


def test_a_difference_is_noticed(monkeypatch):
    draw = normals._drawn

    def off_by_one_bit(rng, n):
        found = draw(rng, n)
        found[-1] = np.nextafter(found[-1], np.float32(9))
        return found

    normals._has_numpys_bits.cache_clear()
    monkeypatch.setattr(normals, "_drawn", off_by_one_bit)
    assert not normals._has_numpys_bits()
    normals._has_numpys_bits.cache_clear()
    monkeypatch.undo()
    assert normals._has_numpys_bits()
