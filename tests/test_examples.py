"""The examples refuse at once what would be lost after training."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import npvae as nv

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("folder.png", "it takes a file to write; got the folder"),
        ("none/beta.png", "to write in; make it first"),
        ("beta.gif", "a file that ends in .png, .svg, .pdf"),
    ],
)
def test_beta_checks_its_output_before_it_trains(tmp_path, out, said, monkeypatch, capsys):
    (tmp_path / "folder.png").mkdir()
    monkeypatch.setattr(sys, "argv", ["beta.py", "nowhere", "--out", str(tmp_path / out)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLES / "beta.py"), run_name="__main__")
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


PUBLISHED = {"U1": 1.87750162, "U2": 2.08208934, "U3": 2.64170513, "U4": 2.68456763}


@pytest.fixture(scope="module")
def energies():
    return runpy.run_path(str(EXAMPLES / "flows_energies.py"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_energies_have_the_known_integrals_and_their_gradients(energies, name):
    """log Z by another quadrature on the window, and central differences."""
    energy = energies["ENERGIES"][name]
    assert energies["log_z"](energy) == pytest.approx(PUBLISHED[name], abs=1e-6)
    z, h = np.random.default_rng(0).uniform(-3.5, 3.5, (20, 2)), 1e-5
    for i, step in enumerate(h * np.eye(2)):
        slope = (energy(z + step)[0] - energy(z - step)[0]) / (2 * h)
        np.testing.assert_allclose(energy(z)[1][:, i], slope, rtol=1e-6, atol=1e-6)


def test_the_divergence_from_an_energy_by_quadrature_is_that_by_draws(energies):
    """It is what 400,000 draws give, to five of their standard errors."""
    q = energies["Made"](["planar"])
    energies["bind"](q, np.zeros(9))
    q.posterior.flows[0].w[...], q.posterior.flows[0].u[...] = [1.0, 0.0], [0.5, 0.0]

    def energy(z):
        return 0.5 * (z**2).sum(-1) / 2, 0.5 * z

    kl, inside = energies["divergence"](q, energy)
    drawn = np.random.default_rng(0).normal(size=(400_000, 2))
    (z, log_q), _ = q.forward(drawn)
    kept = (np.abs(z) < 4).all(-1)
    terms = (log_q + energy(z)[0])[kept] + energies["log_z"](energy) - np.log(kept.mean())
    assert inside == pytest.approx(kept.mean(), abs=1e-3)
    assert kl == pytest.approx(terms.mean(), abs=5 * terms.std() / np.sqrt(len(terms)))


@pytest.mark.slow
def test_naive_monte_carlo_says_less_than_the_encoders_draws(monkeypatch, capsys):
    """On rows like MNIST's: of the prior's draws hardly one counts, and log p(x) is too low."""
    x = np.random.default_rng(0).integers(2, size=(600, 784), dtype=np.uint8) * 255
    x[:, ::2] = x[:, :1]  # half of the pixels go together, so that z has something to say
    monkeypatch.setattr(nv.datasets, "load", lambda folder, split: (x, None))
    monkeypatch.setattr(sys, "argv", ["naive_mnist.py", "x", "--epochs", "20", "--rows", "5"])
    runpy.run_path(str(EXAMPLES / "naive_mnist.py"), run_name="__main__")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    said = {
        (line[0], line[1]): float(line[2]) for line in lines if line[0] in ("prior", "posterior")
    }
    assert len(said) == 5
    assert said["prior", "100"] < said["posterior", "100"]


@pytest.fixture(scope="module")
def strokes():
    return runpy.run_path(str(EXAMPLES / "strokes.py"))


@pytest.mark.parametrize("width", [2, 3, 5])
def test_a_bars_thickness_is_its_width(strokes, width):
    """Its ends belong to the outline as well: 2 · area / outline is w l / (w + l)."""
    image = np.zeros((1, 28, 28))
    image[0, 4:24, 10 : 10 + width] = 1
    expected = 20 * width / (20 + width)
    assert strokes["thickness"](image.reshape(1, -1))[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("degrees", [-30, 0, 20])
def test_a_sheared_bars_slant_is_its_angle(strokes, degrees):
    down, across = np.mgrid[:28, :28]
    centre = 13.5 + (13.5 - down) * np.tan(np.radians(degrees))
    image = np.clip(2.5 - np.abs(across - centre), 0, 1) * (abs(down - 13.5) < 9)
    assert strokes["slant"](image.reshape(1, -1))[0] == pytest.approx(degrees, abs=0.5)


def test_above_the_median_is_half_of_each_group(strokes):
    values, group = np.arange(40.0), np.repeat([0, 1], 20)
    above = strokes["above_median"](values, group)
    assert above.reshape(2, 20).sum(1).tolist() == [10, 10]
    assert above[10:20].all()


def test_faces_are_cut_where_they_lie_alike():
    """Pictures of one face, moved by known pixels: their squares move as it does."""
    example = runpy.run_path(str(EXAMPLES / "faces.py"))
    rng = np.random.default_rng(0)
    scene = example["smooth"](rng.random((1, 140, 120)), 5)[0]
    starts = 14 + rng.integers(-3, 4, (12, 2)) * np.array([2, 1])
    images = np.stack([scene[i : i + 112, j : j + 92] for i, j in starts])
    squares = example["windows"](images, np.arange(12) > 1)
    places = squares[:, :2] + squares[:, 2:] / 2 + starts
    assert np.ptp(places, axis=0).max() <= 3
    whole = example["faces"](images, np.tile([10, 0, 92], (12, 1)), 92).reshape(12, 92, 92)
    np.testing.assert_allclose(whole, images[:, 10:102], atol=1e-6)
