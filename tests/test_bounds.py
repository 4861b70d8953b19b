"""Rényi's bound, MIWAE, CIWAE and STL against explicit loops, limits and exact values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import special

import npvae as nv
from npvae.core import LevelTerms, Terms, resolve
from npvae.gradcheck import check_gradients
from npvae.gradcheck.linear_gaussian import (
    LinearGaussian,
    encode_posterior,
    linear_vae,
    log_overlap,
)

B = 4
ALPHAS = (-math.inf, -2.0, -0.1, 0.0, 0.5, 1.0, 1.5, 3.0, math.inf)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def terms_of(rng, samples, levels=1, weights=None, spread=1.0):
    log_px = rng.normal(-90, 3 * spread, (samples, B))
    log_pz, log_qz = rng.normal([[[[-7]]], [[[-4]]]], spread, (2, levels, samples, B))
    densities = zip(log_pz, log_qz, strict=True)
    return Terms(log_px, [LevelTerms(log_pz=p, log_qz=q) for p, q in densities], weights=weights)


def renyi_by_scipy(log_w, alpha):
    """Of one row's K weights, and the weights' shares of its gradient."""
    if alpha == 1:
        return np.mean(log_w), np.full(len(log_w), 1 / len(log_w))
    if math.isinf(alpha):
        best = int(np.argmin(log_w) if alpha > 0 else np.argmax(log_w))
        return log_w[best], np.eye(len(log_w))[best]
    power = 1 - alpha
    bound = (special.logsumexp(power * log_w) - math.log(len(log_w))) / power
    return bound, special.softmax(power * log_w)


def check(objective, terms, of_row):
    """The losses and gradients, where `of_row` gives one row's bound and shares."""
    losses, d_terms = objective(terms)
    weights = np.ones(B) if terms.weights is None else terms.weights
    rows = [of_row(terms.log_w[:, b]) for b in range(B)]
    loss = -np.mean([w * bound for w, (bound, _) in zip(weights, rows, strict=True)])
    shares = np.stack([w * s for w, (_, s) in zip(weights, rows, strict=True)], axis=1)
    rec = -(weights * terms.log_px).mean()
    np.testing.assert_allclose(list(losses.values()), (loss, rec, loss - rec), rtol=1e-12)
    assert tuple(losses) == ("loss", "rec", "kl")
    np.testing.assert_allclose(d_terms.log_px, -shares / B, rtol=1e-10, atol=1e-15)
    assert len(d_terms.levels) == len(terms.levels)
    for d_level in d_terms.levels:
        np.testing.assert_array_equal(d_level.log_pz, d_terms.log_px)
        np.testing.assert_array_equal(d_level.log_qz, -d_terms.log_px)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("samples", [1, 2, 7])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_renyi(alpha, samples, levels, rng):
    weights = rng.random(B) if levels == 2 else None
    terms = terms_of(rng, samples, levels, weights)
    check(nv.Renyi(alpha, samples), terms, lambda log_w: renyi_by_scipy(log_w, alpha))


def test_renyi_at_0_is_iwae_and_at_1_the_sampled_elbo(rng):
    terms = terms_of(rng, 5)
    for alpha, other in ((0, nv.IWAE(5)), (1, nv.ELBO(n_samples=5))):
        losses, d_terms = nv.Renyi(alpha, 5)(terms)
        wanted, d_wanted = other(terms)
        np.testing.assert_allclose(list(losses.values()), list(wanted.values()), rtol=1e-13)
        np.testing.assert_allclose(d_terms.log_px, d_wanted.log_px, rtol=1e-12)


@pytest.mark.parametrize("off", [1e-3, 1e-6, 1e-9, -1e-9])
def test_renyi_near_1_loses_no_digits(off, rng):
    """There 1/(1 - α) would magnify what rounding takes of a logarithm near 0."""
    terms = terms_of(rng, 6)
    log_w, power = terms.log_w, -off
    spread = log_w - log_w.mean(0)
    cumulants = (spread**2).mean(0) / 2, (spread**3).mean(0) / 6
    series = log_w.mean(0) + power * cumulants[0] + power**2 * cumulants[1]
    left = 100 * abs(power) ** 3 * (np.abs(spread).max() ** 4)
    assert nv.Renyi(1 + off, 6)(terms)[0].loss == pytest.approx(-series.mean(), abs=1e-12 + left)


def test_renyi_falls_as_alpha_grows(rng):
    terms = terms_of(rng, 7)
    losses = [nv.Renyi(alpha, 7)(terms)[0].loss for alpha in ALPHAS]
    assert (np.diff(losses) > 0).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_renyi_where_the_posterior_is_exact(alpha):
    """All weights are p(x): every Rényi bound is log p(x)."""
    rng = np.random.default_rng(0)
    model = linear_vae(rng, x_dim=5, z_dim=2, scale=0.7, axes=True)
    encode_posterior(model)
    x = rng.normal(size=(3, 5))
    loss, _ = nv.value_and_grad(model, nv.Renyi(alpha, 4), x, model.draw_noise(3, 4, rng))
    assert loss == pytest.approx(-LinearGaussian.of(model).log_px(x).mean(), rel=1e-7)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("alpha", [-1.0, 0.3, 0.5, 2.0])
def test_renyi_of_many_samples_is_the_exact_bound(alpha):
    """On the linear model ∫ p(z given x)^(1-α) q(z)^α is a Gaussian integral."""
    rng, samples = np.random.default_rng(1), 400_000
    model = linear_vae(rng, x_dim=5, z_dim=2, scale=0.9, axes=True)
    encode_posterior(model)
    model.params["encoder.layers.0.b"][...] += [0.2, -0.1, -0.3, 0.1]
    x, exact = rng.normal(size=(1, 5)), LinearGaussian.of(model)
    mu, logvar = model.encode(x)
    overlap = log_overlap(
        1 - alpha, exact.posterior_mean(x)[0], exact.precision, mu[0], np.diag(np.exp(-logvar[0]))
    )
    bound = exact.log_px(x)[0] + overlap / (1 - alpha)
    eps = model.draw_noise(1, samples, rng)
    needs = nv.Renyi().needs
    terms, _ = model.forward(x, eps, needs=needs)
    powers = np.exp((1 - alpha) * (terms.log_w[:, 0] - exact.log_px(x)[0]))
    error = powers.std() / powers.mean() / math.sqrt(samples) / abs(1 - alpha)
    assert error < 0.02
    assert -nv.Renyi(alpha, samples)(terms)[0].loss == pytest.approx(bound, abs=4 * error)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize(("m", "k"), [(1, 1), (1, 5), (4, 1), (3, 4)])
def test_miwae(m, k, levels, rng):
    weights = rng.random(B) if levels == 2 else None
    terms = terms_of(rng, m * k, levels, weights)

    def of_row(log_w):
        groups = [log_w[i * k : (i + 1) * k] for i in range(m)]
        bound = np.mean([special.logsumexp(g) - math.log(k) for g in groups])
        return bound, np.concatenate([special.softmax(g) / m for g in groups])

    assert nv.MIWAE(m, k).n_samples == m * k
    check(nv.MIWAE(m, k), terms, of_row)


def test_miwae_takes_whole_groups(rng):
    with pytest.raises(nv.ConfigError, match="3 groups of the same size; got 4"):
        nv.MIWAE(3, 2)(terms_of(rng, 4))


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_ciwae(beta, levels, rng):
    weights = rng.random(B) if levels == 2 else None

    def of_row(log_w):
        bound = beta * log_w.mean() + (1 - beta) * (special.logsumexp(log_w) - math.log(5))
        return bound, beta / 5 + (1 - beta) * special.softmax(log_w)

    check(nv.CIWAE(beta, 5), terms_of(rng, 5, levels, weights), of_row)


def test_a_sample_that_is_impossible_counts_as_nothing(rng):
    """Its weight is 0: IWAE's relatives bear that, the ELBO's part of CIWAE does not."""
    terms = terms_of(rng, 3)
    terms.log_px[1] = -np.inf
    kept = Terms(terms.log_px[::2], [LevelTerms(log_pz=a, log_qz=b) for a, b in [
        (terms.levels[0].log_pz[::2], terms.levels[0].log_qz[::2])]])  # fmt: skip
    for objective in (nv.Renyi(0.5, 3), nv.Renyi(-1, 3), nv.MIWAE(1, 3), nv.CIWAE(0.0, 3)):
        loss, power = objective(terms)[0].loss, objective.power
        assert loss == pytest.approx(objective(kept)[0].loss + math.log(3 / 2) / power, rel=1e-12)
    with np.errstate(invalid="ignore"):
        assert nv.CIWAE(0.1, 3)(terms)[0].loss == math.inf


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_stl(beta, levels, rng):
    terms = terms_of(rng, 3, levels)
    losses, d_terms = nv.STL(3, beta)(terms)
    wanted, d_wanted = nv.ELBO(beta, 3)(terms)
    assert losses == wanted
    np.testing.assert_array_equal(d_terms.log_px, d_wanted.log_px)
    for ours, theirs in zip(d_terms.levels, d_wanted.levels, strict=True):
        assert not ours.score
        assert theirs.score
        np.testing.assert_array_equal(ours.log_qz, theirs.log_qz)
        np.testing.assert_array_equal(ours.log_pz, theirs.log_pz)


def test_stl_is_dreg_of_one_sample(rng):
    model = linear_vae(rng, x_dim=5, z_dim=2, scale=0.7)
    x, eps = rng.normal(size=(3, 5)), model.draw_noise(3, 1, rng)
    loss, ours = nv.value_and_grad(model, nv.STL(), x, eps)
    wanted_loss, wanted = nv.value_and_grad(model, nv.DReG(1), x, eps)
    assert loss == pytest.approx(wanted_loss, rel=1e-14)
    for name, gradient in wanted.items():
        np.testing.assert_allclose(ours[name], gradient, rtol=1e-12, atol=1e-13)


def test_stl_is_refused_with_flows(rng):
    model = nv.VAE(5, 2, hidden=(4,), posterior="planar:n=2", dtype="float64")
    with pytest.raises(nv.ConfigError, match="take posterior='gaussian'"):
        nv.value_and_grad(model, "stl", rng.random((3, 5)), model.draw_noise(3, 1, rng))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("renyi", nv.Renyi(0.5, 5)),
        ("renyi:alpha=-inf,n_samples=3", nv.Renyi(-math.inf, 3)),
        ("miwae:m=2,k=8", nv.MIWAE(2, 8)),
        ("ciwae:beta=0.2,n_samples=4", nv.CIWAE(0.2, 4)),
        ("stl:n_samples=2", nv.STL(2)),
        ("elbo:beta=3,capacity=(linear:start=0,stop=5,epochs=2)",
         nv.ELBO(3, capacity=nv.Linear(0, 5, epochs=2))),
        ("elbo:free_bits=0.2,free_bits_per=level", nv.ELBO(free_bits=0.2, free_bits_per="level")),
        ("elbo:free_bits=0.2,free_bits_per=3", nv.ELBO(free_bits=0.2, free_bits_per=3)),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_text_and_config_stand_for_them(text, made):
    assert resolve("objective", text).config == made.config
    again = resolve("objective", json.loads(json.dumps(made.config, allow_nan=False)))
    assert again.config == made.config
    assert again.n_samples == made.n_samples


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nv.Renyi("1"), "alpha is a finite number; got '1'."),
        (lambda: nv.Renyi(math.nan), "alpha is a finite number; got nan."),
        (lambda: nv.MIWAE(0, 2), "m is a whole number, 1 or more; got 0."),
        (lambda: nv.MIWAE(2, 1.5), "k is a whole number, 1 or more; got 1.5."),
        (lambda: nv.CIWAE(1.5), "beta, the ELBO's share in CIWAE, is 0 to 1; got 1.5."),
        (lambda: nv.CIWAE(-1), "beta is a finite number, 0 or more; got -1."),
        (lambda: nv.STL(0), "n_samples is a whole number, 1 or more; got 0."),
        (
            lambda: nv.ELBO(free_bits=1, capacity=2),
            "free bits and a capacity both hold the KL up; give one of the two.",
        ),
        (
            lambda: nv.ELBO(free_bits_per="row"),
            "free_bits_per is 'dimension', 'level', or the number of latent dimensions in a group; "
            "got 'row'.",
        ),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(nv.ConfigError) as caught:
        build()
    assert str(caught.value) == message


OBJECTIVES = {t: o for c in (nv.Renyi, nv.MIWAE, nv.CIWAE) for t, o in c.examples().items()}
OBJECTIVES |= {t: o for t, o in nv.ELBO.examples().items() if "capacity" in t or "level" in t}


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_its_gradient_is_its_losss_derivative(objective):
    model = nv.VAE(4, 2, hidden=(3,), activation="tanh", dtype="float64")
    report = check_gradients(model, objective=objective, methods=["complex"])
    assert report.ok, str(report)


@pytest.mark.smoke(2)
@pytest.mark.parametrize("objective", ["renyi", "miwae", "ciwae", "stl", "elbo:capacity=3,beta=5"])
def test_it_trains_on_tables_with_gaps_and_weights(objective):
    rng = np.random.default_rng(0)
    x = rng.normal([1, -2, 0, 5], 1, (120, 4)) + rng.normal(size=(120, 1))
    x[rng.random(x.shape) < 0.2] = np.nan
    model = nv.VAE(4, 2, hidden=(8,), likelihood="gaussian_column_scale", missing="mask")
    history = nv.fit(
        model, x, objective=objective, epochs=12, batch_size=30, lr=1e-2, weights=rng.random(120)
    )
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"] - 0.3


def kl_terms(rng, levels=1, samples=1, z_dim=5):
    kls = [rng.gamma(1.0, 0.5, (samples, B, z_dim + i)) for i in range(levels)]
    return Terms(rng.normal(-90, 5, (3, B)), [LevelTerms(kl=kl) for kl in kls])


@pytest.mark.parametrize("capacity", [0.0, 2.0, 50.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("levels", [1, 2])
def test_capacity(levels, weighted, capacity, rng):
    terms = kl_terms(rng, levels)
    terms.weights = rng.random(B) if weighted else None
    weights = terms.weights if weighted else np.ones(B)
    losses, d_terms = nv.ELBO(7.0, capacity=capacity)(terms)
    kl = sum((weights * level.kl.sum(-1)).mean() for level in terms.levels)
    rec = -(weights * terms.log_px).mean()
    loss = rec + 7 * abs(kl - capacity)
    each = [(weights * level.kl.sum(-1)).mean() for level in terms.levels] if levels > 1 else []
    np.testing.assert_allclose(list(losses.values()), (loss, rec, kl, *each), rtol=1e-13)
    for level, d_level in zip(terms.levels, d_terms.levels, strict=True):
        wanted = np.broadcast_to(7 * np.sign(kl - capacity) * weights[:, None] / B, level.kl.shape)
        np.testing.assert_allclose(d_level.kl, wanted, rtol=1e-13)


def test_a_kl_that_is_the_capacity_is_not_pressed(rng):
    terms = kl_terms(rng)
    terms.levels[0].kl[...] = 0.5
    losses, d_terms = nv.ELBO(7.0, capacity=2.5)(terms)
    assert losses.loss == losses.rec
    assert not d_terms.levels[0].kl.any()


def test_capacity_of_a_sampled_kl(rng):
    terms = terms_of(rng, 3)
    losses, d_terms = nv.ELBO(2.0, capacity=100.0)(terms)
    (level,), (d_level,) = terms.levels, d_terms.levels
    kl = (level.log_qz - level.log_pz).mean()
    assert losses.loss == pytest.approx(-terms.log_px.mean() + 2 * (100 - kl), rel=1e-13)
    np.testing.assert_allclose(d_level.log_qz, -2 / (3 * B), rtol=1e-13)
    np.testing.assert_allclose(d_level.log_pz, 2 / (3 * B), rtol=1e-13)


def test_capacity_follows_its_schedule(rng):
    terms, objective = kl_terms(rng), nv.ELBO(5.0, capacity=nv.Linear(0, 8, epochs=4))
    for epoch, capacity in ((0, 0), (1, 2), (4, 8), (math.inf, 8)):
        wanted = nv.ELBO(5.0, capacity=capacity)(terms)[0]
        assert objective(terms, epoch)[0].loss == pytest.approx(wanted.loss, rel=1e-13)


def test_capacity_draws_the_kl_to_it():
    x, _ = nv.datasets.digits()
    model = nv.VAE(64, 4, hidden=(32,))
    nv.fit(model, x[:500], objective="elbo:beta=20,capacity=3", epochs=30, batch_size=50, lr=3e-3)
    _, kl = model.elbo_terms(x[:500])
    assert kl.mean() == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize(("per", "size"), [("dimension", 1), (2, 2), (4, 4), ("level", 99)])
@pytest.mark.parametrize("weighted", [False, True])
def test_free_bits_per_group(per, size, weighted, rng):
    terms = kl_terms(rng, levels=2, samples=3, z_dim=7)
    terms.levels[0].kl[..., :3] *= 0.2
    terms.weights = rng.random(B) if weighted else None
    weights = terms.weights if weighted else np.ones(B)
    groups = [
        (weights * level.kl[..., start : start + size].sum(-1)).mean()
        for level in terms.levels
        for start in range(0, level.kl.shape[2], size)
    ]
    bits = float(np.mean(groups))  # so that some are held and some pressed
    losses, d_terms = nv.ELBO(0.5, free_bits=bits, free_bits_per=per)(terms)
    total, held, pressed = 0.0, 0, 0
    for level, d_level in zip(terms.levels, d_terms.levels, strict=True):
        for start in range(0, level.kl.shape[2], size):
            group = slice(start, start + size)
            kl = (weights * level.kl[..., group].sum(-1)).mean()
            total += max(kl, bits)
            held, pressed = held + (kl < bits), pressed + (kl >= bits)
            each = np.broadcast_to(0.5 * (kl >= bits) * weights / (3 * B), (3, B))
            for j in range(start, min(start + size, level.kl.shape[2])):
                np.testing.assert_allclose(d_level.kl[:, :, j], each, rtol=1e-13)
    assert losses.kl == pytest.approx(total, rel=1e-13)
    assert held
    assert pressed


def test_free_bits_of_a_level_hold_a_sampled_kl(rng):
    terms = terms_of(rng, 3)
    kl = (terms.levels[0].log_qz - terms.levels[0].log_pz).mean()
    for bits, held in ((kl + 1, True), (kl - 1, False)):
        losses, d_terms = nv.ELBO(0.5, free_bits=bits, free_bits_per="level")(terms)
        assert losses.kl == pytest.approx(max(kl, bits), rel=1e-13)
        wanted = 0.0 if held else 0.5 / (3 * B)
        np.testing.assert_allclose(d_terms.levels[0].log_qz, wanted, rtol=1e-13)
        np.testing.assert_allclose(d_terms.levels[0].log_pz, -wanted, rtol=1e-13)
