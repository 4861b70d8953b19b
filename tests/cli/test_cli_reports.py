"""``npvae evaluate``, ``verify`` and ``info``."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata

import numpy as np
import pytest

import npvae as nv
from npvae.cli.inputs import hold_out
from npvae.core import registered, resolve


def evaluated(npvae, run, *options):
    code, out, err = npvae("evaluate --json", run, *options)
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def test_evaluate_prints_what_metrics_finds(npvae, trained):
    x, _ = nv.datasets.digits()
    model = nv.load(trained / "model.npz")
    figures = evaluated(npvae, trained, "--samples", 20, "--seed", 3)
    expected = nv.metrics(model, x, n_samples=20, seed=3)
    assert {name: figures[name] for name in expected} == expected
    assert figures["elbo"] == pytest.approx(-figures["rec"] - figures["kl"])
    assert figures["elbo"] < figures["log_likelihood"]
    assert figures["data"] == "all 1,797 rows of digits (the model was trained on 1,617 of them)"


def test_the_table_has_the_same_numbers(npvae, trained):
    figures = evaluated(npvae, trained, "--samples", 20)
    code, out, err = npvae("evaluate --samples 20", trained)
    assert (code, err) == (0, "")
    assert "nats per example" in out
    for name, key in (
        ("ELBO", "elbo"),
        ("reconstruction", "rec"),
        ("KL", "kl"),
        ("log-likelihood", "log_likelihood"),
    ):
        assert re.search(rf"^  {name} +{re.escape(f'{figures[key]:.2f}')} ", out, re.MULTILINE)
    assert f"standard error over rows {figures['log_likelihood_se']:.2f}" in out
    assert re.search(rf"^  active units +{figures['active_units']} of 2 ", out, re.MULTILINE)


def test_the_gap_and_its_parts(npvae, trained, refused, tmp_path):
    options = ("--samples", 30, "--rows", 9, "--gap-rows")
    gap = evaluated(npvae, trained, *options, 4)["inference_gap"]
    assert gap["n"] == 4
    assert gap["gap"] == pytest.approx(gap["amortisation"] + gap["approximation"])
    assert evaluated(npvae, trained, *options, 99)["inference_gap"]["n"] == 9
    out = npvae("evaluate", trained, *options, 4).out
    assert re.search(rf"^  gap +{gap['gap']:.2f} +log-likelihood - ELBO of 4 rows", out, re.M)
    nv.save(nv.Autoencoder(64, 2), tmp_path / "a.npz")
    line = refused("evaluate", tmp_path / "a.npz", "--data", "digits", "--gap-rows", 4)
    assert "posterior='gaussian'" in line


def with_factors(folder, n):
    """Options for n digits, and a file of what made 100: whether they are odd, and large."""
    x, y = nv.datasets.digits()
    factors = np.stack([y % 2, y // 5], axis=1)[:100]
    np.savez(folder / "x.npz", x=x[:n])
    np.save(folder / "factors.npy", factors)
    options = f"--samples 5 --data {folder / 'x.npz'} --factors {folder / 'factors.npy'}"
    return options.split(), factors


@pytest.mark.slow
def test_factors_of_rows_are_scored_by_a_file_of_them(npvae, trained, tmp_path):
    options, factors = with_factors(tmp_path, 100)
    codes = nv.load(trained / "model.npz").encode(nv.datasets.digits()[0][:100])[0]
    out = npvae("evaluate", trained, *options).out
    names = {"mig": "MIG", "sap": "SAP", "dci": "DCI", "factor_vae": "FactorVAE"}
    for key, score in nv.disentanglement(codes, factors).items():
        assert re.search(rf"^  {names[key]} +{score:.3f} ", out, re.MULTILINE)


def test_factors_of_other_rows_are_refused(trained, refused, tmp_path):
    options, _ = with_factors(tmp_path, 9)
    line = refused("evaluate", trained, *options)
    assert "factors.npy' has 100, and the data 9. Leave out --rows" in line


def test_naive_monte_carlo_stands_beside_importance_samples(npvae, trained, refused, tmp_path):
    options = ("--samples", 30, "--naive")
    naive = evaluated(npvae, trained, *options)["naive"]
    log_p, _, effective = nv.log_likelihood(
        nv.load(trained / "model.npz"), nv.datasets.digits()[0], 30, diagnostics=True,
        proposal="prior",
    )  # fmt: skip
    assert naive["log_likelihood"] == pytest.approx(log_p.mean())
    assert naive["effective_samples"] == pytest.approx(np.median(effective))
    assert naive["few_effective"] == (effective < 10).sum()
    out = npvae("evaluate", trained, *options).out
    found = f"{naive['log_likelihood']:.2f} +log-likelihood from 30 draws of the prior per row"
    assert re.search(rf"^  naive +{found}", out, re.MULTILINE)
    nv.save(nv.Autoencoder(64, 2), tmp_path / "a.npz")
    line = refused("evaluate", tmp_path / "a.npz", "--data", "digits", "--naive")
    assert "naive Monte Carlo is a mean over p(z)" in line


@pytest.mark.slow
def test_what_the_codes_say_stands_in_table_and_json(npvae, trained):
    figures = evaluated(npvae, trained, "--samples", 20)
    x, y = nv.datasets.digits()
    model = nv.load(trained / "model.npz")
    assert figures["label_accuracy"] == nv.label_accuracy(model.encode(x)[0], y)
    assert figures["reconstruction_error"] == nv.reconstruction_error(model, x)
    (by_dimension,) = figures["kl_by_dimension"]
    assert sum(by_dimension) == pytest.approx(figures["kl"], rel=1e-5)
    assert figures["mutual_information"] <= figures["mutual_information_at_most"]
    out = npvae("evaluate --samples 20", trained).out
    for line in (
        rf"nearest label +{figures['label_accuracy']['nearest']:.1%} ",
        rf"linear label +{figures['label_accuracy']['linear']:.1%} ",
        rf"error +{figures['reconstruction_error']['rmse']:.3g} ",
        rf"KL by dim\. +{figures['kl']:.2f} ",
        rf"; at most {figures['mutual_information_at_most']:.2f}",
    ):
        assert re.search(line, out), line


def test_rows_that_the_model_was_trained_on_are_pointed_out(npvae, trained, tmp_path):
    flattered = "Rows that a model was trained on flatter it: "
    line = "evaluate --rows 9 --samples 2"
    assert npvae(line, trained).out.endswith(f"{flattered}--split held-out takes the others.\n")
    assert flattered not in npvae(line, trained, "--split", "held-out").out

    x = np.random.default_rng(0).random((9, 4))
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "both.npz", x_train=x, x_test=x)
    train = "train --quiet --no-plots --epochs 1 --hidden 4"
    npvae(train, "--data", tmp_path / "x.npy", "--holdout", 0, "--out", tmp_path / "a")
    same = tmp_path / ".." / tmp_path.name / "x.npy"
    out = npvae(line, tmp_path / "a", "--data", same).out
    assert f"all 9 rows of {same} (the model was trained on them)" in out
    assert out.endswith(f"{flattered}give others with --data.\n")
    assert flattered not in npvae(line, tmp_path / "a", "--data", tmp_path / "both.npz").out

    npvae(train, "--data", tmp_path / "both.npz", "--out", tmp_path / "b")
    assert flattered not in npvae(line, tmp_path / "b").out
    out = npvae(line, tmp_path / "b", "--split", "train").out
    assert "9 train rows of" in out
    assert out.endswith(f"{flattered}--split test takes others.\n")


def test_the_rows_held_out_are_those_that_validated(npvae, trained):
    x, _ = nv.datasets.digits()
    _, held_out = hold_out(len(x), 0.1, seed=0)
    figures = evaluated(npvae, trained, "--split", "held-out", "--samples", 20)
    model = nv.load(trained / "model.npz")
    assert figures["elbo"] == nv.metrics(model, x[held_out], 20)["elbo"]
    assert figures["data"] == "180 rows of digits held out in training"


def test_some_rows_are_drawn_by_seed_and_that_is_told(npvae, trained):
    options = ("--rows", 50, "--samples", 20, "--seed")
    one, again, other = (evaluated(npvae, trained, *options, seed) for seed in (1, 1, 2))
    assert one == again
    assert one["n"] == 50
    assert one["data"].startswith("50 of all 1,797 rows of digits")
    assert one["rec"] != other["rec"]


def test_a_single_row_has_no_standard_error(npvae, trained):
    assert evaluated(npvae, trained, "--rows", 1, "--samples", 20)["log_likelihood_se"] is None
    assert "standard error" not in npvae("evaluate --rows 1 --samples 20", trained).out


def test_numbers_that_are_not_finite_are_null(npvae, trained, monkeypatch):
    figures = {"n": 2, "elbo": float("nan"), "log_likelihood": float("-inf"), "rec": 1.5}
    monkeypatch.setattr("npvae.cli.measured.metrics", lambda *arguments, **options: figures)
    answer = evaluated(npvae, trained)
    assert (answer["n"], answer["rec"]) == (2, 1.5)
    assert (answer["elbo"], answer["log_likelihood"]) == (None, None)


class Verification:
    def __init__(self, ok):
        self.ok = ok

    def __str__(self):
        return "the table"

    def as_dict(self):
        return {"ok": self.ok, "worst": float("nan")}


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_verify_prints_the_proof_and_exits_with_1_where_it_fails(npvae, monkeypatch, ok, code):
    monkeypatch.setattr(nv.gradcheck, "verify", lambda: Verification(ok))
    assert npvae("verify") == (code, "the table\n", "")
    answer = npvae("verify --json")
    assert answer.code == code
    assert json.loads(answer.out) == {"ok": ok, "worst": None}


def test_info_lists_versions_kernels_and_names(npvae):
    code, out, err = npvae("info")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split(maxsplit=1)[-1] for line in out.splitlines()}
    assert lines["npvae"] == nv.__version__
    assert lines["numpy"] == np.__version__
    assert lines["matplotlib"] == metadata.version("matplotlib")
    assert lines["kernels"] == nv.kernels_in_use()
    assert int(lines["threads"]) >= 1


def test_info_lists_what_the_options_take_with_its_arguments(npvae):
    listed, option = {}, None
    for line in npvae("info").out.splitlines():
        option = line[:15].strip() or option
        listed.setdefault(option, []).append(line[15:])
    assert {"bernoulli", "gaussian:scale=1.0"} <= set(listed["--likelihood"])
    assert {"relu", "tanh"} <= set(listed["--activation"])
    assert "vamp:n_components=50" in listed["--prior"]
    assert {"gaussian", "planar:n=8,amortised=false"} <= set(listed["--posterior"])
    assert {
        "elbo:beta=1.0,n_samples=1,free_bits=0.0,capacity=none,free_bits_per=dimension,level_betas=none",
        "iwae:n_samples=5",
        "renyi:alpha=0.5,n_samples=5",
    } <= set(listed["--objective"])
    for option in ("--likelihood", "--posterior", "--prior", "--objective"):
        parts = registered(option[2:])  # those that other tests define as well
        for name in listed[option]:
            plain = name.partition(":")[0]
            ours = parts[plain].__module__.startswith("npvae.")
            if ours and plain not in ("mixed", "flow", "flowed", "transformed"):
                resolve(option[2:], name)


def test_info_says_what_is_missing_and_how_to_get_it(npvae, monkeypatch):
    for package in ("matplotlib", "tqdm", "threadpoolctl"):
        monkeypatch.setitem(sys.modules, package, None)
    out = npvae("info").out
    assert "matplotlib     not installed: pip install matplotlib" in out
    assert "tqdm           not installed: pip install tqdm" in out
    assert "threadpoolctl  not installed: pip install threadpoolctl" in out


def test_info_of_a_run(npvae, trained):
    code, out, err = npvae("info", trained)
    assert (code, err) == (0, "")
    n_params = nv.load(trained / "model.npz").n_params
    assert f"model          vae, {n_params:,} parameters" in out
    for line in ("x_dim        64", "hidden       16", "data         digits", "epochs       3"):
        assert f"\n  {line}\n" in out
    assert "objective      elbo:beta=1.0,n_samples=1,free_bits=0.0\n" in out
    last = (trained / "history.csv").read_text().splitlines()[-1].split(",")
    assert f"last losses    epoch 3/3  loss {float(last[1]):.2f}, " in out
    assert f"valid loss {float(last[4]):.2f}" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "captured as a whole"),
        ({"dtype": "float64"}, "eager: the weights are float64, and compiled steps are float32"),
    ],
    ids=str,
)
def test_info_says_how_a_run_trains(npvae, tmp_path, monkeypatch, options, said):
    monkeypatch.setattr("npvae.kernels.choice._chosen", None)
    nv.save(nv.VAE(4, 2, hidden=(3,), **options), tmp_path / "model.npz")
    code, out, err = npvae("info", tmp_path / "model.npz")
    assert (code, err) == (0, "")
    assert re.search(rf"^steps +{said}$", out, re.MULTILINE)
