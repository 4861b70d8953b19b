"""ELBO and IWAE against explicit loops over samples, rows and dimensions."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest

from npvae import ELBO, IWAE
from npvae.core import LevelTerms, Terms, resolve
from npvae.core.errors import ConfigError
from npvae.core.schedules import Cosine, Linear
from npvae.objectives import Losses, as_objective

K, B, Z = 3, 4, 5


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def numbers(losses):
    """In the order in which the objectives name them."""
    assert ELBO.losses == IWAE.losses == ("loss", "rec", "kl")
    assert tuple(losses)[:3] == ELBO.losses  # and then, of several levels, the KL of each
    return list(losses.values())[:3]


def assert_close(losses, others, rtol):
    np.testing.assert_allclose(numbers(losses), numbers(others), rtol=rtol)


def closed_form_terms(rng, kl_samples=1, levels=1, samples=K):
    return Terms(
        rng.normal(-90, 5, (samples, B)),
        [LevelTerms(kl=rng.gamma(1.0, 0.5, (kl_samples, B, Z + i))) for i in range(levels)],
    )


def sampled_terms(rng, samples=K, levels=1):
    log_px = rng.normal(-90, 3, (samples, B))
    log_pz, log_qz = rng.normal([[[[-7]]], [[[-4]]]], 1, (2, levels, samples, B))
    densities = zip(log_pz, log_qz, strict=True)
    return Terms(log_px, [LevelTerms(log_pz=p, log_qz=q) for p, q in densities])


def test_of_terms_without_levels_the_reconstruction_is_all(rng):
    log_px = rng.normal(-90, 5, (1, B))
    losses, d_terms = ELBO(2.0)(Terms(log_px))
    assert losses == pytest.approx({"loss": -log_px.mean(), "rec": -log_px.mean(), "kl": 0})
    np.testing.assert_allclose(d_terms.log_px, -1 / B, rtol=1e-15)
    assert not d_terms.levels


def summed(kl, free_bits=0.0):
    """Σ over dimensions of the mean over samples and rows, none counted below `free_bits`."""
    total = 0.0
    for j in range(kl.shape[2]):
        mean = sum(kl[k, b, j] for k, b in np.ndindex(kl.shape[:2])) / (kl.shape[0] * kl.shape[1])
        total += max(mean, free_bits)
    return total


@pytest.mark.parametrize("kl_samples", [1, K])
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_elbo(kl_samples, levels, beta, rng):
    terms = closed_form_terms(rng, kl_samples, levels)
    losses, d_terms = ELBO(beta)(terms)
    rec = -sum(terms.log_px[k, b] for k, b in np.ndindex(K, B)) / (K * B)
    kl = sum(summed(level.kl) for level in terms.levels)
    np.testing.assert_allclose(numbers(losses), (rec + beta * kl, rec, kl), rtol=1e-13)
    np.testing.assert_allclose(d_terms.log_px, np.full((K, B), -1 / (K * B)), rtol=1e-15)
    for level, d_level in zip(terms.levels, d_terms.levels, strict=True):
        np.testing.assert_allclose(
            d_level.kl, np.full(level.kl.shape, beta / (kl_samples * B)), rtol=1e-15
        )
        d_level.kl = None
        assert d_level == LevelTerms()


def test_elbo_is_the_mean_of_the_rows(rng):
    """Nats per example: a batch of one row again and again has that row's loss."""
    terms = closed_form_terms(rng)
    log_px, kl = terms.log_px[:, :1], terms.levels[0].kl[:, :1]
    many = Terms(np.repeat(log_px, 9, axis=1), [LevelTerms(kl=np.repeat(kl, 9, axis=1))])
    one = Terms(log_px, [LevelTerms(kl=kl)])
    assert_close(ELBO()(many)[0], ELBO()(one)[0], rtol=1e-14)


@pytest.mark.parametrize("kl_samples", [1, K])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_free_bits(kl_samples, beta, rng):
    terms = closed_form_terms(rng, kl_samples, levels=2)
    terms.levels[0].kl *= np.array([0.01, 2, 0.1, 1, 0.2])  # means on both sides of the threshold
    losses, d_terms = ELBO(beta, free_bits=0.25)(terms)
    kl = sum(summed(level.kl, 0.25) for level in terms.levels)
    assert losses.kl == pytest.approx(kl, rel=1e-13)
    assert losses.loss == pytest.approx(losses.rec + beta * kl, rel=1e-14)
    pressed = 0
    for level, d_level in zip(terms.levels, d_terms.levels, strict=True):
        for j in range(level.kl.shape[2]):
            above = level.kl[:, :, j].mean() > 0.25
            want = beta / (kl_samples * B) if above else 0
            np.testing.assert_allclose(d_level.kl[:, :, j], want, rtol=1e-15)
            pressed += above
    assert 0 < pressed < 2 * Z + 1


def test_free_bits_at_zero_are_the_elbo(rng):
    terms = closed_form_terms(rng)
    assert ELBO(free_bits=0.0)(terms)[0] == ELBO()(terms)[0]
    far_below = ELBO(free_bits=1e-9)(terms)
    assert_close(far_below[0], ELBO()(terms)[0], rtol=1e-15)
    np.testing.assert_array_equal(far_below[1].levels[0].kl, ELBO()(terms)[1].levels[0].kl)


def test_a_kl_of_exactly_the_free_bits_is_pressed(rng):
    """d_kl_j is 0 below λ; at the kink itself the slope is that of the side above."""
    terms = closed_form_terms(rng)
    terms.levels[0].kl[...] = [0.125, 0.25, 0.5, 0.25, 0.0]
    losses, d_terms = ELBO(free_bits=0.25)(terms)
    assert losses.kl == 0.25 + 0.25 + 0.5 + 0.25 + 0.25
    np.testing.assert_array_equal(d_terms.levels[0].kl[0, 0], np.array([0, 1, 1, 1, 0]) / B)


def test_without_free_bits_a_sampled_kl_may_be_negative(rng):
    """An estimate of the KL from few samples can be: only free bits make a bound of it."""
    terms = closed_form_terms(rng, kl_samples=K)
    terms.levels[0].kl[..., 1] -= 9
    losses, d_terms = ELBO()(terms)
    assert losses.kl == pytest.approx(sum(terms.levels[0].kl.mean((0, 1))), rel=1e-13)
    assert losses.kl < 0
    np.testing.assert_allclose(d_terms.levels[0].kl, 1 / (K * B), rtol=1e-15)


def test_the_kl_of_a_large_float32_batch_is_summed_in_float64(rng):
    kl = rng.gamma(1.0, 0.5, (1, 50_000, 2)).astype(np.float32)
    losses, _ = ELBO()(Terms(np.zeros((1, 50_000)), [LevelTerms(kl=kl)]))
    assert losses.kl == pytest.approx(math.fsum(kl.ravel()) / 50_000, rel=1e-12)


@pytest.mark.parametrize("free_bits", [0.0, 0.25])
def test_nan_in_the_kl_is_seen_in_the_loss(free_bits, rng):
    terms = closed_form_terms(rng)
    terms.levels[0].kl[0, 1, 2] = np.nan
    losses, _ = ELBO(free_bits=free_bits)(terms)
    assert np.isnan(losses.kl)
    assert np.isnan(losses.loss)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_elbo_of_a_sampled_kl(samples, levels, beta, rng):
    """Where there is no closed form: the mean of log q - log p."""
    terms = sampled_terms(rng, samples, levels)
    losses, d_terms = ELBO(beta)(terms)
    rec = -terms.log_px.mean()
    kl = sum((level.log_qz - level.log_pz).mean() for level in terms.levels)
    np.testing.assert_allclose(numbers(losses), (rec + beta * kl, rec, kl), rtol=1e-13)
    each = 1 / (samples * B)
    np.testing.assert_allclose(d_terms.log_px, np.full((samples, B), -each), rtol=1e-15)
    assert len(d_terms.levels) == levels
    for d_level in d_terms.levels:
        np.testing.assert_allclose(d_level.log_pz, np.full((samples, B), -beta * each), rtol=1e-15)
        np.testing.assert_array_equal(d_level.log_qz, -d_level.log_pz)
        assert d_level.kl is None


def test_free_bits_of_a_sampled_kl_are_refused(rng):
    with pytest.raises(ConfigError) as caught:
        ELBO(free_bits=0.1)(sampled_terms(rng))
    assert str(caught.value) == (
        "free bits need the KL per latent dimension in closed form, which this model's posterior "
        "and prior do not have together; use free_bits=0, free_bits_per='level', or "
        "posterior='gaussian' with prior='standard'."
    )


@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_elbo_adds_closed_and_sampled_levels(beta, rng):
    """A level without a closed form is dropped neither from the loss nor from the gradient."""
    closed, sampled = closed_form_terms(rng, levels=2), sampled_terms(rng, levels=2)
    levels = [closed.levels[0], sampled.levels[0], closed.levels[1], sampled.levels[1]]
    losses, d_terms = ELBO(beta)(Terms(closed.log_px, levels))
    kl = sum(summed(level.kl) for level in levels[::2])
    kl += sum((level.log_qz - level.log_pz).mean() for level in levels[1::2])
    rec = -closed.log_px.mean()
    np.testing.assert_allclose(numbers(losses), (rec + beta * kl, rec, kl), rtol=1e-13)
    for d_level in d_terms.levels[::2]:
        np.testing.assert_allclose(d_level.kl, beta / B, rtol=1e-15)
        assert d_level.log_pz is d_level.log_qz is None
    for d_level in d_terms.levels[1::2]:
        np.testing.assert_allclose(d_level.log_qz, np.full((K, B), beta / (K * B)), rtol=1e-15)
        np.testing.assert_array_equal(d_level.log_pz, -d_level.log_qz)
        assert d_level.kl is None


def test_the_kl_per_row_adds_closed_and_sampled_levels(rng):
    closed, sampled = closed_form_terms(rng, kl_samples=K), sampled_terms(rng)
    terms = Terms(closed.log_px, closed.levels + sampled.levels)
    want = closed.levels[0].kl.sum(-1) + sampled.levels[0].log_qz - sampled.levels[0].log_pz
    np.testing.assert_allclose(terms.kl_per_row, want, rtol=1e-14)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_iwae(samples, levels, rng):
    terms = sampled_terms(rng, samples, levels)
    losses, d_terms = IWAE(samples)(terms)
    bounds, weights = [], np.zeros((samples, B))
    for b in range(B):
        log_w = [
            terms.log_px[k, b]
            + sum(level.log_pz[k, b] for level in terms.levels)
            - sum(level.log_qz[k, b] for level in terms.levels)
            for k in range(samples)
        ]
        shifted = [math.exp(w - log_w[0]) for w in log_w]
        bounds.append(log_w[0] + math.log(sum(shifted) / samples))
        weights[:, b] = np.array(shifted) / sum(shifted)
    rec = -terms.log_px.mean()
    np.testing.assert_allclose(losses.loss, -np.mean(bounds), rtol=1e-13)
    np.testing.assert_allclose(losses.rec, rec, rtol=1e-14)
    np.testing.assert_allclose(losses.kl, losses.loss - rec, rtol=1e-14)
    np.testing.assert_allclose(-d_terms.log_px.sum(0), 1 / B, rtol=1e-13)
    np.testing.assert_allclose(d_terms.log_px, -weights / B, rtol=1e-11)
    assert len(d_terms.levels) == levels
    for d_level in d_terms.levels:
        np.testing.assert_array_equal(d_level.log_pz, d_terms.log_px)
        np.testing.assert_array_equal(d_level.log_qz, -d_terms.log_px)
        assert d_level.kl is None


def test_iwae_of_one_sample_is_the_sampled_elbo(rng):
    """With log q - log p in the place of the KL, as a KL of one dimension."""
    terms = sampled_terms(rng, samples=1)
    ours, d_ours = IWAE(1)(terms)
    (level,) = terms.levels
    sampled_kl = level.log_qz - level.log_pz
    elbo, d_elbo = ELBO()(Terms(terms.log_px, [LevelTerms(kl=sampled_kl[:, :, None])]))
    assert_close(ours, elbo, rtol=1e-13)
    np.testing.assert_allclose(d_ours.log_px, d_elbo.log_px, rtol=1e-13)
    np.testing.assert_allclose(d_ours.levels[0].log_qz, d_elbo.levels[0].kl[:, :, 0], rtol=1e-13)


def test_iwae_grows_with_samples_of_equal_weight_not_at_all(rng):
    terms = sampled_terms(rng, samples=1)
    (level,) = terms.levels
    six = LevelTerms(log_pz=level.log_pz.repeat(6, 0), log_qz=level.log_qz.repeat(6, 0))
    repeated = Terms(terms.log_px.repeat(6, 0), [six])
    assert_close(IWAE(6)(repeated)[0], IWAE(1)(terms)[0], rtol=1e-14)
    np.testing.assert_allclose(IWAE(6)(repeated)[1].log_px, -1 / (6 * B), rtol=1e-12)


def test_iwae_is_at_most_the_best_sample_and_at_least_the_elbo(rng):
    terms = sampled_terms(rng, samples=7)
    log_w = terms.log_px + terms.levels[0].log_pz - terms.levels[0].log_qz
    np.testing.assert_array_equal(terms.log_w, log_w)
    bound = -IWAE(7)(terms)[0].loss
    assert log_w.mean() < bound < log_w.max(0).mean()


def test_iwae_at_weights_that_under_and_overflow(rng):
    terms = sampled_terms(rng, samples=2)
    terms.log_px[...] = [[-1e5] * B, [-2e5] * B]
    losses, d_terms = IWAE(2)(terms)
    (level,) = terms.levels
    log_w = -1e5 + (level.log_pz - level.log_qz)[0].mean() - math.log(2)
    assert losses.loss == pytest.approx(-log_w, rel=1e-12)
    np.testing.assert_allclose(d_terms.log_px, [[-1 / B] * B, [0] * B], atol=1e-12)


@pytest.mark.parametrize("schedule", [Linear(0, 2, epochs=10), Cosine(0, 2, epochs=10)])
def test_beta_follows_its_schedule(schedule, rng):
    terms = closed_form_terms(rng)
    objective = ELBO(beta=schedule)
    for epoch, beta in ((0, 0), (5, 1), (10, 2), (99, 2), (math.inf, 2)):
        losses, d_terms = objective(terms, epoch)
        assert losses.loss == pytest.approx(losses.rec + beta * losses.kl, rel=1e-13)
        np.testing.assert_allclose(d_terms.levels[0].kl, beta / B, rtol=1e-13)
    assert objective(terms)[0] == objective(terms, math.inf)[0]


def test_any_function_is_a_schedule(rng):
    terms = closed_form_terms(rng)
    losses, _ = ELBO(beta=lambda epoch: 3.0)(terms, 0.0)
    assert losses.loss == pytest.approx(losses.rec + 3 * losses.kl, rel=1e-14)


@pytest.mark.parametrize(
    ("made", "config"),
    [
        (ELBO(), {"name": "elbo", "beta": 1.0, "n_samples": 1, "free_bits": 0.0}),
        (
            ELBO(Linear(0, 2, epochs=3), free_bits=0.5),
            {
                "name": "elbo",
                "beta": {"name": "linear", "start": 0, "stop": 2, "epochs": 3},
                "n_samples": 1,
                "free_bits": 0.5,
            },
        ),
        (IWAE(7), {"name": "iwae", "n_samples": 7}),
    ],
    ids=["elbo", "schedule", "iwae"],
)
def test_an_objective_is_rebuilt_from_its_config(made, config, rng):
    assert made.config == config
    twin = resolve("objective", json.loads(json.dumps(made.config)))
    assert type(twin) is type(made)
    assert twin.config == config
    terms = closed_form_terms(rng) if isinstance(made, ELBO) else sampled_terms(rng)
    for epoch in (0.0, 1.5, math.inf):
        assert twin(terms, epoch)[0] == made(terms, epoch)[0]


def test_an_objective_by_its_name_and_arguments():
    assert resolve("objective", "iwae").config == IWAE().config
    assert resolve("objective", "iwae:n_samples=50").n_samples == 50
    assert resolve("objective", "elbo:beta=4,free_bits=0.1").config == ELBO(4, 1, 0.1).config
    warm = resolve("objective", "elbo:beta=(linear:start=0,stop=1,epochs=20)")
    assert warm.beta(10) == 0.5
    with pytest.raises(ConfigError, match="objective 'iwae' takes n_samples=5; got 'beta'"):
        resolve("objective", "iwae:beta=2")
    with pytest.raises(ConfigError, match="did you mean 'elbo'"):
        resolve("objective", "elb")
    with pytest.raises(ConfigError, match="objective takes a name or an object"):
        as_objective(ELBO)


def test_losses_are_a_mapping_whose_names_are_attributes():
    losses = Losses(3.0, rec=2.0, mmd=1.0)
    assert losses == {"loss": 3.0, "rec": 2.0, "mmd": 1.0}
    assert (losses.loss, losses.rec, losses.mmd) == (3.0, 2.0, 1.0)
    with pytest.raises(AttributeError, match="no loss 'kl'; there are loss, rec, mmd"):
        _ = losses.kl
    assert copy.deepcopy(losses) == losses


def test_what_objectives_ask_for():
    assert ELBO.needs == ("log_px", "kl")
    assert IWAE.needs == ("log_px", "log_pz", "log_qz")
    assert (ELBO().n_samples, IWAE().n_samples) == (1, 5)
    assert (ELBO(n_samples=3).n_samples, IWAE(50).n_samples) == (3, 50)
    assert IWAE().beta(0.0) == ELBO().beta(0.0) == 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ELBO(beta=-1), "beta is a finite number, 0 or more; got -1."),
        (lambda: ELBO(beta="1"), "beta is a finite number, 0 or more; got '1'."),
        (lambda: ELBO(beta=math.nan), "beta is a finite number, 0 or more; got nan."),
        (lambda: ELBO(beta=None), "beta is a finite number, 0 or more; got None."),
        (lambda: ELBO(free_bits=-0.1), "free_bits is a finite number, 0 or more; got -0.1."),
        (lambda: ELBO(free_bits=math.inf), "free_bits is a finite number, 0 or more; got inf."),
        (lambda: ELBO(n_samples=0), "n_samples is a whole number, 1 or more; got 0."),
        (lambda: ELBO(n_samples=1.5), "n_samples is a whole number, 1 or more; got 1.5."),
        (lambda: IWAE(0), "n_samples is a whole number, 1 or more; got 0."),
        (lambda: IWAE("5"), "n_samples is a whole number, 1 or more; got '5'."),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ConfigError) as caught:
        build()
    assert str(caught.value) == message
