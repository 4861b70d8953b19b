"""What a user's parts and objectives break is one sentence, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.layers import Dense

X = np.random.default_rng(0).random((30, 5)).astype("float32")


class Mine(nv.Gaussian, abstract=True):
    pass


class OneForAll(Mine, abstract=True):
    def forward(self, mean, x):
        log_px, cache = super().forward(mean, x)
        return log_px.mean(0), cache


class PerColumn(Mine, abstract=True):
    def forward(self, mean, x):
        return -0.5 * (mean - x) ** 2, x - mean


class Alone(Mine, abstract=True):
    def forward(self, mean, x):
        return super().forward(mean, x)[0]


class Summed(Mine, abstract=True):
    def backward(self, cache, d):
        dmean, _ = super().backward(cache, d)
        return dmean.sum(0), None


class Replacing(Mine, abstract=True):
    def declare(self, x_dim):
        self.parameter("shift", (x_dim,), lambda rng, shape: np.zeros(shape))

    def forward(self, mean, x):
        return super().forward(mean + self.shift, x)

    def backward(self, cache, d):
        dmean, _ = super().backward(cache, d)
        self.dshift = dmean.sum((0, 1))
        return dmean, None


class Wide(Dense, abstract=True):
    def forward(self, x):
        h, cache = super().forward(x)
        return np.concatenate([h, h], -1), cache


class Flat(nv.Planar, abstract=True):
    def forward(self, z):
        (moved, change), cache = super().forward(z)
        return (moved, change[0]), cache


class Far(nv.StandardNormal, abstract=True):
    def forward(self, z):
        return -0.5 * (z - 3) ** 2, z

    def backward(self, z, d):
        return d[..., None] * (3 - z)


def of(**parts):
    return nv.VAE(5, 2, hidden=(4,), **parts)


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            dict(likelihood=OneForAll()),
            r"log_px of shape \(K, B\), .*, here \(1, 2\); likelihood \(OneForAll\) gave \(2,\)\.$",
        ),
        (dict(likelihood=PerColumn()), r"here \(1, 2\); likelihood \(PerColumn\) gave \(1, 2, 5\)"),
        (
            dict(likelihood=Alone()),
            r"a pair, \(outputs, cache\); .* likelihood \(Alone\) gave an array of shape \(1, 2\)",
        ),
        (
            dict(likelihood=Summed()),
            r"of mean in the shape of mean, \(1, 2, 5\); .*\(Summed\) gave \(2, 5\)\.$",
        ),
        (
            dict(likelihood=Replacing()),
            r"of likelihood\.shift to the array that dshift is; Replacing put another in its place",
        ),
        (
            dict(decoder=nv.layers.Sequential([Dense(2, 4, "tanh"), Wide(4, 5)])),
            r"here \(1, 2, 5\); decoder\.layers\.1 \(Wide\) gave \(1, 2, 10\)\.$",
        ),
        (
            dict(posterior=nv.Flowed([Flat()])),
            r"change of shape \(K, B\), here \(1, 2\); posterior\.flows\.0 \(Flat\) gave \(2,\)\.$",
        ),
        (dict(prior=Far()), r"log p\(z\) of shape \(K, B\), .*; prior \(Far\) gave \(1, 2, 2\)\.$"),
    ],
    ids=lambda value: type(next(iter(value.values()))).__name__ if isinstance(value, dict) else "",
)
def test_a_part_that_gives_something_of_another_form(parts, message, kernels):
    model = of(**parts)
    before = model.copy().params
    nv.use_kernels(kernels)
    try:
        with pytest.raises(nv.ConfigError, match=message):
            nv.fit(model, X, epochs=1)
    finally:
        nv.use_kernels(None)
    np.testing.assert_array_equal(model.params["encoder.layers.0.W"], before["encoder.layers.0.W"])


def test_what_keeps_to_its_contract_is_not_stopped():
    class Counted(nv.Gaussian, abstract=True):
        calls = 0

        def forward(self, mean, x):
            self.calls += 1
            return super().forward(mean, x)

    model = of(likelihood=Counted(), prior="vamp:n_components=3", posterior="gaussian")
    nv.use_kernels("numpy")
    nv.fit(model, X, epochs=2, batch_size=10)
    nv.use_kernels(None)
    assert model.likelihood.calls == 0  # its training is the worker's
    assert nv.fit(of(), X, epochs=1, objective=Named(("loss", "mine"))).records[0]["train_mine"]


class Named(nv.ELBO, abstract=True):
    """An ELBO whose losses have these names."""

    def __init__(self, names, given=("loss", "mine")):
        super().__init__()
        self.losses, self.given = names, given

    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        return nv.Losses(**dict(zip(self.given, losses.values(), strict=False))), d_terms


class Bare(nv.ELBO, abstract=True):
    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        return losses.loss, d_terms


class Single(nv.ELBO, abstract=True):
    def __call__(self, terms, epoch=np.inf):
        return super().__call__(terms, epoch)[0]


WRONG = [
    (Named(("loss", "rec")), r"here loss, rec; Named returned loss, mine\.$"),
    (Named("loss"), r"names such as \('loss', 'rec', 'kl'\), .*; Named has 'loss'\.$"),
    (Named(()), r"names such as .*; Named has \(\)\.$"),
    (Named((1, "kl")), r"names such as .*; Named has \(1, 'kl'\)\.$"),
    (Bare(), r"returns nv\.Losses of the names .* here loss, rec, kl; Bare returned float64\.$"),
    (Single(), r"a pair, \(losses, gradients of the terms\); Single gave"),
]


@pytest.mark.parametrize(("objective", "message"), WRONG, ids=range(len(WRONG)))
def test_an_objective_that_gives_other_losses_than_it_names(objective, message):
    for kernels in ("numpy", None):
        nv.use_kernels(kernels)
        with pytest.raises(nv.ConfigError, match=message):
            nv.fit(of(), X, epochs=1, objective=objective)


def test_value_and_grad_takes_the_first_of_the_losses():
    model = of(dtype="float64")
    eps = model.draw_noise(len(X), 1, np.random.default_rng(0))
    ours = Named(("mine", "rec"), ("mine", "rec", "kl"))
    with pytest.raises(nv.ConfigError, match="Named returned loss, mine"):
        nv.value_and_grad(model, Named(("loss", "rec")), X, eps)
    ours.__class__ = type("Free", (Named,), {"__call__": _free}, abstract=True)
    loss, _ = nv.value_and_grad(model, ours, X, eps)
    assert loss == nv.value_and_grad(model, "elbo", X, eps)[0]


def _free(self, terms, epoch=np.inf):
    losses, d_terms = nv.ELBO.__call__(self, terms, epoch)
    return {"rec": losses.rec, "mine": losses.loss}, d_terms
