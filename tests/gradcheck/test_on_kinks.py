"""Inputs that lie exactly on kinks: right gradients raise no alarm, wrong ones are still found."""

from __future__ import annotations

import numpy as np
import pytest

from npvae.gradcheck import check_gradients


def elementwise(f, derivative):
    """A pair (forward, backward) of an elementwise function."""
    return (lambda x: (f(x), x)), (lambda x, dy: dy * derivative(x))


def masked(x):
    return np.where(x.real > 0, x, 0 * x)


def clipped(x):
    return np.where(x.real < -1, -1, np.where(x.real > 1, 1, x))


ELEMENTWISE = {
    "relu by maximum": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "relu by where": (lambda x: np.where(x > 0, x, 0), lambda x: x >= 0),
    "relu by a mask": (lambda x: x * (x.real > 0), lambda x: x > 0),
    "leaky relu": (lambda x: np.where(x.real > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: (x > 0) & (x < 6)),
    "clip": (lambda x: np.clip(x, -1, 1), lambda x: (x > -1) & (x < 1)),
    "clip, ends counted": (clipped, lambda x: (x >= -1) & (x <= 1)),
    "abs": (np.abs, np.sign),
    "abs by where": (lambda x: np.where(x.real < 0, -x, x), np.sign),
    "abs, one side": (lambda x: np.where(x.real < 0, -x, x), lambda x: np.where(x < 0, -1, 1)),
    "hinge": (lambda x: masked(1 - x), lambda x: -1.0 * (x < 1)),
    "huber": (
        lambda x: np.where(np.abs(x.real) <= 1, x * x / 2, np.sign(x.real) * x - 0.5),
        lambda x: np.clip(x, -1, 1),
    ),
}
ENTRIES = {
    "one": lambda rng, joints: rng.choice(joints, 1),
    "some": lambda rng, joints: np.where(rng.random((3, 4)) < 0.5, rng.choice(joints, (3, 4)),
                                         rng.normal(size=(3, 4))),
    "all": lambda rng, joints: rng.choice(joints, (3, 4)),
    "zeros": lambda rng, joints: np.zeros((3, 4)),
}  # fmt: skip


def network():
    """relu(... relu(x W₁ + b₁) ...) Wₙ + bₙ for any number of layers."""

    def forward(x, *params):
        cache = []
        for W, b in zip(params[::2], params[1::2], strict=True):
            cache.append((x, W))
            a = x @ W + b
            x = masked(a)
        return a, cache

    def backward(cache, da):
        grads = []
        for x, W in reversed(cache):
            grads = [x.T @ da, da.sum(0), *grads]
            dx = da @ W.T
            da = dx * (x.real > 0)
        return (dx, *grads)

    return forward, backward


def from_rows(statistic, place):
    """A statistic of each row, whose gradient goes to the entries that `place` names."""

    def backward(x, dy):
        dx = np.zeros_like(x)
        np.put_along_axis(dx, place(x), dy.reshape(len(x), -1), 1)
        return dx

    return (lambda x: (statistic(x), x)), backward


def by_rank(x):
    return np.argsort(x, 1, kind="stable")


def shared_by_ties(x, dy):
    largest = x == x.max(1, keepdims=True)
    return largest * (dy / largest.sum(1))[:, None]


def larger():
    def backward(cache, d):
        x, y = cache
        return d * (x > y), d * (x <= y)

    return (lambda x, y: (np.maximum(x, y), (x, y))), backward


def margin():
    """Σ_nc max(0, 1 + s_nc - s_n0), the hinge loss of many classes."""

    def excess(s):
        return np.hstack([0 * s[:, :1], 1 + s[:, 1:] - s[:, :1]])

    def gradient(s):
        d = 1.0 * (excess(s) > 0)
        d[:, 0] = -d.sum(1)
        return d

    return (lambda s: masked(excess(s)).sum()), gradient


def normalised():
    """ReLU behind a batch normalisation, which gives zeros where a column is constant."""

    def forward(x, gamma, beta):
        centred = x - x.mean(0)
        std = np.sqrt((centred**2).mean(0) + 1e-5)
        a = gamma * centred / std + beta
        return masked(a), (centred / std, std, gamma, a)

    def backward(cache, dy):
        unit, std, gamma, a = cache
        da = dy * (a.real > 0)
        d = da * gamma
        dx = (d - d.mean(0) - unit * (d * unit).mean(0)) / std
        return dx, (da * unit).sum(0), da.sum(0)

    return forward, backward


def layers(rng, x, values=None):
    draw = rng.normal if values is None else lambda size: rng.choice(values, size).astype(float)
    W = [draw(size=s) for s in ((4, 5), (5, 5), (5, 2))]
    return (x, W[0], np.zeros(5), W[1], np.zeros(5), W[2], np.zeros(2))


def larger_cases(rng):
    """What has kinks in more than one entry at a time: name -> (pair, inputs)."""
    ties, x = rng.integers(0, 3, (4, 5)).astype(float), rng.normal(size=(3, 4))
    constant = rng.normal(size=(6, 3))
    constant[:, 1] = 1.0
    one_empty = np.vstack([x[:2], np.zeros((1, 4))])
    middle = from_rows(lambda x: np.median(x, 1), lambda x: by_rank(x)[:, 2:3])
    return {
        "two equal arrays": (larger(), (x, x.copy())),
        "two that are equal here and there": (larger(), (x, np.where(x > 0, x, 0.3))),
        "max of ties": (from_rows(lambda x: x.max(1), lambda x: x.argmax(1)[:, None]), (ties,)),
        "max of ones": ((lambda x: (x.max(1), x), shared_by_ties), (np.ones((4, 5)),)),
        "sort": (from_rows(lambda x: np.sort(x, 1), by_rank), (ties,)),
        "median": (middle, (ties,)),
        "median of zeros": (middle, (np.zeros((3, 5)),)),
        "margin": (margin(), (np.tile([1.0, 0, 0], (3, 1)),)),
        "network at zeros": (network(), layers(rng, np.zeros((3, 4)))),
        "network, one empty row": (network(), layers(rng, one_empty)),
        "network of whole numbers": (network(), layers(rng, x.round(), [-1, 0, 1])),
        "network of zeros": (network(), layers(rng, np.zeros((3, 4)), [0])),
        "constant column": (normalised(), (constant, np.ones(3), np.zeros(3))),
        "gamma 0": (normalised(), (rng.normal(size=(6, 3)), np.zeros(3), np.zeros(3))),
    }


def holds(target, inputs, seed, name):
    report = check_gradients(target, inputs, seed=seed)
    assert report.ok, f"{name}, seed {seed}\n{report}"
    assert not any(row.verdict == "wrong" for row in report), f"{name}, seed {seed}\n{report}"


def on_joints(seeds):
    joints = [-1.0, 0.0, 1.0, 6.0]
    for seed in seeds:
        for name, (f, derivative) in ELEMENTWISE.items():
            for entries, draw in ENTRIES.items():
                x = draw(np.random.default_rng(seed), joints)
                holds(elementwise(f, derivative), (x,), seed, f"{name}, {entries}")


def on_many(seeds):
    for seed in seeds:
        for name, (pair, inputs) in larger_cases(np.random.default_rng(seed)).items():
            holds(pair, inputs, seed, name)


def test_elementwise_kinks():
    on_joints(range(2))


@pytest.mark.slow
def test_kinks_of_many_entries():
    on_many(range(2))


# In parts, so that cores share what would take one of them minutes.
@pytest.mark.slow
@pytest.mark.parametrize("first", range(2, 202, 20))
def test_elementwise_kinks_over_200_seeds(first):
    on_joints(range(first, first + 20))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(2, 102, 5))
def test_kinks_of_many_entries_over_100_seeds(first):
    on_many(range(first, first + 5))


@pytest.mark.parametrize("method", ["central", "complex", "taylor"])
@pytest.mark.parametrize("name", ["relu by a mask", "leaky relu", "clip, ends counted",
                                  "abs by where", "huber"])  # fmt: skip
def test_no_kink_excuses_a_wrong_gradient(name, method):
    f, derivative = ELEMENTWISE[name]
    for entries in ("some", "all") if name == "huber" else ("some", "all", "zeros"):
        x = ENTRIES[entries](np.random.default_rng(0), [-1.0, 0.0, 1.0])
        report = check_gradients(
            elementwise(f, lambda x: 2 * derivative(x)), (x,), methods=[method]
        )
        assert [row.verdict for row in report] == ["wrong"], f"{name}, {entries}\n{report}"
        if method != "taylor":
            assert "it is twice what it should be" in report.rows[0].note


def test_where_the_sides_of_two_kinks_cancel_it_is_left_open():
    """relu(x) - relu(-x) = x: no value of the function tells that both are at their kinks."""
    pair = elementwise(lambda x: masked(x) - masked(-x), lambda x: 1.0 * (x != 0))
    report = check_gradients(pair, (np.zeros(3),), methods=["central"])
    assert [row.verdict for row in report] == ["inconclusive"], str(report)
    assert "right all around it" in report.rows[0].note


def test_a_smooth_function_whose_gradient_is_wrong_near_by_too_is_wrong():
    pair = elementwise(lambda x: x * x, lambda x: np.where(x > -0.5, 3 * x + 1, 2 * x))
    report = check_gradients(pair, (np.zeros(3),))
    assert {row.verdict for row in report} == {"wrong"}, str(report)
