"""Gradients along one direction each, from two values: quick, and without the package's checker."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.core import bind, layout, n_parameters, registered, registered_parts
from npvae.core.trees import leaves
from npvae.gradcheck.whole_level import fitting, level_of

STEP = 1e-6
PARTS = {
    name: cls
    for name, cls in registered_parts().items()
    if not name.startswith(("model.", "likelihood."))
}
PAIRS = {
    f"{q}-{p}": (posterior, prior)
    for q, posterior in registered("posterior").items()
    for p, prior in registered("prior").items()
    if fitting(posterior, prior)
}
OBJECTIVES = {
    text: objective
    for cls in registered("objective").values()
    if cls.derivative
    for text, objective in cls.examples().items()
}
MODELS = {
    "mask, mixture, context": lambda: nv.VAE(
        5, 2, prior="mixture:n_components=3", context_dim=2, missing="mask", **SMALL
    ),
    "vamp": lambda: nv.VAE(5, 2, prior="vamp:n_components=3", **SMALL),
    "conditional": lambda: nv.VAE(5, 2, prior="conditional", context_dim=2, **SMALL),
    "iaf": lambda: nv.VAE(5, 2, posterior="iaf:n=2,width=4,context=2", **SMALL),
    **{
        f"{inference}, {len(z_dims)} levels": lambda inference=inference, z_dims=z_dims: (
            nv.HierarchicalVAE(5, z_dims, inference=inference, context_dim=2, **SMALL)
        )
        for inference in ("top_down", "bottom_up", "chain")
        for z_dims in ((2,), (4, 3, 2))
    },
    "autoencoder": lambda: nv.Autoencoder(5, 2, noise=0.3, context_dim=2, **SMALL),
    "semi": lambda: nv.SemiSupervisedVAE(5, 2, 3, labelled=0.5, **SMALL),
}
SMALL = dict(hidden=(4, 3), activation="silu", dtype="float64")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def check(part, inputs, rng):
    """The slope of a weighted sum of all outputs, as all parameters and inputs change."""
    slots = layout(part).values()
    values = np.concatenate([[], *(np.ravel(getattr(s.part, s.attribute)) for s in slots)])
    gradient = np.zeros(values.size)
    bind(part, gradient, prefix="d")
    outputs, cache = part.forward(*inputs)
    weights = [rng.normal(size=np.shape(x)) for x in leaves(outputs)]
    d_inputs = part.backward(cache, *weights)
    after = np.concatenate([[], *(np.ravel(getattr(s.part, s.attribute)) for s in slots)])
    np.testing.assert_array_equal(after, values)
    d_inputs = d_inputs if isinstance(d_inputs, tuple) else (d_inputs,)
    assert not inputs or d_inputs[0] is not None
    d_inputs = [
        np.zeros(x.shape) if d is None else d for d, x in zip(d_inputs, inputs, strict=True)
    ]
    change = rng.normal(size=values.size)
    changes = [np.where(d == 0, 0, rng.normal(size=d.shape)) for d in d_inputs]

    def at(step):
        bind(part, values + step * change)
        outputs, _ = part.forward(*(x + step * c for x, c in zip(inputs, changes, strict=True)))
        return sum((w * x).sum() for w, x in zip(weights, leaves(outputs), strict=True))

    slope = gradient @ change + sum((d * c).sum() for d, c in zip(d_inputs, changes, strict=True))
    assert slope == pytest.approx((at(STEP) - at(-STEP)) / (2 * STEP), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("cls", PARTS.values(), ids=PARTS)
def test_parts(cls, rng):
    check(*cls.example(rng), rng)


@pytest.mark.parametrize("name", [name for name in PARTS if name.startswith("layer.")])
def test_layers_give_no_gradient_that_nobody_asks_for(name, rng):
    layer, (x,) = PARTS[name].example(rng)
    bind(layer, np.zeros(n_parameters(layer)), prefix="d")
    y, cache = layer.forward(x)
    assert layer.backward(cache, y, wrt_input=False) is None


@pytest.mark.parametrize("shape", [(2, 7), (4, 2, 7)], ids=["rows", "samples"])
def test_a_flow_that_the_encoder_steers(shape, rng):
    flow = nv.Planar(amortised=True)
    flow.build(3)
    bind(flow, rng.normal(size=7))
    check(flow, (rng.normal(size=(4, 2, 3)), rng.normal(size=shape)), rng)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_levels(pair, rng):
    check(*level_of(*pair, rng), rng)


def check_model(model, objective, rng):
    model.flat += 0.3 * rng.normal(size=model.n_params)
    x, context = rng.random((4, 5)), rng.normal(size=(4, 2)) if model.context_dim == 2 else None
    if getattr(model, "missing", None):
        x[0, 1] = np.nan
    noise = model.draw_noise(len(x), objective.n_samples, rng)
    values, change = model.flat.copy(), rng.normal(size=model.n_params)
    weights, losses = rng.random(4), []
    for step in (STEP, -STEP):
        model.flat[:] = values + step * change
        losses.append(nv.value_and_grad(model, objective, x, noise, context, weights=weights)[0])
    model.flat[:] = values
    _, gradients = nv.value_and_grad(model, objective, x, noise, context, weights=weights)
    slope = np.concatenate([np.ravel(gradients[name]) for name in model.params]) @ change
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * STEP), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_objectives(objective, rng):
    check_model(nv.VAE(5, 2, **SMALL), objective, rng)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_models(make, rng):
    check_model(make(), nv.ELBO(beta=1.5, n_samples=2), rng)
