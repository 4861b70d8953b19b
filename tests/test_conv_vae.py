"""The convolutional VAE: images of any size, and everything that a VAE does."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.layers import Conv2d, ConvTranspose2d

rng = np.random.default_rng(7)
SHAPES = [(28, 28), (20, 28, 1), (13, 9, 3), (112, 92, 1), (4, 5, 1)]


def model(shape=(8, 6), z_dim=2, **options):
    return nv.ConvVAE(shape, z_dim, **{"channels": (3, 4), **options})


def images(shape, n=12):
    return rng.random((n, int(np.prod(shape))), dtype=np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_images_of_any_size_go_in_and_come_out(shape):
    one, x = model(shape, channels=(3, 4)), images(shape, 3)
    assert one.x_dim == x.shape[1]
    assert one.image_shape == (shape if len(shape) == 3 else (*shape, 1))
    assert one.reconstruct(x).shape == x.shape
    assert one.sample(2).shape == (2, x.shape[1])
    assert one.decoder.out_shape == one.image_shape
    assert nv.fit(one, x, epochs=1, progress=False).records[0]["train_loss"] > 0


def test_the_networks_halve_and_double():
    one = nv.ConvVAE((28, 20), 2, channels=(8, 16), hidden=(30,), activation="gelu")
    kinds = [type(layer).__name__ for layer in (*one.encoder.layers, *one.decoder.layers)]
    assert kinds == ["Conv2d"] * 2 + ["Dense"] * 4 + ["ConvTranspose2d"] * 2
    shapes = [layer.out_shape for layer in one.encoder.layers]
    assert shapes == [(14, 10, 8), (7, 5, 16), (30,), (4,)]
    assert [layer.out_shape for layer in one.decoder.layers][1:] == [
        (560,),
        (14, 10, 8),
        (28, 20, 1),
    ]
    assert one.encoder.layers[0].activation.name == "gelu"
    assert one.decoder.layers[-1].activation.name == "identity"


def test_it_is_a_vae_of_these_networks():
    short = model(seed=3)
    by_hand = nv.VAE(48, 2, encoder=short.encoder, decoder=short.decoder, seed=3)
    np.testing.assert_array_equal(by_hand.flat, short.flat)
    for one in (short, by_hand):
        nv.fit(one, images((8, 6)) * 0 + 0.3, epochs=2, batch_size=5)
    np.testing.assert_array_equal(by_hand.flat, short.flat)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"missing": "mask"},
        {"likelihood": "gaussian_heteroscedastic"},
        {"likelihood": "student_t:scale=column", "posterior": "planar:n=2"},
        {"likelihood": "gaussian", "standardise": True},
        {"likelihood": "categorical:classes=3", "missing": "mask"},
        {"condition": nv.Labels(3), "prior": "conditional"},
        {"prior": "vamp:n_components=3", "missing": "mask", "context_dim": 2, "hidden": (5,)},
        {"prior": "mixture:n_components=3", "posterior": "gaussian", "kernel": (2, 4)},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_everything_else_is_a_vaes(options, tmp_path):
    """Likelihoods, gaps, contexts, priors, flows; saved, loaded and rebuilt from the config."""
    x = images((8, 6))
    if "categorical" in str(options.get("likelihood")):
        x = np.floor(3 * x)
    if options.get("missing"):
        x[rng.random(x.shape) < 0.2] = np.nan
    context = {"condition": rng.integers(3, size=12), "context_dim": rng.normal(size=(12, 2))}
    context = next((context[name] for name in context if name in options), None)
    one = model(**options)
    nv.fit(one, x, context=context, epochs=2, batch_size=5, progress=False)
    assert np.isfinite(one.elbo(x, context=context)).all()
    twin = nv.ConvVAE(**json.loads(json.dumps(one.config)))
    assert twin.config == one.config
    one.save(tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert repr(again) == repr(one)
    given = {} if context is None else {"context": context}
    np.testing.assert_array_equal(again.reconstruct(x, **given), one.reconstruct(x, **given))


@pytest.mark.parametrize(
    ("options", "objective"),
    [
        ({"context_dim": 2}, nv.ELBO()),
        ({"missing": "mask", "prior": "vamp:n_components=2"}, nv.IWAE(2)),
        ({"likelihood": "gaussian_heteroscedastic", "hidden": (3,)}, nv.ELBO(beta=2.0)),
    ],
    ids=["context", "mask and vamp", "two heads"],
)
@pytest.mark.parametrize("method", ["taylor", pytest.param("complex", marks=pytest.mark.slow)])
def test_gradients(options, objective, method):
    one = nv.ConvVAE((5, 4, 2), 2, channels=(3, 2), activation="tanh", dtype="float64", **options)
    report = nv.check_gradients(one, objective=objective, methods=[method])
    assert report.ok, str(report)
    assert {row.argument for row in report} == set(one.params)


@pytest.mark.parametrize("objective", [nv.ELBO(), nv.IWAE(3)], ids=["elbo", "iwae"])
@pytest.mark.parametrize("options", [{}, {"missing": "mask", "context_dim": 2}], ids=["", "masked"])
def test_captured_and_eager_steps_agree(objective, options):
    x, context = images((8, 6), 20), rng.normal(size=(20, 2)) if options else None
    flats = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        try:
            one = model(**options)
            nv.fit(one, x, objective=objective, context=context, epochs=3, batch_size=8, threads=1)
            flats.append(one.flat)
        finally:
            nv.use_kernels(None)
    np.testing.assert_allclose(flats[1], flats[0], atol=2e-4)


def test_interrupted_and_resumed_is_unbroken(tmp_path):
    x, options = images((8, 6), 20), dict(batch_size=8, threads=1, progress=False)
    whole, parts = model(), model()
    nv.fit(whole, x, epochs=4, **options)
    file = tmp_path / "run.npz"
    nv.fit(parts, x, epochs=2, checkpoint=file, **options)
    again = model()
    nv.fit(again, x, epochs=4, checkpoint=file, resume=True, **options)
    np.testing.assert_array_equal(again.flat, whole.flat)


def test_the_output_starts_at_the_mean():
    x = images((8, 6), 50) * 0.3
    one = model()
    one.start_from(x.mean(0), 50, x)
    bias = one.decoder.output_bias
    assert bias.shape == (48,)
    p = (x.mean(0) * 50 + 0.5) / 51
    np.testing.assert_allclose(bias, np.log(p / (1 - p)), rtol=1e-5)


def test_the_last_weights_are_small_for_real_pixels_alone():
    grey, real = (model(likelihood=name) for name in ("bernoulli", "gaussian"))
    last, small = grey.decoder.layers[-1].W, real.decoder.layers[-1].W
    np.testing.assert_allclose(small, 0.1 * last, rtol=1e-6)


def test_large_pixels_are_standardised_by_one_mean_and_scale():
    one = model(likelihood="gaussian_learnt_scale")
    one.start_from(np.full(48, 200.0), 20, 200 + 50 * rng.normal(size=(20, 48)))
    assert np.unique(one.inputs.mean).size == np.unique(one.inputs.scale).size == 1
    assert one.inputs.mean[0] == pytest.approx(200, rel=0.05)
    assert one.inputs.scale[0] == pytest.approx(50, rel=0.1)
    wide = nv.ConvVAE((64, 64), 2)  # of which a dense encoder's sum would be large
    wide.start_from(np.full(4096, 0.5), 20, np.full((20, 4096), 0.5, np.float32))
    assert wide.inputs is None


def test_training_learns_where_a_square_is():
    """One of nine places: a code of log 9 nats, and all else is certain."""
    x = np.zeros((90, 12, 12), np.float32)
    for i in range(90):
        row, column = divmod(i % 9, 3)
        x[i, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1
    one = nv.ConvVAE((12, 12), 2, channels=(8, 8), seed=1)
    nv.fit(one, x.reshape(90, -1), epochs=150, batch_size=30, lr=5e-3, threads=1, progress=False)
    assert -one.elbo(x.reshape(90, -1), n_samples=20).mean() < 12
    np.testing.assert_allclose(one.reconstruct(x.reshape(90, -1)), x.reshape(90, -1), atol=0.4)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: nv.ConvVAE((8, 9), 2, channels=(3,) * 4), "8 × 9 can be halved 3 times; got"),
        (lambda: nv.ConvVAE((8, 9), 2, kernel=3), "kernel is even, so that it halves an image"),
        (lambda: nv.ConvVAE((8, 9), 2, kernel=18), "at most twice as large as the image"),
        (lambda: nv.ConvVAE((8, 9), 2, channels=4), r"numbers such as \(32, 64\); got 4"),
        (lambda: nv.ConvVAE((8, 9), 2, channels=()), r"numbers such as \(32, 64\); got \(\)"),
        (lambda: nv.ConvVAE(64, 2), r"image_shape is \(height, width, channels\); got 64"),
        (lambda: nv.ConvVAE((8, 8)), "z_dim is a whole number"),
        (
            lambda: nv.ConvVAE((2, 2), 2, channels=(3,), likelihood=nv.Categorical((2, 3, 2, 2))),
            "pixels alike, and 'categorical' has 9 numbers for 4 of them",
        ),
        (
            lambda: nv.ConvVAE(
                (2, 2), 2, channels=(3,), likelihood=nv.Mixed(
                    [("gaussian", (0, 1, 2)), (nv.Categorical(3), (3,))]
                ),
            ),
            "pixels alike, and 'mixed' has a likelihood for each group of them",
        ),
        (
            lambda: nv.VAE(
                81, 2, encoder=Conv2d((9, 9, 1), 1, (9, 6)),
                decoder=ConvTranspose2d((1, 2, 1), 1, (9, 6), (1, 2)),
            ),
            r"rows of 81; got a network from 2 to 72. output_padding=\(0, 1\) makes its "
            "ConvTranspose2d give 9 × 9 × 1",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_when_it_is_built(build, said):
    with pytest.raises(nv.ConfigError, match=said):
        build()
