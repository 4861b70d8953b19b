"""``npvae train --model conv``: images from files and digits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

rng = np.random.default_rng(1)


def test_digits_by_default(npvae, tmp_path):
    run = tmp_path / "run"
    options = ["--model", "conv", "--epochs", 1, "--no-plots", "--out", run]
    code, out, err = npvae("train", *options)
    assert (code, err) == (0, "")
    assert "64 - conv 32 - conv 64 - z 4 - conv 64 - conv 32 - 64" in out
    trained = nv.load(run)
    assert (trained.image_shape, trained.channels, trained.hidden) == ((8, 8, 1), (32, 64), ())


@pytest.mark.smoke(1)
@pytest.mark.parametrize("shape", [(12, 9), (6, 8, 3)], ids=["grey", "colour"])
def test_a_file_of_images_trains_resumes_and_is_drawn(shape, npvae, tmp_path):
    file, run = tmp_path / "faces.npz", tmp_path / "run"
    np.savez(file, X=rng.integers(0, 256, (40, *shape), np.uint8))
    options = ["--data", file, "--model", "conv", "--channels", "4,6", "--hidden", 7, "--z-dim", 3]
    assert npvae("train", *options, "--epochs", 2, "--quiet", "--out", run).code == 0
    trained = nv.load(run)
    assert trained.image_shape == (shape if len(shape) == 3 else (*shape, 1))
    assert (trained.channels, trained.hidden, trained.likelihood.name) == (
        (4, 6),
        (7,),
        "bernoulli",
    )
    assert (run / "reconstructions.png").exists()
    assert npvae("train", "--resume", "--epochs", 3, "--quiet", "--out", run).code == 0
    for command in ("evaluate", "sample", "reconstruct", "interpolate", "latent"):
        more = ["--samples", 5] if command == "evaluate" else ["--out", tmp_path / "x.npy"]
        given = [] if command == "sample" else ["--data", file]
        code, _, err = npvae(command, run, *given, *more)
        assert (code, err) == (0, ""), command


@pytest.mark.slow
def test_rows_are_images_of_the_shape_that_is_said(npvae, tmp_path):
    file, run = tmp_path / "rows.npy", tmp_path / "run"
    np.save(file, rng.random((40, 12), dtype=np.float32))
    options = ["--data", file, "--model", "conv:channels=[3]", "--epochs", 1, "--quiet"]
    assert npvae("train", *options, "--image-shape", "4,3", "--out", run).code == 0
    assert nv.load(run).image_shape == (4, 3, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--image-shape", "none", "--model", "conv"],
            "--model conv is for images; got rows of 64",
        ),
        (["--model", "conv", "--channels", "8,8,8,8"], "one of 8 × 8 can be halved 3 times"),
        (["--channels", "8,8"], "--model vae takes no --channels"),
        (["--model", "conv", "--channels", "none"], "--channels: it takes numbers of channels"),
        (["--model", "conv:channels=[4]", "--channels", "8"], "says channels already"),
        (["--model", "hierarchical:z_dims=[4,2]", "--z-dim", "7"], "leave --z-dim out"),
    ],
)
def test_what_can_not_be_is_refused(refused, options, said):
    assert said in refused("train", *options)
