"""One entry per registered part: inputs for it, and what it computes in a framework's words.

A new part gets its entry in `PARTS` here and, where its mathematics is new, a function of one name
in both witnesses (`torch_witness.py` and `jax_witness.py`: the `w` below).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import npvae as nv
from npvae import layers, posteriors, priors
from npvae.core import bind, layout, n_parameters

Array = np.ndarray

B, D, H, Z, C = 5, 7, 6, 4, 3
NEEDS = ("log_px", "kl", "log_pz", "log_qz", "z", "posterior")


class Draw:
    """Random arrays for a case of K samples, ordinary or extreme (but finite)."""

    def __init__(self, rng: np.random.Generator, n_samples: int, extreme: bool) -> None:
        self.rng, self.K, self.extreme = rng, n_samples, extreme

    def numbers(self, *shape: int, far: float = 50) -> Array:
        if self.extreme:
            return self.rng.uniform(-far, far, shape)
        return self.rng.normal(size=shape)

    def noise(self, *shape: int) -> Array:
        return self.rng.normal(size=shape)

    def probabilities(self, *shape: int) -> Array:
        """In [0, 1], some of them 0 or 1."""
        return np.clip(self.rng.uniform(-0.3, 1.3, shape), 0, 1)

    def parameters(self, part: Any) -> Any:
        """The part, with random parameters: biases too."""
        bind(part, self.rng.normal(0, 0.5, n_parameters(part)))
        return part


class Entry(NamedTuple):
    """A part with inputs for it, and the witness: (w, part, its parameters, *inputs) -> outputs."""

    example: Callable[[Draw], tuple[nv.Part, tuple[Array, ...]]]
    witness: Callable[..., Any]


def activation(name: str) -> Entry:
    return Entry(
        lambda draw: (
            nv.registered("activation")[name](),
            (draw.numbers(draw.K * B, H), draw.noise(H)),
        ),
        lambda w, part, p, a, b: w.ACTIVATIONS[name](a + b),
    )


def vae_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    # Not a bounded activation, of whose saturated gradients rounding leaves no digits.
    model = nv.VAE(D, Z, hidden=(H, 5), activation="elu", dtype="float64", context_dim=C)
    draw.parameters(model)
    model.encoder.layers[-1].b[Z:] = draw.numbers(Z, far=25)
    model.decoder.layers[-1].b[:] = draw.numbers(D)
    return model, (draw.probabilities(B, D), draw.noise(draw.K, B, Z), draw.noise(B, C))


def vae(
    w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any, context: Any = None
) -> dict[str, Any]:
    """Every term that a VAE has, by name."""
    activation = model.activation.name
    mu, logvar = w.heads(mlp(w, activation, under("encoder.", p), joined(w, x, context)))
    z = w.reparameterise(mu, logvar, eps)
    theta = mlp(w, activation, under("decoder.", p), joined(w, z, context))
    likelihood = PARTS[f"likelihood.{model.likelihood.name}"]
    return {
        "log_px": likelihood.witness(w, model.likelihood, under("likelihood.", p), theta, x),
        "kl": w.gaussian_kl(mu, logvar),
        "log_pz": w.standard_log_prob(z),
        "log_qz": w.gaussian_log_prob(z, mu, logvar),
        "z": z,
        "mu": mu,
        "logvar": logvar,
    }


def mlp(w: Any, activation: str, p: dict[str, Any], x: Any) -> Any:
    """Layers "layers.0.W", "layers.0.b", ...; the last one has no activation."""
    last = len(p) // 2 - 1
    for i in range(last + 1):
        f = w.ACTIVATIONS[activation if i < last else "identity"]
        x = f(w.affine(x, p[f"layers.{i}.W"], p[f"layers.{i}.b"]))
    return x


def joined(w: Any, a: Any, context: Any) -> Any:
    return a if context is None else w.join(a, context)


def under(prefix: str, p: dict[str, Any]) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in p.items() if name.startswith(prefix)}


PARTS = {
    **{
        f"activation.{name}": activation(name)
        for name in (
            "identity", "relu", "leaky_relu", "tanh", "sigmoid", "softplus", "elu", "gelu", "silu",
        )
    },
    "layer.dense": Entry(
        lambda draw: (draw.parameters(layers.Dense(D, H, "tanh")), (draw.numbers(draw.K, B, D),)),
        lambda w, part, p, x: w.ACTIVATIONS["tanh"](w.affine(x, p["W"], p["b"])),
    ),
    "layer.sequential": Entry(
        lambda draw: (
            draw.parameters(layers.mlp(D, (H, 5), C, "softplus")),
            (draw.numbers(draw.K, B, D),),
        ),
        lambda w, part, p, x: mlp(w, "softplus", p, x),
    ),
    "layer.concat": Entry(
        lambda draw: (layers.Concat(), (draw.numbers(draw.K, B, D), draw.numbers(B, C))),
        lambda w, part, p, a, c: w.join(a, c),
    ),
    "likelihood.bernoulli": Entry(
        lambda draw: (nv.Bernoulli(), (draw.numbers(draw.K, B, D), draw.probabilities(B, D))),
        lambda w, part, p, logits, x: w.bernoulli(logits, x),
    ),
    "likelihood.gaussian": Entry(
        lambda draw: (nv.Gaussian(0.3), (draw.numbers(draw.K, B, D), draw.numbers(B, D))),
        lambda w, part, p, mean, x: w.gaussian(mean, x, part.scale),
    ),
    "likelihood.gaussian_learnt_scale": Entry(
        lambda draw: (
            draw.parameters(nv.GaussianLearntScale()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.gaussian(mean, x, w.exp(p["log_scale"])),
    ),
    "posterior.gaussian": Entry(
        lambda draw: (nv.DiagonalGaussian(), (draw.numbers(B, 2 * Z, far=25),)),
        lambda w, part, p, stats: w.heads(stats),
    ),
    "posterior_step.reparameterise": Entry(
        lambda draw: (
            posteriors.Reparameterise(),
            (draw.numbers(B, Z), draw.numbers(B, Z, far=20), draw.noise(draw.K, B, Z)),
        ),
        lambda w, part, p, mu, logvar, eps: w.reparameterise(mu, logvar, eps),
    ),
    "posterior_step.gaussian_log_prob": Entry(
        lambda draw: (
            posteriors.GaussianLogProb(),
            (draw.numbers(draw.K, B, Z), draw.numbers(B, Z), draw.numbers(B, Z, far=20)),
        ),
        lambda w, part, p, z, mu, logvar: w.gaussian_log_prob(z, mu, logvar),
    ),
    "prior.standard": Entry(
        lambda draw: (nv.StandardNormal(), (draw.numbers(draw.K, B, Z),)),
        lambda w, part, p, z: w.standard_log_prob(z),
    ),
    "prior_step.gaussian_kl": Entry(
        lambda draw: (priors.GaussianKL(), (draw.numbers(B, Z), draw.numbers(B, Z, far=20))),
        lambda w, part, p, mu, logvar: w.gaussian_kl(mu, logvar),
    ),
    "model.vae": Entry(vae_example, vae),
}  # fmt: skip


def parameters_of(part: nv.Part) -> dict[str, Array]:
    return {name: getattr(slot.part, slot.attribute) for name, slot in layout(part).items()}


def forward(part: Any, inputs: tuple[Array, ...]) -> tuple[dict[str, Array], Any]:
    """npvae's outputs by name, and the cache."""
    if not isinstance(part, nv.Model):
        outputs, cache = part.forward(*inputs)
        return named(outputs), cache
    terms, cache = part.forward(*inputs, needs=NEEDS)
    mu, logvar = terms.posterior[0]
    lists = {name: getattr(terms, name)[0] for name in ("kl", "log_pz", "log_qz", "z")}
    return {"log_px": terms.log_px, **lists, "mu": mu, "logvar": logvar}, cache


def backward(part: Any, cache: Any, cotangents: dict[str, Array]) -> dict[str, Array]:
    """npvae's gradients by parameter and argument name, given the outputs' cotangents."""
    d_parameters = bind(part, np.zeros(n_parameters(part)), prefix="d")
    if isinstance(part, nv.Model):
        c = cotangents
        lists = {name: [c[name]] for name in ("kl", "log_pz", "log_qz", "z")}
        part.backward(cache, nv.Terms(c["log_px"], posterior=[(c["mu"], c["logvar"])], **lists))
        return d_parameters
    d_inputs = part.backward(cache, *cotangents.values())
    d_inputs = d_inputs if isinstance(d_inputs, tuple) else (d_inputs,)
    d_inputs = dict(zip(arguments(part), d_inputs, strict=True))
    for name in part.data_inputs:
        assert d_inputs.pop(name) is None
    return d_parameters | d_inputs


def arguments(part: nv.Part) -> list[str]:
    return list(inspect.signature(part.forward).parameters)


def differentiate(
    w: Any, function: Callable[..., Any], parameters: dict[str, Array], inputs: dict[str, Array]
) -> tuple[dict[str, Array], Callable[[dict[str, Array]], dict[str, Array]]]:
    """A witness's outputs by name, and the map from their cotangents to all gradients by name.

    `function` takes (parameters, *inputs).
    """

    def on_arrays(arrays: dict[str, Any]) -> dict[str, Any]:
        p = {name: arrays[name] for name in parameters}
        return named(function(p, *(arrays[name] for name in inputs)))

    outputs, pull = w.vjp(on_arrays, to_framework(w, parameters | inputs))
    return to_numpy(outputs), lambda cotangents: to_numpy(pull(to_framework(w, cotangents))[0])


def losses_and_gradients(
    w: Any,
    model: Any,
    losses: dict[str, Callable[[Any, dict[str, Any]], Any]],
    x: Array,
    eps: Array,
    context: Array | None = None,
) -> dict[str, tuple[float, dict[str, Array]]]:
    """A witness's losses of a VAE by name, each with its gradient by parameter name."""
    data = [w.array(a) for a in (x, eps, context) if a is not None]

    def function(p: dict[str, Any]) -> dict[str, Any]:
        terms = vae(w, model, p, *data)
        return {name: loss(w, terms) for name, loss in losses.items()}

    values, pull = differentiate(w, function, model.params, {})
    return {
        name: (float(values[name]), pull({n: np.float64(n == name) for n in losses}))
        for name in losses
    }


def to_framework(w: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: w.array(value) for name, value in arrays.items()}


def to_numpy(arrays: dict[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(value) for name, value in arrays.items()}


def named(outputs: Any) -> dict[str, Any]:
    if isinstance(outputs, dict):
        return outputs
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {f"output {i}": output for i, output in enumerate(outputs)}


def assert_agree(got: dict[str, Array], expected: dict[str, Array], rtol: float) -> None:
    """Array by array: the same names and shapes, and differences small beside the largest entry."""
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].shape == value.shape, name
        error, size = np.abs(got[name] - value).max(), np.abs(value).max()
        assert error <= rtol * size, f"{name}: off by {error:.3g}, {error / size:.3g} of its largest"
