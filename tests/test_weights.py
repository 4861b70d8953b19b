"""Weights of rows: a whole number is like repeating the row, in losses, gradients and training."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.core import Terms

B, K, Z = 5, 3, 4
COUNTS = np.array([3, 0, 1, 2, 1])
"""Weights that repeat each row so often."""
OBJECTIVES = {
    "elbo": nv.ELBO(),
    "beta, 2 samples": nv.ELBO(0.3, n_samples=2),
    "free bits": nv.ELBO(n_samples=2, free_bits=0.2),
    "iwae": nv.IWAE(4),
}
each_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def network(dtype="float64", **options):
    model = nv.VAE(6, 2, hidden=(5,), activation="tanh", dtype=dtype, **options)
    model.flat += 0.3 * np.random.default_rng(1).normal(size=model.n_params).astype(dtype)
    return model


def repeated(array, axis=0):
    return np.repeat(array, COUNTS, axis=axis)


LOSSES = {
    "mean_loss": (lambda rng: [rng.normal(size=(K, B))], ()),
    "kl_loss": (lambda rng: [rng.gamma(1.0, 0.5, (1, B, Z)) * [0.1, 1, 2, 3]], (0.7, 0.3)),
    "kl_loss of samples": (lambda rng: [rng.normal(0.5, 0.5, (K, B, Z))], (0.7, 0.5)),
    "sampled_kl_loss": (lambda rng: list(rng.normal(size=(2, K, B))), (0.7,)),
    "iwae": (lambda rng: list(rng.normal(size=(3, K, B))), ()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_whole_weights_is_that_of_repeated_rows(name, rng):
    """And a row's gradient is the sum of its copies'; the mean is over the rows there are."""
    make, constants = LOSSES[name]
    kernel, arrays = getattr(kernels, name.split()[0]), make(rng)
    share = COUNTS.sum() / B
    ours = kernel(*arrays, *constants, COUNTS.astype(float))
    if name.startswith("kl"):  # free bits are a threshold of the weighted mean
        total, slope = kernel(*(repeated(a, 1) * share for a in arrays), *constants)
        theirs = total, slope * share
    else:
        theirs = [share * t for t in kernel(*(repeated(a, 1) for a in arrays), *constants)]
    for one, other in zip(ours, theirs, strict=True):
        if np.ndim(one):
            copies = np.split(other, np.cumsum(COUNTS)[:-1], axis=1)
            other = np.stack([c.sum(1) for c in copies], axis=1)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_1_change_nothing(name, rng):
    make, constants = LOSSES[name]
    kernel, arrays = getattr(kernels, name.split()[0]), make(rng)
    ones = kernel(*arrays, *constants, np.ones(B))
    for one, other in zip(ones, kernel(*arrays, *constants), strict=True):
        np.testing.assert_array_equal(one, other)


class WithWeights:
    """An objective that brings its batch's weights along."""

    def __init__(self, objective, weights):
        self.objective, self.weights = objective, weights
        self.needs, self.n_samples, self.beta = (
            objective.needs, objective.n_samples, objective.beta,
        )  # fmt: skip

    def __call__(self, terms, epoch=np.inf):
        terms.weights = self.weights
        return self.objective(terms, epoch)


@pytest.mark.parametrize(
    ("objective", "prior"),
    [
        *((objective, "standard") for objective in OBJECTIVES),
        ("beta, 2 samples", "mixture"),
    ],
)
def test_gradients(objective, prior, rng):
    objective, model = OBJECTIVES[objective], network(prior=prior)
    inputs = rng.random((B, 6)), model.draw_noise(B, objective.n_samples, rng)
    weights = np.array([0.2, 0.0, 3.0, 1.0, 0.7])
    report = nv.check_gradients(
        model, inputs, objective=WithWeights(objective, weights), methods=["complex"]
    )
    assert report.ok, str(report)
    loss, gradients = nv.value_and_grad(model, objective, *inputs, weights=weights)
    wrapped = nv.value_and_grad(model, WithWeights(objective, weights), *inputs)
    assert loss == wrapped[0]
    for name in gradients:
        np.testing.assert_array_equal(gradients[name], wrapped[1][name])


@each_objective
def test_whole_weights_are_like_repeating_rows(objective, rng):
    model, x = network(), rng.random((B, 6))
    eps = model.draw_noise(B, objective.n_samples, rng)
    weights = COUNTS / COUNTS.mean()
    loss, gradients = nv.value_and_grad(model, objective, x, eps, weights=weights)
    wanted, of_repeated = nv.value_and_grad(model, objective, repeated(x), repeated(eps, 1))
    assert loss == pytest.approx(wanted, rel=1e-12)
    for name in gradients:
        np.testing.assert_allclose(gradients[name], of_repeated[name], rtol=1e-9, atol=1e-13)


def test_value_and_grad_takes_weights_as_they_are(rng):
    model, x = network(), rng.random((B, 6))
    eps, weights = model.draw_noise(B, 1, rng), rng.random(B)
    loss, gradients = nv.value_and_grad(model, nv.ELBO(), x, eps, weights=weights)
    alone = [nv.value_and_grad(model, nv.ELBO(), x[[b]], eps[:, [b]]) for b in range(B)]
    assert loss == pytest.approx(np.mean([w * a[0] for w, a in zip(weights, alone, strict=True)]))
    for name in gradients:
        want = np.mean([w * a[1][name] for w, a in zip(weights, alone, strict=True)], axis=0)
        np.testing.assert_allclose(gradients[name], want, rtol=1e-11, atol=1e-14)
    twice, _ = nv.value_and_grad(model, nv.ELBO(), x, eps, weights=2 * weights)
    assert twice == pytest.approx(2 * loss, rel=1e-14)


def test_the_mean_of_the_weighted_elbo_is_the_weighted_mean(rng):
    model, x = network(), rng.random((B, 6))
    plain, weights = model.elbo(x, n_samples=3), 7 * rng.random(B)
    weighted = model.elbo(x, n_samples=3, weights=weights)
    assert weighted.mean() == pytest.approx(np.average(plain, weights=weights), rel=1e-13)
    np.testing.assert_allclose(weighted, plain * weights / weights.mean(), rtol=1e-13)
    np.testing.assert_array_equal(model.elbo(x, n_samples=3, weights=np.full(B, 3)), plain)


# Training. On NumPy: tests/executor/test_capture_weights.py has the captured steps.


@pytest.fixture
def on_numpy():
    nv.use_kernels("numpy")
    yield
    nv.use_kernels(None)


X = np.random.default_rng(0).random((50, 6)).astype("float32")
WEIGHTS = np.random.default_rng(1).gamma(1.0, 2.0, 50)
OPTIONS = dict(epochs=2, batch_size=16, lr=3e-3)


def trained(weights, x=X, **options):
    model = network("float32")
    history = nv.fit(model, x, weights=weights, **{**OPTIONS, **options})
    return model, history.records[-1]


@pytest.mark.usefixtures("on_numpy")
@each_objective
def test_training_is_on_the_weighted_mean(objective):
    """At a learning rate of 0 the record is the objective's weighted mean over the epoch."""
    model, record = trained(WEIGHTS, objective=objective, lr=0.0, batch_size=50, epochs=1)
    order = np.random.default_rng([0, 1, 0]).permutation(50)
    eps = model.draw_noise(50, objective.n_samples, np.random.default_rng([0, 1, 1]))
    weights = (WEIGHTS / WEIGHTS.mean())[order]
    loss, _ = nv.value_and_grad(model, objective, X[order], eps, weights=weights)
    assert record["train_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.usefixtures("on_numpy")
def test_a_short_last_batch_counts_by_its_rows():
    """The epoch's loss is the weighted mean over the rows, however they fall into batches."""
    losses = [
        trained(WEIGHTS, lr=0.0, batch_size=batch_size, epochs=1)[1]["train_loss"]
        for batch_size in (50, 16, 7, 1)
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    plain = trained(None, lr=0.0, epochs=1)[1]["train_loss"]
    assert abs(plain - losses[0]) > 1e-3


@pytest.mark.usefixtures("on_numpy")
def test_only_the_weights_proportions_matter():
    model, record = trained(WEIGHTS)
    for factor in (1e-300, 1e3, 1e300):
        other, same = trained(factor * WEIGHTS)
        np.testing.assert_allclose(other.flat, model.flat, rtol=1e-4, atol=1e-6)
        assert same["train_loss"] == pytest.approx(record["train_loss"], rel=1e-5)
    equal, _ = trained(np.full(50, 3, "int8"))
    np.testing.assert_array_equal(equal.flat, trained(None)[0].flat)


@pytest.mark.usefixtures("on_numpy")
def test_rows_of_weight_0_are_as_good_as_not_there():
    """Their columns' means do not count for the start either."""
    model = nv.VAE(6, 2, hidden=(5,))
    x = np.vstack([X[:25], np.ones((25, 6), "float32")])
    nv.fit(model, x, weights=np.repeat([1, 0], 25), epochs=0)
    other = nv.VAE(6, 2, hidden=(5,))
    nv.fit(other, X[:25], epochs=0)
    bias = "decoder.layers.1.b"
    np.testing.assert_allclose(model.params[bias], other.params[bias], atol=0.1)
    assert model.params[bias].max() < 1


@pytest.mark.usefixtures("on_numpy")
def test_validation_is_not_weighted():
    """Its loss compares with that of runs with other weights, or none."""
    _, record = trained(WEIGHTS, lr=0.0, valid=X)
    _, plain = trained(None, lr=0.0, valid=X)
    assert record["valid_loss"] == plain["valid_loss"]


@pytest.mark.usefixtures("on_numpy")
def test_an_objective_of_one_s_own_finds_them_in_the_terms():
    seen = []

    class Own(nv.ELBO, abstract=True):
        def __call__(self, terms, epoch=np.inf):
            seen.append(terms.weights)
            return super().__call__(terms, epoch)

    trained(WEIGHTS, objective=Own(), epochs=1)
    order = np.random.default_rng([0, 1, 0]).permutation(50)
    want = (WEIGHTS / WEIGHTS.mean())[order]
    trial, *steps = seen  # what is one's own is tried on two rows before the first step
    assert trial.shape == (2,)
    np.testing.assert_allclose(np.concatenate(steps), want, rtol=1e-6)
    assert Terms().weights is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4), "one number for each of the 5 rows, of shape (5,); got float64 of shape (4,)"),
        (np.ones((5, 1)), "got float64 of shape (5, 1). Give one weight a row"),
        (2.0, "got float64 of shape ()"),
        (["a"] * 5, "got <U1 of shape (5,)"),
        ([[1], [1, 2], 3, 4, 5], "one number for each of the 5 rows"),
        (np.ones(5, complex), "got complex128 of shape (5,)"),
        ([1, 1, -0.5, 1, 1], "0 or more and not all 0; got -0.5 in row 2 (counted from 0)"),
        ([1, np.nan, 1, 1, 1], "got nan in row 1"),
        ([1, 1, 1, 1, np.inf], "got inf in row 4"),
        (np.zeros(5), "got zeros alone. Leave weights out to count every row the same."),
    ],
)
def test_weights_that_are_none(weights, message):
    model, x = network(), np.full((5, 6), 0.5)
    eps = model.draw_noise(5, 1, np.random.default_rng(0))
    for use in (
        lambda: nv.fit(model, x, weights=weights, epochs=1),
        lambda: model.elbo(x, weights=weights),
        lambda: nv.value_and_grad(model, nv.ELBO(), x, eps, weights=weights),
    ):
        with pytest.raises(nv.DataError) as caught:
            use()
        assert message in str(caught.value)
