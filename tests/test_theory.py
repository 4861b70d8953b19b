"""The programs of examples/theory: what their tables say is true, and docs/theory.md shows them."""

from __future__ import annotations

import importlib
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.gradcheck import linear_gaussian

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "theory"
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")


@pytest.fixture
def program(monkeypatch):
    """A program by its name, as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def drawn(module, found, *names):
    """What a program found, if its table and its pictures can be drawn of it."""
    assert len(module.table(found).splitlines()) > 3
    with nv.plots.house_style():
        figures = [getattr(module, name)(found) for name in names or ("picture",)]
    for figure in figures:
        figure.savefig(BytesIO())
        assert figure.get_suptitle()
    return found


def half_slope(ks, errors, sign=-1):
    return abs(np.polyfit(np.log(ks), np.log(errors), 1)[0] - sign / 2) < 0.1


@pytest.mark.slow
def test_monte_carlo_nears_the_closed_kl_as_one_over_root_k(program):
    kl = program("kl")
    found = drawn(kl, kl.measure(quick=True))
    error = found["deviation"] / np.sqrt(len(found["draws"]))
    assert abs(found["draws"].mean() - found["exact"]) < 4 * error
    assert half_slope(kl.KS, found["errors"])
    assert np.isclose(found["draws"].std(), found["deviation"], rtol=0.02)
    ours = kernels.gaussian_kl(kl.MU[None], kl.LOGVAR[None]).sum()
    assert np.isclose(ours, found["exact"], rtol=1e-12)


@pytest.mark.slow
def test_the_evidence_is_met_by_every_proposal_and_best_by_the_encoders(program):
    evidence = program("evidence")
    found = drawn(evidence, evidence.measure(quick=True))
    assert abs(found["exact"] - found["coarse"]) < 1e-6  # the quadrature has converged
    for way in found["ways"].values():
        assert abs(way["mean"] - 1) < 4 * way["standard error"]
        assert half_slope(evidence.KS, way["errors"])
    uniform, prior, encoder = (found["ways"][way]["effective"] for way in evidence.WAYS)
    assert uniform < prior < encoder
    sixteen = found["sixteen"]
    assert sixteen["prior"][0] < sixteen["elbo"] - 10 < sixteen["posterior"][0] - 10
    assert sixteen["prior"][1] < 2


def test_the_bound_and_its_gap_are_exact_on_the_linear_model(program):
    elbo = program("elbo")
    found = drawn(elbo, elbo.measure(quick=True))
    for mean, error in found["of K"]:
        assert abs(mean - found["exact"]) < 4 * error
    assert np.allclose(found["elbo"] + found["gap"], found["log_p"], rtol=0, atol=1e-12)
    assert (np.diff(found["elbo"]) > 0).all()
    assert abs(found["gap"][-1]) < 1e-12
    known = linear_gaussian.LinearGaussian(elbo.W, elbo.B, elbo.S**2)
    assert np.isclose(known.log_px(elbo.X[None])[0], found["log_p"], rtol=1e-12)
    assert np.allclose(known.posterior_mean(elbo.X[None])[0], elbo.posterior(elbo.X)[0])


@pytest.mark.slow
def test_both_gradients_are_unbiased_and_one_is_steadier(program):
    gradient = program("gradient")
    found = drawn(gradient, gradient.measure(quick=True))
    for by, wanted in found["exact"].items():
        for draws in found["draws"].values():
            error = draws[by].std(0) / np.sqrt(len(draws[by]))
            assert (np.abs(draws[by].mean(0) - wanted) < 4 * error).all()
        variances = {name: draws[by].var(0).mean() for name, draws in found["draws"].items()}
        assert variances["score"] > 50 * variances["pathwise"]
    mu, logvar, a = gradient.problem(gradient.Z)
    var = np.exp(logvar)  # of the pathwise draws both variances are known
    pathwise = found["draws"]["pathwise"]
    assert np.allclose(pathwise["mu"].var(0), var, rtol=0.05)
    assert np.allclose(pathwise["logvar"].var(0), var / 4 * ((mu - a) ** 2 + 2 * var), rtol=0.1)


@pytest.mark.slow
def test_sixty_lines_of_numpy_have_npvaes_losses(program):
    scratch = program("scratch")
    found = drawn(scratch, scratch.measure(quick=True))
    assert max(found["errors"].values()) < 1e-10
    assert np.abs(np.diff(found["losses"])).max() < 1e-7  # the bend of the log-variance
    assert found["losses"][-1, 0] < found["losses"][0, 0] - 5
    lines = (FOLDER / "scratch.py").read_text(encoding="utf-8").split("# ----")[1].splitlines()[1:]
    assert 40 < sum(bool(line.strip()) for line in lines) <= 60


@pytest.mark.slow
def test_each_term_alone_loses_what_the_other_keeps(program):
    terms = program("terms")
    found = drawn(terms, terms.measure(quick=True), "planes", "betas")
    rec, kl, both = (found["planes"][name] for name in terms.OBJECTIVES)
    assert kl["kl"] < 0.2 < both["kl"] < rec["kl"]
    assert max(rec["error"], both["error"]) < kl["error"]
    assert both["kl"] + both["rec"] < min(rec["kl"] + rec["rec"], kl["kl"] + kl["rec"])
    betas = list(found["betas"].values())
    assert (np.diff([b["kl"] for b in betas]) < 0).all()
    assert (np.diff([b["error"] for b in betas]) > 0).all()


@pytest.mark.slow
def test_an_autoencoders_codes_lie_where_they_like(program):
    autoencoder = program("autoencoder")
    found = drawn(autoencoder, autoencoder.measure(quick=False))
    plain, vae = found["autoencoder"], found["VAE"]
    assert plain["error"] < vae["error"] < plain["error"] * 1.3
    assert plain["codes"].var() > 1.3 > vae["codes"].var()
    assert found["nearest"] < vae["nearest"] < plain["nearest"]


@pytest.mark.slow
def test_rate_falls_and_distortion_rises_with_beta(program):
    module = program("rate_distortion")
    found = drawn(module, module.measure(quick=True))
    for rate, distortion in (points.T for points in found.values()):
        assert (np.diff(rate) < 0).all()
        assert (np.diff(distortion) > 0).all()


@pytest.mark.slow
def test_refining_closes_the_encoders_gap(program):
    inference = program("inference")
    found = drawn(inference, inference.measure(quick=True))
    _, alone = found["encoder"]
    ours, others = (
        np.array(found[start])[:, 1] for start in ("from the encoder", "from the prior")
    )
    assert alone < ours[0]
    assert (np.diff(ours) > 0).all()
    assert (np.diff(others) > 0).all()
    assert (others < ours).all()
    assert ours[-1] < found["log_p"]


@pytest.mark.slow
def test_iwaes_signal_to_noise_falls_as_dregs_rises(program):
    dreg = program("dreg")
    found = drawn(dreg, dreg.measure(quick=True))
    ks = dreg.KS[2:]
    assert half_slope(ks, dreg.ratio(found, "IWAE")[2:])
    assert half_slope(ks, dreg.ratio(found, "DReG")[2:], sign=1)
    (a, b), (c, d) = found["IWAE"].swapaxes(0, 1), found["DReG"].swapaxes(0, 1)
    assert (np.abs(a - c) < 4 * np.sqrt((b**2 + d**2) / found["n"])).all()


@pytest.mark.slow
def test_a_program_prints_its_table_and_writes_its_pictures(program, tmp_path, capsys):
    terms, folder = program("terms"), tmp_path / "new"
    named = {"terms": terms.planes, "betas": terms.betas}
    arguments = ["--quick", "--out", str(folder)]
    program("program").run(terms.__doc__, terms.measure, terms.table, named, arguments)
    assert "β = 16" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {"terms.png", "betas.png"}


def test_the_page_shows_the_code_as_it_is():
    """Each block that begins with a file's name has lines of that file."""
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 7
    for path, block in blocks:
        lines = {line.strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines()}
        for line in filter(None, map(str.strip, block.splitlines())):
            assert line in lines, f"docs/theory.md: {path} has no line {line!r}"


@pytest.mark.slow
def test_the_page_shows_what_the_checker_says_of_each_slip(program, capsys):
    slips = program("slips")
    slips.main([])
    said = [
        line
        for line in capsys.readouterr().out.splitlines()
        if re.match(r"\w+, .*\((central|complex)", line)
    ]
    assert len(said) == len(slips.cases())
    shown = " ".join(PAGE.split())
    for line in said:
        assert line in shown, f"docs/theory.md lacks {line!r}"
