"""Which rows a command works on, and what it takes them for."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.cli.inputs import hold_out

RNG = np.random.default_rng(5)


@pytest.fixture
def train(npvae, tmp_path):
    """Train one epoch on a source; returns what was said, and the run's config."""

    def call(source, *options):
        out = tmp_path / "run"
        code, said, err = npvae(
            *("train --no-plots --epochs 1 --hidden 8 --data", source, "--out", out), *options
        )
        assert (code, err) == (0, "")
        return said, json.loads((out / "config.json").read_text())

    return call


@pytest.fixture
def npy(tmp_path):
    def write(array, name="x.npy"):
        np.save(tmp_path / name, array)
        return tmp_path / name

    return write


@pytest.mark.parametrize(("n", "share", "held"), [(10, 0.1, 1), (1797, 0.1, 180), (5, 0.1, 1),
    (2, 0.9, 1), (1, 0.5, 0), (8, 0.5, 4), (8, 0.0, 0)])  # fmt: skip
def test_rows_are_held_out_once_each_and_by_seed(n, share, held):
    kept, held_out = hold_out(n, share, seed=3)
    assert len(held_out) == held
    assert sorted([*kept, *held_out]) == list(range(n))
    np.testing.assert_array_equal(hold_out(n, share, seed=3)[1], held_out)
    if n > 1000:
        assert hold_out(n, share, seed=4)[1].tolist() != held_out.tolist()
        assert 0.4 < held_out.mean() / n < 0.6, "spread over all rows, for sorted sources"


@pytest.mark.smoke(5)
@pytest.mark.parametrize(
    ("array", "likelihood", "said"),
    [
        (RNG.random((30, 5)), "bernoulli", "all values lie in [0, 1]"),
        (RNG.integers(0, 2, (30, 5)).astype("u1"), "bernoulli", "all values lie in [0, 1]"),
        (RNG.random((30, 5)) > 0.5, "bernoulli", "all values lie in [0, 1]"),
        (RNG.integers(0, 256, (30, 4, 5)).astype("u1"), "bernoulli", "images of bytes"),
        (RNG.integers(0, 256, (30, 4, 5, 3)).astype("u1"), "bernoulli", "images of bytes"),
        (RNG.integers(0, 256, (30, 5)).astype("u1"), "gaussian", "outside [0, 1]"),
        (RNG.integers(0, 256, (30, 3, 4, 5)).astype("u1"), "gaussian", "bytes in rows"),
        (RNG.normal(size=(30, 5)), "gaussian", "outside [0, 1]"),
        (RNG.random((30, 5)) + 0.5, "gaussian", "outside [0, 1]"),
        (RNG.random((30, 5)) - 0.5, "gaussian", "outside [0, 1]"),
    ],
)
def test_the_likelihood_suits_the_data_and_is_told(train, npy, array, likelihood, said):
    out, config = train(npy(array))
    assert f"the likelihood is {likelihood}, since " in out
    assert said in out
    assert config["training"]["likelihood"] == config["model"]["likelihood"] or (
        config["model"]["likelihood"] == {"name": "gaussian", "scale": 1.0}
    )


def test_a_likelihood_given_is_taken_or_refused_but_not_changed(train, npy, refused, tmp_path):
    path = npy(RNG.random((30, 5)))
    out, config = train(path, "--likelihood", "gaussian")
    assert "the likelihood is" not in out
    assert config["training"]["likelihood"] == "gaussian"
    bad = npy(RNG.normal(size=(30, 5)), "y.npy")
    code_line = refused(
        "train", "--data", bad, "--likelihood", "bernoulli", "--quiet", "--out", tmp_path / "r"
    )
    assert "Bernoulli needs data in [0, 1]" in code_line


def test_columns_of_large_numbers_are_remarked_on(train, npy):
    assert "scaled columns (mean 0, deviation 1)" in train(npy(100 * RNG.normal(size=(30, 5))))[0]
    assert "scaled columns" not in train(npy(RNG.normal(size=(30, 5))))[0]


def test_a_number_that_is_none_is_found_where_it_is_in_the_file(refused, npy, tmp_path):
    x = RNG.random((2500, 5))
    x[2345, 3] = np.nan
    line = refused("train", "--data", npy(x), "--out", tmp_path / "run")
    assert "x.npy' needs finite numbers" in line
    assert "got nan in row 2345, column 3" in line
    assert not (tmp_path / "run").exists()


def test_defaults_of_other_data(train, npy):
    _, config = train(npy(RNG.normal(size=(30, 5))))
    settings = config["training"]
    assert (settings["z_dim"], settings["batch_size"], settings["lr"]) == (5, 32, 0.001)
    _, config = train(npy(RNG.normal(size=(30, 50))))
    assert config["training"]["z_dim"] == 20


@pytest.mark.smoke(4)
@pytest.mark.parametrize(
    ("array", "option", "shape"),
    [
        (RNG.random((30, 25)), None, [5, 5]),
        (RNG.random((30, 25)), "none", None),
        (RNG.random((30, 20)), "4,5", [4, 5]),
        (RNG.random((30, 20)), None, None),
        (RNG.normal(size=(30, 25)), None, None),
        (RNG.random((30, 6, 5)), None, [6, 5]),
        (RNG.random((30, 6, 5)), "none", None),
        (RNG.random((30, 6, 5)), "5,6", [5, 6]),
        (RNG.random((30, 4, 5, 3)), None, [4, 5, 3]),
        (RNG.random((30, 4, 5, 3)), "5,12", [5, 12]),
        (RNG.random((30, 48)), "4,4,3", [4, 4, 3]),
    ],
)
def test_rows_are_images_where_that_is_said_or_likely(train, npy, array, option, shape):
    out, config = train(npy(array), *(("--image-shape", option) if option else ()))
    assert config["image_shape"] == shape
    assert ("rows are drawn as images of 5 x 5" in out) == (shape == [5, 5])


@pytest.mark.slow
def test_colour_images_of_bytes_are_scaled_and_drawn_in_colour(npvae, npy, refused, tmp_path):
    images = RNG.integers(0, 256, (30, 4, 5, 3)).astype("u1")
    path, run = npy(images), tmp_path / "run"
    code, out, err = npvae("train --epochs 1 --hidden 4 --z-dim 2 --data", path, "--out", run)
    assert (code, err) == (0, "")
    assert "colour images of 4 x 5, 60 columns" in out
    model = nv.load(run)
    assert model.scale == 255
    for name in ("samples", "reconstructions", "interpolation", "manifold"):
        assert (run / f"{name}.png").stat().st_size > 3000
    assert npvae("reconstruct", run, "--out", tmp_path / "r.png").code == 0
    line = refused("train --image-shape 4,5 --data", path, "--out", tmp_path / "other")
    assert "got 4,5, which are 20. In colour it is 4,5,3." in line


def test_bytes_in_rows_are_images_where_that_is_said(train, npy):
    path = npy(RNG.integers(0, 256, (30, 60)).astype("u1"))
    for option, likelihood in (("6,10", "bernoulli"), ("4,5,3", "bernoulli"), ("none", "gaussian")):
        out, config = train(path, "--image-shape", option)
        assert config["training"]["likelihood"] == likelihood
        assert ("--image-shape H,W (H,W,3 in colour" in out) == (likelihood == "gaussian")


def test_the_names_of_columns_are_kept_for_later_commands(train, npvae, tmp_path):
    (tmp_path / "t.csv").write_text("age,height\n1,2\n3,4\n5,7\n")
    config = train(tmp_path / "t.csv")[1]
    assert config["columns"] == ["age", "height"]
    assert npvae("sample", tmp_path / "run", "--out", tmp_path / "s.csv").code == 0
    assert (tmp_path / "s.csv").read_text().splitlines()[0] == "age,height"


@pytest.mark.slow
def test_a_table_with_named_columns_is_no_image(train, tmp_path):
    names = ",".join(f"c{i}" for i in range(16))
    lines = [",".join(f"{v:.3f}" for v in row) for row in RNG.random((30, 16))]
    (tmp_path / "t.csv").write_text("\n".join([names, *lines]))
    assert train(tmp_path / "t.csv")[1]["image_shape"] is None


def test_a_single_row_trains_and_draws_without_validation(npvae, npy, tmp_path):
    path = npy(RNG.random((1, 5)))
    code, out, err = npvae("train --epochs 2 --hidden 4 --data", path, "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    assert "1 row to train on, none to validate" in out
    pictures = {picture.name for picture in (tmp_path / "run").glob("*.png")}
    assert pictures == {"loss.png", "samples.png", "reconstructions.png", "latent.png"}


def test_the_source_s_test_rows_validate_unless_a_share_is_held_out(train, npvae, tmp_path):
    x, x_test = RNG.random((30, 5)), RNG.random((12, 5))
    source = tmp_path / "both.npz"
    np.savez(source, x_train=x, x_test=x_test)
    out, config = train(source)
    assert "30 rows to train on, 12 to validate" in out
    assert config["training"]["holdout"] is None
    run = tmp_path / "run"
    model = nv.load(run / "model.npz")
    for split, rows in (("test", x_test), ("train", x), (None, x_test)):
        chosen = ("--split", split) if split else ()
        answer = npvae("evaluate", run, "--samples", 10, "--json", *chosen)
        assert json.loads(answer.out)["elbo"] == nv.metrics(model, rows, 10)["elbo"]
    assert "held no rows" in npvae("evaluate", run, "--split", "held-out").err
    out, _ = train(source, "--holdout", 0.5)
    assert "15 rows to train on, 15 to validate" in out


def test_the_columns_must_be_the_model_s(trained, refused, npy):
    line = refused("evaluate", trained, "--data", npy(RNG.random((9, 5))))
    assert "takes rows of 64 columns; " in line
    assert "x.npy' has 5" in line


@pytest.mark.slow
def test_a_model_file_alone_needs_data(trained, refused, npvae, tmp_path):
    alone = tmp_path / "alone.npz"
    alone.write_bytes((trained / "model.npz").read_bytes())
    assert "give --data digits or --data PATH" in refused("evaluate", alone)
    answer = npvae("evaluate", alone, "--data", "digits", "--samples", 5, "--json")
    assert json.loads(answer.out)["n"] == 1797
    beside = npvae("evaluate", trained / "model.npz", "--samples", 5, "--json")
    assert json.loads(beside.out)["elbo"] == json.loads(answer.out)["elbo"]


def test_a_config_of_another_model_is_not_believed(trained, npvae, tmp_path):
    (tmp_path / "config.json").write_bytes((trained / "config.json").read_bytes())
    nv.save(nv.VAE(9, 2, hidden=(4,)), tmp_path / "model.npz")
    assert "was trained on is not known" in npvae("evaluate", tmp_path).err
    assert "no config.json that describes this model" in npvae("info", tmp_path).out


@pytest.mark.parametrize(
    ("part", "value"),
    [("data", None), ("seed", "1"), ("epochs", None), ("holdout", "a tenth"), ("image_shape", 8),
     ("image_shape", ["8", "8"]), ("training", []), ("model", None), ("columns", [1])],
)  # fmt: skip
def test_a_config_that_was_edited_badly_is_refused(trained, refused, tmp_path, part, value):
    config = json.loads((trained / "config.json").read_text())
    (config if part in config else config["training"])[part] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.npz").write_bytes((trained / "model.npz").read_bytes())
    assert "config.json' is damaged, or is of another program" in refused("info", tmp_path)


def test_no_run_is_said_to_be_there(refused, tmp_path):
    assert f"'{tmp_path}' holds no model.npz" in refused("info", tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "holds no model.npz" in refused("sample", tmp_path)
