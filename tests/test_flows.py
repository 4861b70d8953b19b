"""Flows: densities by the change of variables, models that are saved, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from proofs import each_proof
from scipy import stats

import npvae as nv
from npvae.core import LevelTerms, bind, registered, resolve
from npvae.flows import Flow, Flowed, Planar
from npvae.flows.radial import radial_backward
from npvae.gradcheck import check_gradients
from npvae.gradcheck.whole_level import level_of
from npvae.levels import Level

FLOWS = {n: c for n, c in registered("flow").items() if c.__module__.startswith("npvae.")}


class Scaled(Flow, abstract=True):
    """f(z) = z exp(s) + t elementwise, with s and t from the encoder: a Gaussian stays one."""

    def n_outputs(self, z_dim):
        return 2 * z_dim

    def forward(self, z, stats):
        s, t = np.split(stats, 2, axis=-1)
        return (z * np.exp(s) + t, np.broadcast_to(-s.sum(-1), z.shape[:2])), (z, s)

    def backward(self, cache, dz, d_change):
        z, s = cache
        ds = (dz * z * np.exp(s)).sum(0) - d_change.sum(0)[:, None]
        return dz * np.exp(s), np.concatenate([ds, dz.sum(0)], axis=-1)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def allocated(posterior, z_dim, rng, spread=1.0):
    posterior.build(z_dim)
    posterior.allocate(rng)
    for flow in posterior.flows:
        for name in getattr(flow, "_declared", {}):
            getattr(flow, name)[...] += spread * rng.normal(size=getattr(flow, name).shape)
    return posterior


@pytest.mark.parametrize("name", FLOWS)
def test_the_change_is_that_of_the_jacobian(name, rng):
    flow, (z, *own) = FLOWS[name].example(rng)
    (moved, change), _ = flow.forward(z, *own)
    step, z_dim = 1e-6, z.shape[-1]
    jacobian = np.empty((*z.shape, z_dim))
    for j, unit in enumerate(step * np.eye(z_dim)):
        ahead, behind = flow.forward(z + unit, *own)[0][0], flow.forward(z - unit, *own)[0][0]
        jacobian[..., j] = (ahead - behind) / (2 * step)
    sign, log_det = np.linalg.slogdet(jacobian)
    np.testing.assert_allclose(change, -log_det, atol=1e-8)
    assert moved.shape == z.shape
    assert (sign == sign[0, 0]).all(), "f folds space"


@pytest.mark.parametrize("name", [*FLOWS, "planar:amortised=true", "radial:amortised=true"])
def test_types(name, rng):
    """z and its gradient are of the model's type, and the change of log q, a sum, of float64."""
    posterior = Flowed([name])
    posterior.build(3)
    posterior.allocate(rng, np.float32)
    bind(posterior, np.zeros(2000, np.float32), "d")
    flow = posterior.flows[0]
    z, own = rng.normal(size=(2, 4, 3)), rng.normal(size=(4, flow.n_outputs(3)))
    given = [a.astype(np.float32) for a in (z, own) if a.size]
    (moved, change), cache = flow.forward(*given)
    gradients = flow.backward(cache, moved, change)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert change.dtype == np.float64
    assert {a.dtype for a in (moved, *gradients)} == {np.dtype(np.float32)}
    assert [a.shape for a in gradients] == [a.shape for a in given]


@pytest.mark.parametrize("seed", range(4))
def test_a_planar_flow_is_invertible(seed):
    """However u and w point: along û, z + û h is strictly monotone."""
    rng = np.random.default_rng(seed)
    flow = allocated(Flowed([Planar()]), 2, rng).flows[0]
    flow.w[...], flow.u[...], flow.b[...] = (4.0 * rng.normal(size=n) for n in (2, 2, 1))
    s = flow.w @ flow.u
    u_hat = flow.u + (np.log1p(np.exp(s)) - 1 - s) * flow.w / (flow.w @ flow.w)
    assert u_hat @ flow.w > -1
    along = np.linspace(-9, 9, 4001)[None, :, None] * flow.w / np.linalg.norm(flow.w)
    (moved, _), _ = flow.forward(along)
    assert (np.diff(moved[0] @ flow.w) > 0).all()


@pytest.mark.parametrize("z_dim", [1, 2, 20])
def test_planar_flows_begin_without_a_change_of_volume(z_dim, rng):
    posterior = allocated(Flowed(["planar"] * 32), z_dim, rng, spread=0.0)
    z = rng.normal(size=(2, 5, z_dim))
    for flow in posterior.flows:
        (moved, change), _ = flow.forward(z)
        np.testing.assert_allclose(change, 0, atol=1e-12)
        np.testing.assert_allclose(moved @ flow.w, z @ flow.w, atol=1e-12)
        assert np.linalg.norm(flow.w) == pytest.approx(0.5)
        z = moved


def test_planar_flows_begin_with_small_steps_at_right_angles_to_w(rng):
    flows = allocated(Flowed(["planar"] * 32), 20, rng, spread=0.0).flows
    u_hats = [flow.u - (flow.u @ flow.w) * flow.w / (flow.w @ flow.w) for flow in flows]
    assert np.std(u_hats) == pytest.approx(0.1 * np.sqrt(19 / 20), abs=4 * 0.1 / np.sqrt(2 * 640))
    assert abs(np.mean(u_hats)) < 4 * 0.1 / np.sqrt(640)


def test_flows_that_scale_and_shift_leave_a_gaussian(rng):
    """And log q, the sample and the centre are those of the Gaussian that comes out."""
    posterior = allocated(Flowed([Scaled(), Scaled()]), 2, rng)
    numbers = 0.5 * rng.normal(size=(3, 12))
    params, _ = posterior.forward(numbers)
    mu, logvar, first, second = params
    (z, log_q), _ = posterior.draw(params, rng.normal(size=(5, 3, 2)), density=True)
    (s, t), (s2, t2) = np.split(first, 2, axis=-1), np.split(second, 2, axis=-1)
    mean = (mu * np.exp(s) + t) * np.exp(s2) + t2
    std = np.exp(logvar / 2 + s + s2)
    np.testing.assert_allclose(log_q, stats.norm.logpdf(z, mean, std).sum(-1), rtol=1e-12)
    np.testing.assert_allclose(posterior.centre(params), mean, rtol=1e-12)


def test_the_gradients_of_flows_that_the_encoder_steers(rng):
    class Steered(Flowed, abstract=True):
        @classmethod
        def example(cls, rng):
            posterior = allocated(cls([Scaled(), Planar(), Scaled(), Scaled()]), 3, rng)
            return posterior, (0.5 * rng.normal(size=(2, 24)),)

    report = check_gradients(*level_of(Steered, nv.Mixture, rng))
    assert report.ok, str(report)


def test_the_density_is_one_in_all(rng):
    """E_q[p(z) / q(z)] = 1 for any density p, within standard errors."""
    posterior = allocated(Flowed(["planar"] * 3), 2, rng)
    params, _ = posterior.forward(0.3 * rng.normal(size=(1, 4)) + [0, 0, 1, 1])
    (z, log_q), _ = posterior.draw(params, rng.standard_normal((100_000, 1, 2)), density=True)
    log_p = stats.multivariate_normal(z[:, 0].mean(0), 0.3 * np.cov(z[:, 0].T)).logpdf(z[:, 0])
    w = np.exp(log_p - log_q[:, 0])
    assert abs(w.mean() - 1) < 4.5 * w.std() / np.sqrt(len(w))
    assert w.std() / np.sqrt(len(w)) < 0.02


def test_without_flows_it_is_the_gaussian(rng):
    numbers, eps = rng.normal(size=(3, 4)), rng.normal(size=(2, 3, 2))
    flowed, plain = allocated(Flowed([]), 2, rng), nv.DiagonalGaussian()
    levels = [Level(q, nv.Mixture(2)) for q in (flowed, plain)]
    (z, terms), (wanted_z, wanted) = (
        level.forward(numbers, eps, ("log_qz",))[0] for level in levels
    )
    np.testing.assert_array_equal(z, wanted_z)
    np.testing.assert_array_equal(terms.log_qz, wanted.log_qz)


def test_its_log_variances_are_bounded_as_the_gaussians(rng):
    numbers = rng.normal(size=(3, 4))
    numbers[0, 2:] = [-21.0, 24.0]
    flowed, plain = allocated(Flowed(["planar"]), 2, rng), nv.DiagonalGaussian()
    (params, cache), (wanted, wanted_cache) = flowed.forward(numbers), plain.forward(numbers)
    d_params = rng.normal(size=(2, 3, 2))
    np.testing.assert_array_equal(params, wanted)
    np.testing.assert_array_equal(
        flowed.backward(cache, *d_params), plain.backward(wanted_cache, *d_params)
    )


def test_without_log_q_the_gradient_is_that_of_the_sample(rng):
    level = Level(allocated(Flowed(["planar"]), 2, rng), nv.StandardNormal())
    numbers, eps, dz = rng.normal(size=(3, 4)), *rng.normal(size=(2, 2, 3, 2))
    found = []
    for needs, d_log_qz in ((("z",), None), (("z", "log_qz"), np.zeros((2, 3)))):
        gradient = np.zeros(5)
        bind(level.posterior, gradient, "d")
        _, cache = level.forward(numbers, eps, needs)
        d_numbers, _ = level.backward(cache, dz, LevelTerms(log_qz=d_log_qz))
        found.append((d_numbers, gradient))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.abs(one).min() > 0


def flowed_model(**options):
    return nv.VAE(5, 2, hidden=(6,), posterior=Flowed([Planar(), "planar"]), **options)


@pytest.mark.smoke
@pytest.mark.parametrize("objective", ["elbo:n_samples=2", "iwae:n_samples=3"])
@pytest.mark.parametrize("prior", ["standard", "mixture"])
@each_proof
def test_the_gradient_of_a_model(objective, prior, methods):
    model = flowed_model(prior=prior, dtype="float64", activation="tanh")
    model.flat += 0.3 * np.random.default_rng(0).normal(size=model.n_params)
    report = check_gradients(model, objective=objective, methods=methods)
    assert report.ok, str(report)


def test_a_model_is_trained_saved_and_read(tmp_path, rng):
    x = rng.random((60, 5)).astype("float32")
    model = flowed_model()
    before = model.copy().params
    history = nv.fit(model, x, epochs=4, batch_size=16, lr=1e-2, valid=x[:20])
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"]
    for name, value in model.params.items():
        assert (value != before[name]).any(), name
    model.save(tmp_path / "model.npz")
    twin = nv.load(tmp_path / "model.npz")
    assert repr(twin.posterior) == "Flowed(flows=[Planar(), Planar()])"
    for array, other in zip(model.encode(x), twin.encode(x), strict=True):
        np.testing.assert_array_equal(array, other)
    np.testing.assert_array_equal(model.elbo(x, 3), twin.elbo(x, 3))
    assert model.reconstruct(x).shape == (60, 5)
    (centre,) = model.centres(x)
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(centre))
    assert np.abs(centre - model.encode(x)[0]).max() > 0


def test_a_models_posterior_is_its_own():
    given = Flowed(["planar"])
    one, other = (nv.VAE(5, z, hidden=(3,), posterior=given) for z in (2, 3))
    assert one.params["posterior.flows.0.w"].shape == (2,)
    assert other.params["posterior.flows.0.w"].shape == (3,)


def test_a_flow_that_is_given_twice_is_two(tmp_path):
    flow = nv.Planar()
    model = nv.VAE(5, 2, hidden=(3,), posterior=nv.Flowed([flow, flow]))
    assert {"posterior.flows.0.w", "posterior.flows.1.w"} < set(model.params)
    nv.save(model, tmp_path / "model.npz")
    assert nv.load(tmp_path / "model.npz").params.keys() == model.params.keys()


@pytest.mark.parametrize("flows", ["planar", 3, None])
def test_flows_are_a_list(flows):
    with pytest.raises(nv.ConfigError, match=r"takes a list of flows, such as \['planar'\]; got"):
        nv.Flowed(flows)


def test_the_name_of_a_flow_stands_for_a_posterior_of_n_of_them(tmp_path):
    model = nv.VAE(5, 2, hidden=(3,), posterior="planar:n=3", seed=4)
    listed = nv.VAE(5, 2, hidden=(3,), posterior=nv.Flowed([nv.Planar()] * 3), seed=4)
    assert model.params.keys() == listed.params.keys()
    np.testing.assert_array_equal(model.flat, listed.flat)
    assert model.config["posterior"] == {"name": "planar", "n": 3}
    assert repr(model.posterior) == repr(listed.posterior)
    x = np.random.default_rng(0).random((7, 5))
    np.testing.assert_array_equal(model.elbo(x), listed.elbo(x))
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert again.config == model.config
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))


def test_the_name_of_a_users_flow_takes_its_arguments():
    class Stretched(Planar):
        name = "stretched"

        def __init__(self, spread, b=0.0):
            self.spread, self.b = spread, b

        @classmethod
        def example(cls, rng):
            return cls(2.0), (rng.normal(size=(4, 2, 3)),)

    posterior = resolve("posterior", "stretched:n=2,spread=0.5")
    assert [flow.spread for flow in posterior.flows] == [0.5, 0.5]
    assert posterior.config == {"name": "stretched", "n": 2, "spread": 0.5, "b": 0.0}
    with pytest.raises(nv.ConfigError, match=r"takes n=8, spread, b=0\.0; 'spread' is miss"):
        resolve("posterior", "stretched")


@pytest.mark.parametrize("n", ["0", "x", "1.5"])
def test_a_number_of_flows_is_a_whole_number(n):
    with pytest.raises(nv.ConfigError, match="the number of flows, is a whole number, 1 or more"):
        nv.VAE(5, 2, posterior=f"planar:n={n}")


def test_what_flows_refuse(rng):
    with pytest.raises(nv.ConfigError, match="which flows do not give"):
        nv.fit(flowed_model(), rng.random((9, 5)), objective=nv.DReG(2))
    with pytest.raises(nv.ConfigError, match="made of Gaussian posteriors; got 'flowed'"):
        flowed_model(prior="vamp")
    with pytest.raises(nv.ConfigError, match="free bits need the KL"):
        nv.fit(flowed_model(), rng.random((9, 5)), objective=nv.ELBO(free_bits=0.1))
    level = Level(allocated(Flowed(["planar"]), 2, rng), nv.StandardNormal())
    _, cache = level.forward(rng.normal(size=(3, 4)), rng.normal(size=(2, 3, 2)), ("z",))
    for refused in (LevelTerms(dz_scale=np.ones((2, 3))), LevelTerms(score=False)):
        with pytest.raises(nv.ConfigError, match="which flows do not give"):
            level.backward(cache, np.ones((2, 3, 2)), refused)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("z_dim", [2, 5])
def test_a_coupling_flow_has_an_inverse(z_dim, place, rng):
    flow = allocated(Flowed(["coupling"] * 2), z_dim, rng).flows[place]
    z = rng.normal(size=(3, 4, z_dim))
    (moved, _), _ = flow.forward(z)
    np.testing.assert_allclose(flow.inverse(moved), z, rtol=1e-12, atol=1e-12)
    stays = (moved == z).all((0, 1))
    assert stays.sum() == z_dim - z_dim // 2
    assert stays[-1 if place else 0]
    assert not stays[0 if place else -1]


@pytest.mark.parametrize("n", [1, 2])
def test_an_iaf_looks_back_alone(n, rng):
    """Dimension i depends on those before it in its order; so the Jacobian is triangular."""
    flow = allocated(Flowed(["iaf"] * n), 4, rng).flows[-1]
    z, h = rng.normal(size=(1, 1, 4)), rng.normal(size=(1, 8))
    (moved, _), _ = flow.forward(z, h)
    for j in range(4):
        (other, _), _ = flow.forward(z + 0.1 * (np.arange(4) == j), h)
        changed = np.flatnonzero((other != moved)[0, 0])
        assert changed.min() >= j if n == 1 else changed.max() <= j
        assert j in changed
    assert (flow.forward(z, h + 0.1)[0][0] != moved).all()


def test_the_gradients_of_an_iaf_that_the_encoder_does_not_steer(rng):
    flow = allocated(Flowed(["iaf:width=5,context=0"]), 3, rng).flows[0]
    report = check_gradients(flow, (rng.normal(size=(4, 2, 3)),))
    assert report.ok, str(report)


def test_a_radial_flow_begins_as_the_identity_and_is_invertible(rng):
    flow = allocated(Flowed(["radial"]), 3, rng, spread=0.0).flows[0]
    z = rng.normal(size=(2, 5, 3))
    np.testing.assert_allclose(flow.forward(z)[0][0], z, rtol=1e-12)
    flow.a += 1.0
    flow.b -= 9.0  # beta is near -alpha, its bound
    away = np.linspace(0, 20, 4001)[None, :, None] * np.eye(3)[0] + flow.z_0
    (moved, _), _ = flow.forward(away)
    assert (np.diff(moved[0, :, 0]) > 0).all()
    gradients = radial_backward(moved, moved[..., 0], away, flow.z_0, flow.a, flow.b)
    assert all(np.isfinite(d).all() for d in gradients)  # at z_0 as well


def test_a_radial_flow_is_the_formula(rng):
    flow = allocated(Flowed(["radial"]), 3, rng).flows[0]
    z = rng.normal(size=(2, 5, 3))
    alpha = np.exp(flow.a)
    beta, d = np.logaddexp(0, flow.b) - alpha, z - flow.z_0
    wanted = z + beta * d / (alpha + np.linalg.norm(d, axis=-1, keepdims=True))
    np.testing.assert_allclose(flow.forward(z)[0][0], wanted, rtol=1e-12)


def test_sylvester_s_directions_are_at_right_angles(rng):
    """So f moves z within their span, and what is at right angles to all stays."""
    flow = allocated(Flowed(["sylvester:m=2,reflections=3"]), 5, rng).flows[0]
    z = rng.normal(size=(1, 50, 5))
    moved = (flow.forward(z)[0][0] - z)[0]
    assert np.linalg.matrix_rank(moved, tol=1e-10) == 2


@pytest.mark.parametrize("prior", ["coupling:n=3,hidden=[8]", "flow:flows=[coupling,coupling]"])
def test_a_prior_of_flows_is_a_density_and_draws_from_it(prior, rng):
    """By a sum over a grid; and the draws' mean and spread are those of the grid."""
    prior = resolve("prior", prior)
    prior.build(2, 1)
    prior.allocate(rng)
    for flow in prior.flows:
        flow.network.layers[-1].W += 0.3 * rng.normal(size=flow.network.layers[-1].W.shape)
    line = np.linspace(-15, 15, 401)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    p = np.exp(prior.forward(grid)[0]) * (line[1] - line[0]) ** 2
    assert p.sum() == pytest.approx(1, abs=2e-3)
    mean = np.einsum("ab,abz->z", p, grid)
    spread = np.sqrt(np.einsum("ab,abz->z", p, (grid - mean) ** 2))
    drawn = prior.sample(40_000, 2, rng)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.05 * spread.max())
    np.testing.assert_allclose(drawn.std(0), spread, rtol=0.05)


def test_a_learnt_prior_finds_two_clusters():
    """A flow's prior is nearer to codes in two clusters than a standard normal can be."""
    rng = np.random.default_rng(0)
    x = (3.0 * rng.choice([-1, 1], (600, 1)) + 0.3 * rng.normal(size=(600, 4))).astype("float32")
    bounds = {}
    for prior in ("standard", "coupling"):
        model = nv.VAE(4, 2, hidden=(16,), likelihood="gaussian", prior=prior)
        nv.fit(model, x, epochs=60, batch_size=50, lr=5e-3)
        bounds[prior] = model.elbo(x, 20).mean()
    assert bounds["coupling"] > bounds["standard"] + 0.2


def test_flows_that_can_not_be():
    with pytest.raises(nv.ConfigError, match="a z of one dimension"):
        nv.VAE(4, 1, posterior="coupling")
    with pytest.raises(nv.ConfigError, match="'planar' has none"):
        nv.FlowPrior(["planar"])
    with pytest.raises(nv.ConfigError, match="a list of flows"):
        nv.FlowPrior("coupling")
