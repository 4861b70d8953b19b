"""Mixed: values and gradients by group, the table's order, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from proofs import each_proof
from scipy import special, stats

import npvae as nv
from npvae.core import bind, layout, n_parameters

B, K = 6, 3
GROUPS = [
    ("gaussian_column_scale", (5, 0)),
    ("bernoulli", (1,)),
    (nv.NegativeBinomial(library=10), (4, 2)),
    ({"name": "categorical", "classes": 3}, (3, 6)),
]
N_OUTPUTS = 2 + 1 + 2 + 2 * 3


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def rows(rng, n=B):
    """A table in the support of GROUPS."""
    x = rng.normal(0, 2, (n, 7))
    x[:, 1] = rng.integers(2, size=n)
    x[:, [2, 4]] = rng.poisson(3, (n, 2))
    x[:, [3, 6]] = rng.integers(3, size=(n, 2))
    return x


def mixed(rng, dtype=np.float64):
    """With parameters that are not those of the start."""
    likelihood = nv.Mixed(GROUPS)
    bind(likelihood, rng.normal(0, 0.4, n_parameters(likelihood)).astype(dtype))
    return likelihood


def test_log_p_is_the_sum_of_scipy_s(rng):
    likelihood, x = mixed(rng), rows(rng)
    theta = rng.normal(size=(K, B, N_OUTPUTS))
    scale, size = np.exp(likelihood.parts[0].log_scale), np.exp(likelihood.parts[2].log_dispersion)
    counts = x[:, [4, 2]]
    means = np.exp(theta[..., 3:5]) * counts.sum(-1, keepdims=True) / 10
    want = stats.norm.logpdf(x[:, [5, 0]], theta[..., :2], scale).sum(-1)
    want += stats.bernoulli.logpmf(x[:, 1], special.expit(theta[..., 2]))
    want += stats.nbinom.logpmf(counts, size, size / (size + means)).sum(-1)
    for column, logits in ((3, theta[..., 5:8]), (6, theta[..., 8:])):
        log_p = special.log_softmax(logits, -1)
        want += log_p[:, np.arange(B), x[:, column].astype(int)]
    np.testing.assert_allclose(likelihood.log_prob(theta, x), want, rtol=1e-12)


def test_one_group_is_that_likelihood(rng):
    theta, x = rng.normal(size=(K, B, 4)), rng.normal(size=(B, 4))
    alone = nv.Gaussian(0.3)
    one = nv.Mixed([(alone, range(4))])
    np.testing.assert_array_equal(one.log_prob(theta, x), alone.log_prob(theta, x))
    np.testing.assert_array_equal(one.mean(theta), alone.mean(theta))
    ones = np.ones((K, B))
    ours, theirs = (part.backward(part.forward(theta, x)[1], ones)[0] for part in (one, alone))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_given_out_has_the_table_s_order(rng, dtype):
    likelihood = mixed(rng, dtype)
    theta = rng.normal(size=(4, N_OUTPUTS)).astype(dtype)
    shares = np.split(theta, [2, 3, 5], axis=-1)
    for method in ("mean", "mode"):
        given = getattr(likelihood, method)(theta)
        assert (given.shape, given.dtype) == ((4, 7), dtype)
        for part, columns, share in zip(likelihood.parts, likelihood.columns, shares, strict=True):
            np.testing.assert_array_equal(given[:, columns], getattr(part, method)(share))
    draws = likelihood.sample(np.repeat(theta[:1], 500, 0), np.random.default_rng(0))
    assert (draws.shape, draws.dtype) == ((500, 7), dtype)
    likelihood.check(draws)
    np.testing.assert_array_equal(draws[:, [1, 2, 3, 4, 6]] % 1, 0)
    assert len(np.unique(draws[:, 0])) > 400
    again = likelihood.sample(np.repeat(theta[:1], 500, 0), np.random.default_rng(0))
    np.testing.assert_array_equal(draws, again)


def test_gradients_of_a_model(rng):
    """Under other objectives: tests/gradcheck/test_everything_registered.py."""
    objective = nv.ELBO(2.0, n_samples=2, free_bits=0.1)
    model = nv.VAE(7, 2, hidden=(4,), activation="tanh", likelihood=nv.Mixed(GROUPS))
    x, eps = rows(rng, 4), model.draw_noise(4, objective.n_samples, rng)
    report = nv.check_gradients(model, (x, eps), objective=objective, methods=["complex"])
    assert report.ok, str(report)
    assert "likelihood.parts.2.log_dispersion" in {row.argument for row in report}


@each_proof
def test_gradients_of_parts_that_the_decoder_gives_more_to(rng, methods):
    heads = nv.Mixed(
        [
            (nv.Laplace("decoder"), (3,)),
            (nv.ZeroInflatedNegativeBinomial("decoder"), (0, 2)),
            (nv.OneHot(), (1, 4, 5)),
        ]
    )
    x = np.array([[0, 1, 2, 0.5, 0, 0], [3, 0, 0, -2.5, 0, 1]])
    theta = rng.normal(size=(2, 2, heads.n_outputs(6)))
    report = nv.check_gradients(heads, (theta, x), methods=methods)
    assert report.ok, str(report)


def test_each_group_has_parameters_of_its_own():
    """One object for two groups makes two copies, and the user's stays as it is."""
    scale = nv.GaussianColumnScale()
    model = nv.VAE(3, 2, hidden=(4,), likelihood=nv.Mixed([(scale, (0,)), (scale, (2, 1))]))
    assert layout(model)["likelihood.parts.0.log_scale"].shape == (1,)
    assert layout(model)["likelihood.parts.1.log_scale"].shape == (2,)
    assert not layout(scale)


def test_the_output_s_bias_starts_at_the_columns_means(rng):
    x = rows(rng, 200)
    likelihood = nv.Mixed([*GROUPS[:2], ("poisson", (4, 2)), *GROUPS[3:]])
    bias = likelihood.output_bias(x.mean(0), len(x))
    assert bias.shape == (N_OUTPUTS,)
    bind(likelihood, np.zeros(n_parameters(likelihood)))
    columns = [0, 1, 2, 4, 5]
    start = likelihood.mean(bias[None])[0]
    np.testing.assert_allclose(start[columns], x.mean(0)[columns], atol=0.01)
    np.testing.assert_array_equal(bias[5:], 0)  # Categorical has none of its own


def test_a_table_trains_and_is_saved_and_loaded(rng, tmp_path):
    x = rows(rng, 64)
    model = nv.VAE(7, 2, hidden=(8,), likelihood=nv.Mixed(GROUPS))
    history = nv.fit(model, x, valid=x[:20], epochs=8, batch_size=16, lr=0.01)
    losses = [record["train_loss"] for record in history.records]
    assert losses[-1] < losses[0]
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert repr(again.likelihood) == repr(model.likelihood)
    assert again.config == json.loads(json.dumps(model.config))
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert np.isfinite(nv.log_likelihood(again, x, n_samples=5)).all()


def test_bytes_are_divided_where_all_groups_live_between_0_and_1():
    both = [("bernoulli", (0,)), ("continuous_bernoulli", (1,))]
    assert nv.Mixed(both).unit_interval
    assert not nv.Mixed([both[0], ("gaussian", (1,))]).unit_interval
    model = nv.VAE(2, 1, hidden=(2,), likelihood=nv.Mixed(both))
    nv.fit(model, np.array([[0, 255], [51, 102]], "uint8"), epochs=1)
    assert model.scale == 255


def test_groups_that_are_clear_at_a_glance():
    likelihood = nv.Mixed([("bernoulli", (0, 2)), ("bernoulli", (1,))])
    x = np.array([[0, 0.5, 1.0]])
    assert likelihood.clearly_supports(x)
    for column in range(3):
        assert not likelihood.clearly_supports(np.where(np.arange(3) == column, 1.5, x))
    gaussian = nv.Mixed([("bernoulli", (0, 2)), ("gaussian", (1,))])
    assert not gaussian.clearly_supports(x)  # which says that a closer look is needed


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("gaussian", (0, 1)), ("bernoulli", (1,))], "column 1 in group 0 and again in group 1"),
        ([("gaussian", (0, 1, 1))], "column 1 in group 0 and again in group 0"),
        ([("gaussian", (0, 3)), ("bernoulli", (1,))], "none for column 2 (counted from 0), while"),
        ([("gaussian", (1, 2))], "got none for column 0 (counted from 0)"),
        ([("gausian", (0,))], "did you mean 'gaussian'?"),
        ([(3, (0,))], "likelihood takes a name or an object of that family; got 3."),
        ([("gaussian", (0, -1))], "a group's column is a whole number, 0 or more; got -1."),
        ([("gaussian", (0, "1"))], "a group's column is a whole number, 0 or more; got '1'."),
        ([("gaussian", ())], "got () for a group's columns."),
        ([("gaussian", 0)], "got 0 for a group's columns."),
        ([("gaussian", "01")], "got '01' for a group's columns."),
        ([("gaussian", (0,), (1,))], "is a pair (likelihood, columns); got"),
        (["gaussian"], "got 'gaussian' for a group."),
        ([], "got [] for groups."),
        ({"gaussian": (0,)}, "got {'gaussian': (0,)} for groups."),
        ([(nv.Categorical((2, 2)), (0, 1, 2))], "got 2 for 3 columns"),
    ],
    ids=str,
)
def test_groups_that_make_no_likelihood(groups, message):
    with pytest.raises(nv.ConfigError) as caught:
        nv.Mixed(groups)
    assert message in str(caught.value)


@pytest.mark.parametrize("x_dim", [2, 4])
def test_another_number_of_columns(x_dim):
    likelihood = nv.Mixed([("gaussian", (0, 1)), ("bernoulli", (2,))])
    message = f"groups for 3 columns, and data of {x_dim}"
    with pytest.raises(nv.ConfigError, match=message):
        nv.VAE(x_dim, 2, likelihood=likelihood)
    with pytest.raises(nv.ConfigError, match=message):
        likelihood.log_prob(np.zeros((1, 3)), np.zeros((1, x_dim)))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (4, -2, "NegativeBinomial needs counts, whole numbers from 0 on; got -2 in column 4 "),
        (2, 0.5, "got 0.5 in column 2 (counted from 0)"),
        (6, 3, "Categorical needs whole numbers from 0 to 2 in column 6 (counted from 0); got 3."),
        (3, -1, "in column 3 (counted from 0); got -1."),
        (1, 7, "in column 1 (counted from 0), Bernoulli needs data in [0, 1]; got a maximum of 7."),
    ],
)
def test_data_outside_of_a_group_s_support_name_the_table_s_column(column, value, message, rng):
    x = rows(rng)
    x[3, column] = value
    with pytest.raises(nv.DataError) as caught:
        nv.Mixed(GROUPS).check(x)
    assert message in str(caught.value)
    with pytest.raises(nv.DataError) as caught:
        nv.fit(nv.VAE(7, 2, hidden=(3,), likelihood=nv.Mixed(GROUPS)), x, epochs=1)
    assert message in str(caught.value)


def test_of_columns_that_are_only_told_together_the_wrong_ones_are_named():
    x = np.array([[0.2, 0.0, 3.0, 0.5, 9.0, 0.1]])
    flags = nv.Mixed([("bernoulli", (3, 2, 0, 4)), ("gaussian", (1, 5))])
    with pytest.raises(nv.DataError, match=r"in columns 2, 4 \(counted from 0\), Bernoulli"):
        flags.check(x)
    hot = nv.Mixed([(nv.OneHot((2, 2)), (5, 3, 2, 0)), ("gaussian", (1, 4))])
    with pytest.raises(nv.DataError, match=r"in columns 5, 3, 2, 0 \(counted from 0\), OneHot"):
        hot.check(x)
