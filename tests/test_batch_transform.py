"""Rows changed at each visit: what is drawn, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

rng = np.random.default_rng(3)
X = rng.random((50, 12), dtype=np.float32)
OPTIONS = dict(batch_size=8, threads=1, progress=False)


def vae(**options):
    return nv.VAE(12, 2, hidden=(5,), **options)


def noisy(x, draws):
    return np.clip(x + draws.normal(0, 0.1, x.shape), 0, 1)


@pytest.fixture(params=["numpy", "numba"])
def _kernels(request):
    nv.use_kernels(request.param)
    yield
    nv.use_kernels(None)


def test_flip_turns_half_of_the_images():
    x = rng.random((4000, 2 * 3 * 2))
    turned = nv.Flip((2, 3, 2))(x, np.random.default_rng(0)).reshape(-1, 2, 3, 2)
    images = x.reshape(-1, 2, 3, 2)
    same = (turned == images).all((1, 2, 3))
    assert (turned[~same] == images[~same][:, :, ::-1]).all()
    assert abs(same.mean() - 0.5) < 4 * 0.5 / 4000**0.5


def test_shift_repeats_the_edge():
    image = np.arange(20.0).reshape(4, 5)
    shifted = nv.Shift((4, 5), most=1)(np.tile(image.ravel(), (900, 1)), np.random.default_rng(0))
    padded = np.pad(image, 1, mode="edge")
    wanted = {padded[i : i + 4, j : j + 5].tobytes() for i in range(3) for j in range(3)}
    seen, counts = np.unique([row.tobytes() for row in shifted], return_counts=True)
    assert set(seen) == wanted
    assert counts.min() > 100 - 4 * 100**0.5


@pytest.mark.usefixtures("_kernels")
def test_each_batch_is_given_once_and_in_order():
    seen = []

    def watched(x, draws):
        seen.append((x.copy(), draws.random()))
        return 1 - x

    nv.fit(vae(), X, epochs=2, batch_transform=watched, **OPTIONS)
    sizes = [len(x) for x, _ in seen]
    assert sizes == 2 * [8, 8, 8, 8, 8, 8, 2]
    for epoch in (0, 1):
        rows = np.concatenate([x for x, _ in seen[7 * epoch : 7 * epoch + 7]])
        assert {row.tobytes() for row in rows} == {row.tobytes() for row in X}
    assert len({u for _, u in seen}) == 14


def test_captured_steps_see_what_eager_ones_see():
    flats = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        try:
            one = vae(missing="mask")
            nv.fit(one, X, epochs=3, batch_transform=noisy, binarise=True, hide=0.2, **OPTIONS)
            flats.append(one.flat)
        finally:
            nv.use_kernels(None)
    np.testing.assert_allclose(flats[1], flats[0], atol=2e-4)


@pytest.mark.usefixtures("_kernels")
def test_a_resumed_run_draws_what_an_unbroken_one_draws(tmp_path):
    whole, half, again = vae(), vae(), vae()
    nv.fit(whole, X, epochs=4, batch_transform=noisy, **OPTIONS)
    file = tmp_path / "run.npz"
    nv.fit(half, X, epochs=2, batch_transform=noisy, checkpoint=file, **OPTIONS)
    nv.fit(again, X, epochs=4, batch_transform=noisy, checkpoint=file, resume=True, **OPTIONS)
    np.testing.assert_array_equal(again.flat, whole.flat)


def test_training_is_that_of_the_changed_rows():
    """A transform without chance: the same as data that were changed before."""
    one, two = vae(), vae()
    nv.fit(one, X, epochs=3, batch_transform=lambda x, draws: x[:, ::-1], **OPTIONS)
    two.start_from(X.mean(0), len(X), X)  # what training starts from is found in x as it is
    nv.fit(two, np.ascontiguousarray(X[:, ::-1]), epochs=3, **OPTIONS)
    np.testing.assert_allclose(one.flat, two.flat, atol=1e-5)


def test_validation_and_the_users_array_stay_as_they_are():
    x = X.copy()

    def in_place(batch, draws):
        batch *= 0.5
        return batch

    one = vae()
    nv.fit(one, x, valid=x, epochs=1, batch_transform=in_place, **OPTIONS)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        (lambda x, draws: x[:4], r"rows of the same shape, \(8, 12\); .* gave \(4, 12\)"),
        (lambda x, draws: None, r"rows of the same shape, \(8, 12\); .* gave None"),
        (lambda x, draws: x + 7, "Bernoulli"),
    ],
)
def test_what_gives_no_such_rows_is_refused(transform, said):
    with pytest.raises(nv.DataError, match=said):
        nv.fit(vae(), X, batch_transform=transform, **OPTIONS)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: nv.fit(vae(), X, batch_transform="flip"), "is a function of .x, rng.; got 'flip'"),
        (lambda: nv.Flip(28), "image_shape is .height, width, channels.; got 28"),
        (lambda: nv.Shift((4, 4), most=0), "Shift's most is a whole number, 1 or more"),
    ],
)
def test_what_is_no_transform_is_refused(build, said):
    with pytest.raises(nv.ConfigError, match=said):
        build()
