"""What is fitted after training: the prior by expectation maximisation, and which rows are kept."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.data.gaussians import Gaussians, improved, started
from npvae.data.tilt import MOST_DEVIATIONS, Tilt

RHO = 0.4


def of_two(weight=RHO, **changed):
    """exp(weight x_0 x_1 - log Z)."""
    return Tilt(**{
        "columns": [0, 1], "labels": [None, None], "mean": [0.0, 0.0], "scale": [1.0, 1.0],
        "terms": [[0, 1, 2]], "weights": [weight], "log_z": -0.5 * np.log(1 - weight**2),
        "most": 6.0,
        **changed,
    })  # fmt: skip


def test_a_tilted_normal_is_the_normal_with_that_correlation():
    """exp(r x y) N(0, I) has the precision [[1, -r], [-r, 1]], so the correlation r."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200_000, 2))
    tilt = of_two()
    want = stats.multivariate_normal([0, 0], np.linalg.inv([[1, -RHO], [-RHO, 1]]))
    near = np.abs(x).max(1) < MOST_DEVIATIONS
    got = tilt.log_weight(x) - 0.5 * np.square(x).sum(1) - np.log(2 * np.pi)
    np.testing.assert_allclose(got[near], want.logpdf(x[near]), atol=1e-12)
    kept = x[tilt.kept(x, rng)]
    assert abs(np.corrcoef(kept.T)[0, 1] - RHO) < 0.02
    assert abs(len(kept) / len(x) - 1 / 6) < 0.01


def test_labels_means_and_missing_entries():
    tilt = Tilt([2, 0], [1, None], [0.25, 10.0], [0.5, 2.0], [[0, 0, 1], [0, 1, 2], [2, 2, 1]],
                [0.3, -0.7, 0.2], 0.1, 2.0)  # fmt: skip
    x = np.array([[12.0, 5, 1], [7.0, 5, 2], [np.nan, 5, 1], [30.0, 5, np.nan]])
    f = np.array([[1.5, 1.0], [-0.5, -1.5], [1.5, 0.0], [0.0, 4.0]])
    want = 0.3 * f[:, 0] - 0.7 * f[:, 0] * f[:, 1] + 0.2 * f[:, 1] ** 2 * f[:, 0] - 0.1
    np.testing.assert_allclose(tilt.log_weight(x), want, rtol=1e-12)
    again = Tilt.given(json.loads(json.dumps(tilt.config)), 3)
    assert again.config == tilt.config
    np.testing.assert_array_equal(again.log_weight(x), tilt.log_weight(x))


def test_thresholds():
    tilt = of_two(above=[None, 0.5])
    x = np.array([[2.0, 0.6], [2.0, 0.5], [1.0, np.nan]])
    np.testing.assert_allclose(tilt.log_weight(x) + tilt.log_z, RHO * np.array([2.0, 0, 0]))
    again = Tilt.given(json.loads(json.dumps(tilt.config)), 2)
    np.testing.assert_array_equal(again.log_weight(x), tilt.log_weight(x))
    older = {name: value for name, value in of_two().config.items() if name != "above"}
    np.testing.assert_array_equal(Tilt.given(older, 2).log_weight(x), of_two().log_weight(x))


def test_what_sharply_depends_on_a_number_does_so_in_drawn_rows():
    """A label that all rows above a threshold have; a decoder with noise has it in others too."""
    rng = np.random.default_rng(0)
    balance = rng.normal(1000, 300, 1500).round()
    pandas = pytest.importorskip("pandas")
    late = np.where(balance > 1400, "late", "paid")
    table = nv.tables.read(pandas.DataFrame({"balance": balance, "paid": late}))
    model = nv.VAE(z_dim=1, hidden=(8,), **table.schema.options())
    nv.fit(model, table.x, epochs=8, seed=0)
    nv.calibrate(model, table.x)
    assert sum(above is not None for above in model.tilt.config["above"]) == 5
    plain = model.copy()
    plain.tilt = None
    shares = []
    for drawn in (table.x, plain.sample(4000, take="draw"), model.sample(4000, take="draw")):
        high = drawn[:, 0] > 1350
        is_late = drawn[:, 1] == np.median(table.x[table.x[:, 0] > 1400, 1])
        shares.append(is_late[high].mean() - is_late[~high].mean())
    assert abs(shares[2] - shares[0]) < 0.5 * abs(shares[1] - shares[0])


@pytest.mark.parametrize(
    "changed",
    [{"scale": [1.0, 0.0]}, {"weights": [np.nan]}, {"terms": [[0, 0, 3]]}, {"mean": [0.0]},
     {"most": 0.5}, {"weights": []}, {"columns": [-1, 0]}, {"labels": ["a", None]},
     {"above": [0.5]}, {"above": [None, "a"]}, {"above": [np.inf, None]}],
)  # fmt: skip
def test_tilts_that_are_none(changed):
    with pytest.raises(nv.ConfigError, match="a tilt has"):
        of_two(**changed)


def test_a_tilt_of_other_columns_is_refused():
    with pytest.raises(nv.ConfigError, match="there are 1"):
        nv.VAE(1, 1, tilt=of_two().config)
    with pytest.raises(nv.ConfigError, match="tilt is"):
        nv.VAE(2, 1, tilt={"columns": [0]})
    with pytest.raises(nv.ConfigError, match="tilt is"):
        nv.VAE(2, 1, tilt=3)


# The mixture


def test_the_density_of_a_mixture():
    rng = np.random.default_rng(1)
    g = Gaussians(rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), rng.normal(size=3))
    z = rng.normal(size=(5, 2))
    shares = np.exp(g.logits) / np.exp(g.logits).sum()
    want = sum(
        w * stats.multivariate_normal(m, np.diag(np.exp(v))).pdf(z)
        for w, m, v in zip(shares, g.mu, g.logvar, strict=True)
    )
    np.testing.assert_allclose(np.exp(g.log_prob(z)), want, rtol=1e-10)
    prior = nv.Mixture(3)
    prior.mu, prior.logvar, prior.logits = g
    np.testing.assert_allclose(prior.forward(z[None])[0][0], g.log_prob(z), rtol=1e-10)


def test_expectation_maximisation_finds_what_the_points_are_of():
    rng = np.random.default_rng(2)
    centres, deviations = np.array([[-4.0, 0], [3, 3], [3, -3]]), np.array([0.5, 1.0, 0.7])
    of = rng.choice(3, 3000, p=[0.5, 0.3, 0.2])
    z = centres[of] + deviations[of, None] * rng.normal(size=(3000, 2))
    g, scores = started(z, 3, rng), []
    for _ in range(60):
        g = improved(g, z)
        scores.append(g.log_prob(z).sum())
    assert (np.diff(scores) > -1e-6).all()
    order = np.argsort(-g.logits)
    np.testing.assert_allclose(np.exp(g.logits[order]), [0.5, 0.3, 0.2], atol=0.03)
    np.testing.assert_allclose(g.mu[order], centres, atol=0.12)
    np.testing.assert_allclose(np.exp(0.5 * g.logvar[order]).mean(1), deviations, rtol=0.06)


def test_no_component_shrinks_onto_a_point():
    z = np.concatenate([np.random.default_rng(3).normal(size=(50, 2)), [[9.0, 9]] * 5])
    g = started(z, 20, np.random.default_rng(4))
    for _ in range(40):
        g = improved(g, z)
    assert np.isfinite(g.log_prob(z)).all()
    assert np.exp(0.5 * g.logvar).min() > 0.019 * z.std(0).min()


# Of a model


def data(n=400, rho=0.35):
    """Columns that go together a little: it is not worth a latent dimension."""
    rng = np.random.default_rng(5)
    covariance = np.full((4, 4), rho) + (1 - rho) * np.eye(4)
    return rng.multivariate_normal(np.zeros(4), covariance, n)


def trained(x, epochs=30, **options):
    model = nv.VAE(4, 2, **{"hidden": (16,), "likelihood": "gaussian_column_scale",
                            "prior": "mixture:n_components=5", **options})  # fmt: skip
    nv.fit(model, x[:360], epochs=epochs, batch_size=60, lr=3e-3)
    return model


def correlations(x):
    return np.corrcoef(x.T)[np.triu_indices(4, 1)]


def test_drawn_rows_get_the_correlations_of_the_data():
    x = data()
    model = trained(x)
    before = correlations(model.sample(20_000, take="draw"))
    bound = model.elbo(x[360:], 50).mean()
    found = nv.calibrate(model, x[:360], x[360:])
    after, want = correlations(model.sample(20_000, take="draw")), correlations(x[:360])
    assert np.abs(after - want).mean() < 0.04 < np.abs(before - want).mean()
    assert 0.5 <= found.effective <= 1
    assert found.moments == 4 + 4 + 6
    assert found.nats > 0
    assert model.elbo(x[360:], 50).mean() > bound - 0.01  # the best prior for the bound
    np.testing.assert_array_equal(model.sample(9, take="mean").shape, (9, 4))


@pytest.mark.slow
def test_it_is_the_same_again_and_is_kept_in_files(tmp_path):
    x = data()
    model, twin = trained(x), trained(x)
    assert nv.calibrate(model, x[:360], x[360:]) == nv.calibrate(twin, x[:360], x[360:])
    draws = model.sample(1000, seed=3, take="draw")
    nv.save(model, tmp_path / "m.npz")
    loaded, pickled = nv.load(tmp_path / "m.npz"), pickle.loads(pickle.dumps(model))
    for again in (twin, loaded, model.copy(), pickled):
        np.testing.assert_array_equal(again.sample(1000, seed=3, take="draw"), draws)
    assert loaded.config == json.loads(json.dumps(model.config))
    assert len(model.sample(1, take="draw")) == 1
    nv.calibrate(model, x[:360], x[360:])  # anew, not on top
    assert np.isfinite(model.sample(10, take="draw")).all()


@pytest.mark.parametrize("log_z", [1e6, -1e6])
def test_a_tilt_of_another_model_ends(log_z):
    """One that keeps nothing is refused; one that keeps all changes nothing."""
    model = trained(data(), epochs=1)
    model.tilt = of_two(log_z=log_z)
    if log_z < 0:
        assert model.sample(50, take="draw").shape == (50, 4)
        return
    with pytest.raises(nv.ConfigError, match="keeps none"):
        model.sample(50, take="draw")


def test_a_model_that_was_not_calibrated_is_as_it_was():
    model = trained(data(), epochs=1)
    assert "tilt" not in model.config
    z = model.draw_z(50, np.random.default_rng(0), None)
    np.testing.assert_array_equal(model.sample(50, take="draw"), model.decode(z, take="draw"))


@pytest.mark.parametrize("prior", ["standard", "vamp:n_components=5"])
def test_other_priors_stay(prior):
    x = data()
    model = trained(x, prior=prior, epochs=3)
    before = model.flat.copy()
    found = nv.calibrate(model, x[:360])
    assert found.nats == 0
    np.testing.assert_array_equal(model.flat, before)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("prior", ["standard", "vamp:n_components=3", "mixture:n_components=2"])
def test_a_fitted_prior_for_any_model(prior, tmp_path):
    """Rows of two clusters: a normal prior draws between them, a fitted one does not."""
    rng = np.random.default_rng(7)
    x = np.where(rng.random((600, 1)) < 0.3, -3.0, 3.0) + 0.3 * rng.normal(size=(600, 4))
    model = nv.VAE(4, 1, hidden=(16,), likelihood="gaussian", prior=prior)
    nv.fit(model, x[:500], epochs=40, batch_size=50, lr=3e-3)
    fitted = nv.fit_prior(model, x[:500], x[500:], n_components=4)
    assert isinstance(fitted.prior, nv.Mixture)
    for name, weights in model.params.items():
        if not name.startswith("prior."):
            np.testing.assert_array_equal(fitted.params[name], weights)
    assert fitted.elbo(x[500:], 100).mean() > model.elbo(x[500:], 100).mean()
    if prior == "standard":
        between = [(np.abs(m.sample(4000)[:, 0]) < 1.5).mean() for m in (model, fitted)]
        assert between[1] < max(0.5 * between[0], 0.03)
    again = nv.fit_prior(model, x[:500], x[500:], n_components=4)
    np.testing.assert_array_equal(again.flat, fitted.flat)
    nv.save(fitted, tmp_path / "m.npz")
    np.testing.assert_array_equal(nv.load(tmp_path / "m.npz").sample(9), fitted.sample(9))


@pytest.mark.parametrize("prior", ["standard", "vamp:n_components=3"])
def test_a_prior_is_fitted_to_codes_that_nobody_decodes(prior, monkeypatch):
    """Decoding twenty draws of each of 800 images took two gigabytes."""
    model = nv.VAE(4, 2, hidden=(4,), likelihood="gaussian", prior=prior)
    fitted = nv.fit_prior(model, data(), n_components=2)
    monkeypatch.setattr(model.decoder, "forward", None)
    np.testing.assert_array_equal(nv.fit_prior(model, data(), n_components=2).flat, fitted.flat)


def test_a_prior_that_is_no_better_is_not_taken():
    x = data()
    model = nv.VAE(4, 2, hidden=(4,), likelihood="gaussian")  # its posteriors are the prior
    for name in ("encoder.layers.1.W", "encoder.layers.1.b"):
        model.params[name][...] = 0
    kept = nv.fit_prior(model, x[:200], x[200:], n_components=20)
    assert kept is not model
    assert isinstance(kept.prior, nv.StandardNormal)
    with pytest.raises(nv.ConfigError, match="no context"):
        nv.fit_prior(nv.VAE(4, 2, context_dim=1), x)


def test_models_that_keep_no_tilt_get_none():
    x = data()
    model = nv.HierarchicalVAE(4, (3, 2), hidden=(4,), likelihood="gaussian")
    assert nv.calibrate(model, x) == (0.0, 0, 1.0)
    assert model.tilt is None
    with pytest.raises(nv.ConfigError, match="2 levels"):
        nv.fit_prior(model, x)


def test_few_rows_one_column_and_contexts():
    x = data()
    model = trained(x, epochs=2)
    assert nv.calibrate(model, x[:15]) == (0.0, 0, 1.0)
    one = nv.VAE(1, 1, hidden=(3,), likelihood="gaussian")
    assert nv.calibrate(one, x[:, :1]).moments == 0
    constant = np.concatenate([x[:, :1], np.zeros((400, 3))], axis=1)
    assert nv.calibrate(model, constant).moments == 0
    with pytest.raises(nv.ConfigError, match="conditional"):
        nv.calibrate(nv.VAE(4, 2, context_dim=1), x)


@pytest.mark.parametrize("wrong", [np.zeros((30, 3)), np.zeros(4), np.full((30, 4), np.nan)])
def test_rows_of_another_form_are_refused(wrong):
    model, x = nv.VAE(4, 2, hidden=(4,), likelihood="gaussian"), data(60)
    for given, what in (((wrong,), "x"), ((x, wrong), "valid")):
        with pytest.raises(nv.DataError, match=f"^{what} needs"):
            nv.calibrate(model, *given)


def test_bytes_are_looked_at_as_the_model_has_them():
    """Drawn rows reach from 0 to 1, and a function of a column from 0 to 255 is none of these."""
    x = np.random.default_rng(7).integers(0, 256, (400, 3)).astype(np.uint8)
    x[:, 2] = 255 * (x[:, 0] > 99)
    model = nv.VAE(3, 2, hidden=(4,), likelihood="gaussian", scale=255)
    nv.calibrate(model, x, x[:100])
    (found,) = model.functions.columns
    assert (found.of, found.by, found.y.max()) == (2, 0, 1.0)
    assert found.x.max() <= 1.0


def test_the_deviation_of_each_label_s_rows():
    """A flag that is rare and comes with a narrow range of a column."""
    rng = np.random.default_rng(9)
    flag = rng.random(4000) < 0.1
    a = np.where(flag, 2 + 0.3 * rng.normal(size=4000), rng.normal(size=4000))
    x = np.stack([a, flag, rng.normal(size=4000)], -1)
    groups = [("gaussian_column_scale", (0, 2)), ("bernoulli", (1,))]
    model = nv.VAE(3, 2, hidden=(4,), likelihood=nv.Mixed(groups))
    nv.fit(model, x, epochs=2, batch_size=100)
    before = model.sample(40_000, take="draw")
    nv.calibrate(model, x)
    drawn = model.sample(40_000, take="draw")
    for rows, near in ((before, False), (drawn, True)):
        its = rows[rows[:, 1] == 1, 0]
        assert (abs(its.mean() - 2) < 0.4) == near
        assert (its.std() < 0.8) == near


def test_gaps_are_left_out():
    x = data(4000, rho=0.2)
    x[np.random.default_rng(6).random(x.shape) < 0.2] = np.nan
    model = nv.VAE(4, 1, hidden=(4,), likelihood="gaussian_column_scale", missing="mask")
    nv.fit(model, x, epochs=2, lr=1e-3)
    nv.calibrate(model, x)
    drawn = correlations(model.sample(40_000, take="draw"))
    want = np.ma.corrcoef(np.ma.masked_invalid(x), rowvar=False).filled(np.nan)
    assert np.abs(drawn - want[np.triu_indices(4, 1)]).mean() < 0.025
    assert drawn.mean() > 0.17  # it would be 0.13 if a gap counted as 0
