"""``npvae sample``, ``reconstruct``, ``interpolate`` and ``latent``."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

import npvae as nv

COMMANDS = ("sample", "reconstruct", "interpolate", "traverse", "latent")


@pytest.fixture
def model(trained):
    return nv.load(trained / "model.npz")


@pytest.fixture(scope="module")
def x():
    return nv.datasets.digits()[0]


@pytest.fixture
def written(npvae, trained, tmp_path):
    """Run a command on the shared run; returns the array that it wrote."""

    def call(command, *options):
        out = tmp_path / "out.npy"
        code, said, err = npvae(command, trained, "--out", out, *options)
        assert (code, err) == (0, "")
        assert said.startswith(f"{out}: ")
        assert said.count("\n") == 1
        return np.load(out, allow_pickle=False)

    return call


def test_sample_gives_the_model_s_samples(written, model):
    np.testing.assert_array_equal(written("sample", "-n", 7), model.sample(7, seed=0))
    np.testing.assert_array_equal(written("sample", "-n", 7, "--seed", 5), model.sample(7, seed=5))


def test_reconstruct_gives_every_row_in_its_order(written, model, x):
    np.testing.assert_array_equal(written("reconstruct", "-n", 3), model.reconstruct(x))


def test_latent_gives_posterior_means_in_the_order_of_the_rows(written, model, x):
    np.testing.assert_array_equal(written("latent"), model.encode(x)[0])


def test_interpolate_walks_straight_from_row_to_row(written, model, x):
    walks = written("interpolate", "--pairs", 4, "--steps", 5)
    assert walks.shape == (4, 5, 64)
    reconstructions = model.reconstruct(x)
    mu, _ = model.encode(x)
    for walk in walks:
        first, last = (np.abs(reconstructions - end).max(1).argmin() for end in walk[[0, -1]])
        assert first != last
        line = np.linspace(mu[first], mu[last], 5)
        np.testing.assert_allclose(walk, model.decode(line), atol=1e-5)


def test_interpolate_walks_along_arcs_where_it_is_asked_to(written, model, x):
    straight = written("interpolate", "--pairs", 2, "--steps", 5)
    arcs = written("interpolate", "--pairs", 2, "--steps", 5, "--spherical")
    np.testing.assert_allclose(arcs[:, [0, -1]], straight[:, [0, -1]], atol=1e-6)
    a, b = (np.abs(model.reconstruct(x) - end).max(1).argmin() for end in straight[0, [0, -1]])
    want = nv.interpolate(model, x[a], x[b], steps=5, spherical=True)
    np.testing.assert_allclose(arcs[0], want, atol=1e-5)


def test_traverse_changes_one_dimension_after_the_other(written, model, x):
    mu, _ = model.encode(x)
    values = np.linspace(-3, 3, 11)
    busiest = np.argsort(-mu.var(0))
    np.testing.assert_allclose(
        written("traverse"), nv.traverse(model, mu.mean(0), busiest, values), atol=1e-5
    )
    one = written("traverse", "--dims", 1, "--values=0..2", "--steps", 3, "--row", 7)
    np.testing.assert_allclose(one, nv.traverse(model, mu[7], [1], [0, 1, 2]), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--dims 9", "--dims are some of 0 to 1; got 9"),
        ("--dims=-1", "whole numbers, 0 or more, with commas"),
        ("--values 3", "such as -3..3"),
        ("--values 0..b", "a finite number"),
        ("--row 99999", "counted from 0; got 99999"),
    ],
)
def test_traverse_refuses_what_is_not_there(refused, trained, tmp_path, options, said):
    assert said in refused(f"traverse {options}", trained, "--out", tmp_path / "t.npy")


def test_attribute_adds_what_other_rows_have(written, model, x):
    _, y = nv.datasets.digits()
    walks = written("attribute --has label=7", "-n", 3, "--steps", 4, "--strength=-1..2")
    assert walks.shape == (3, 4, 64)
    vector = nv.attribute_vector(model, x, y == 7)
    mu, _ = model.encode(x)
    at_0, reconstructions = walks[:, 1], model.reconstruct(x)
    for walk, start in zip(walks, at_0, strict=True):
        row = np.abs(reconstructions - start).max(1).argmin()
        assert y[row] != 7
        z = mu[row] + np.array([-1, 0, 1, 2])[:, None] * vector
        np.testing.assert_allclose(walk, model.decode(z), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "the following arguments are required: --has"),
        ("--has 7", "--has takes NAME=VALUE with commas between; got '7'"),
        ("--has label=77", "no row has the label '77'"),
        ("--has town=Paris", "--has takes label=VALUE here"),
        ("--has label=2 --rows 1", "rows that have it from rows that have not; of 1 rows"),
    ],
)
def test_attribute_refuses_what_is_none(refused, trained, tmp_path, options, said):
    assert said in refused(f"attribute {options}", trained, "--out", tmp_path / "a.npy")


def test_attributes_of_a_table_are_cells_that_are_known(npvae, refused, tmp_path):
    rng = np.random.default_rng(0)
    ages = rng.integers(18, 90, 80)
    lines = [f"{a},{'AB'[int(a > 50)]},{a + rng.normal():.2f}" for a in ages]
    lines[3] = f"{ages[3]},,1.5"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["age,town,w", *lines]) + "\n")
    run = tmp_path / "run"
    assert npvae(f"train {path} --quiet --epochs 2 --no-plots --out {run}").code == 0
    model, table = nv.load(run), nv.tables.read(path)
    for said, has, known in (
        ("town=B", table.x[:, 1] == 1, np.arange(80) != 3),
        ("age=60..", ages >= 60, np.ones(80, bool)),
        ("age=60..,town=B", (ages >= 60) & (table.x[:, 1] == 1), np.arange(80) != 3),
    ):
        out = tmp_path / "a.npy"
        code, text, _ = npvae(f"attribute {run} --out {out} -n 99 --steps 2 --has {said}")
        assert code == 0
        assert f"{said.replace(',', ', ')}, as {(has & known).sum()} of " in text
        vector = nv.attribute_vector(model, table.x[known], has[known])
        z = model.centres(table.x[known & ~has])[0]
        np.testing.assert_allclose(
            np.load(out)[:, 1], nv.tables.guess(model, z + vector), rtol=1e-4, atol=1e-4
        )
    assert "no label 'C'" in refused(f"attribute {run} --has town=C")
    assert "no column 'twon'; did you mean" in refused(f"attribute {run} --has twon=B")
    assert npvae(f"attribute {run} --has town=B --out {tmp_path / 'a.png'}").code == 0


def test_pairs_are_drawn_by_seed_from_the_rows_that_are_chosen(written, model, x):
    one, again, other = (written("interpolate", "--seed", seed) for seed in (1, 1, 2))
    assert one.shape == (8, 10, 64)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    ends = written("interpolate", "--rows", 2, "--pairs", 9)[:, [0, -1]]
    assert len(np.unique(ends.reshape(18, 64).round(4), axis=0)) == 2
    assert (np.abs(ends[:, 0] - ends[:, 1]).max(1) > 1e-3).all(), "never from a row to itself"


def test_a_table_has_a_header_all_digits_and_the_labels(npvae, trained, model, x, tmp_path):
    _, y = nv.datasets.digits()
    out = tmp_path / "latent.csv"
    assert npvae("latent", trained, "--out", out).code == 0
    with open(out, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["z0", "z1", "label"]
    assert [int(row[2]) for row in rows] == y.tolist()
    values = np.array([row[:2] for row in rows], np.float32)
    np.testing.assert_array_equal(values, model.encode(x)[0])
    # And npvae reads its own table.
    data = nv.datasets.read(out)
    np.testing.assert_array_equal(data.x, values)
    np.testing.assert_array_equal(data.y, y)


def test_rows_that_are_drawn_keep_their_labels_and_their_order(npvae, trained, model, x, tmp_path):
    _, y = nv.datasets.digits()
    mu, _ = model.encode(x)
    drawn = {}
    for seed in (1, 2):
        out = tmp_path / f"{seed}.csv"
        assert npvae("latent --rows 20 --seed", seed, trained, "--out", out).code == 0
        data = nv.datasets.read(out)
        rows = [np.abs(mu - z).max(1).argmin() for z in data.x]
        assert rows == sorted(set(rows))
        np.testing.assert_array_equal(data.y, y[rows])
        drawn[seed] = rows
    assert len(drawn[1]) == len(drawn[2]) == 20
    assert drawn[1] != drawn[2]


def test_reconstructions_keep_the_names_of_the_columns(npvae, tmp_path):
    (tmp_path / "x.csv").write_text("age,height\n1,2\n3,4\n5,7\n")
    nv.save(nv.VAE(2, 1, hidden=(), likelihood="gaussian"), tmp_path / "m.npz")
    out = tmp_path / "x_hat.csv"
    code = npvae("reconstruct", tmp_path / "m.npz", "--data", tmp_path / "x.csv", "--out", out).code
    assert code == 0
    assert out.read_text().splitlines()[0] == "age,height"
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("command", "suffix", "start"),
    [("sample", ".svg", b"<?xml"), ("reconstruct", ".pdf", b"%PDF"),
     ("interpolate", ".PNG", b"\x89PNG"), ("latent", ".svg", b"<?xml"),
     ("latent", ".pdf", b"%PDF")],
)  # fmt: skip
def test_pictures(npvae, trained, tmp_path, command, suffix, start):
    out = tmp_path / f"picture{suffix}"
    assert npvae(command, trained, "--out", out).code == 0
    assert out.read_bytes().startswith(start)
    assert out.stat().st_size > 3000


@pytest.mark.smoke(2)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_picture_has_a_name_by_default(npvae, trained, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert npvae(command, trained).code == 0
    name = {"reconstruct": "reconstructions", "sample": "samples", "interpolate": "interpolation"}
    name["traverse"] = "traversal"
    (out,) = tmp_path.iterdir()
    assert out.name == f"{name.get(command, command)}.png"
    assert out.read_bytes().startswith(b"\x89PNG")
    assert out.stat().st_size > 3000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "commands"), [(5, ()), pytest.param(90, COMMANDS, marks=pytest.mark.slow)]
)
def test_pictures_of_rows_that_are_no_images(npvae, tmp_path, columns, commands):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", x=rng.normal(size=(40, columns)), y=rng.integers(0, 2, 40))
    run = tmp_path / "run"
    answer = npvae(
        "train --quiet --epochs 1 --hidden 4 --z-dim 1 --data", tmp_path / "t.npz", "--out", run
    )
    assert answer == (0, "", "")
    for name in ("samples", "reconstructions", "latent", "interpolation"):
        assert (run / f"{name}.png").stat().st_size > 3000
    assert not (run / "manifold.png").exists()
    for command in commands:
        assert npvae(command, run, "--out", tmp_path / "p.png").code == 0


def test_the_image_shape_is_the_run_s_or_given(npvae, trained, refused, tmp_path):
    out = tmp_path / "p.png"
    npvae("sample", trained, "--out", out)
    as_trained = out.read_bytes()
    npvae("sample --image-shape 4,16", trained, "--out", out)
    assert out.read_bytes() != as_trained
    npvae("sample --image-shape 8,8", trained, "--out", out)
    assert out.read_bytes() == as_trained
    assert "64; got 8,9" in refused("sample --image-shape 8,9", trained, "--out", out)


def test_one_row_is_no_pair(refused, trained, tmp_path):
    line = refused("interpolate --rows 1", trained, "--out", tmp_path / "i.npy")
    assert "needs two rows" in line
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_arrays_are_written_and_pictures_refused(
    npvae, trained, refused, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert npvae("sample", trained, "--out", tmp_path / "s.npy").code == 0
    line = refused("sample", trained, "--out", tmp_path / "s.png")
    assert "pip install matplotlib" in line
