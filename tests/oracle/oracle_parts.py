"""One entry per registered part: inputs for it, and what it computes in a framework's words.

A new part gets its entry in `PARTS` here and, where its mathematics is new, a function of one name
in both witnesses (`torch_witness.py` and `jax_witness.py`: the `w` below).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import npvae as nv
from npvae import layers, posteriors, priors
from npvae.core import bind, n_parameters

Array = np.ndarray

B, D, H, Z, C, M = 5, 7, 6, 4, 3, 4


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


def mixture(draw: Draw) -> nv.Part:
    prior = nv.Mixture(M)
    prior.build(Z, D)
    return draw.parameters(prior)


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
        "log_pz": log_prior(w, model, p, z),
        "log_qz": w.gaussian_log_prob(z, mu, logvar),
        "z": z,
        "mu": mu,
        "logvar": logvar,
    }


def log_prior(w: Any, model: Any, p: dict[str, Any], z: Any) -> Any:
    """log p(z); the pseudo-inputs of a VampPrior go through the encoder."""
    components = ()
    if "prior.pseudo_inputs.u" in p:
        u = p["prior.pseudo_inputs.u"]
        components = w.heads(mlp(w, model.activation.name, under("encoder.", p), u))
    witness = PARTS[f"prior.{model.prior.name}"].witness
    return witness(w, model.prior, under("prior.", p), z, *components)


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
    "prior.mixture": Entry(
        lambda draw: (mixture(draw), (draw.numbers(draw.K, B, Z),)),
        lambda w, part, p, z: w.mixture_log_prob(z, p["mu"], p["logvar"], p["logits"]),
    ),
    "prior.vamp": Entry(
        lambda draw: (
            nv.VampPrior(M),
            (draw.numbers(draw.K, B, Z), draw.numbers(M, Z), draw.numbers(M, Z, far=3)),
        ),
        lambda w, part, p, z, mu, logvar: w.mixture_log_prob(
            z, mu, logvar, w.array(np.zeros(len(mu)))
        ),
    ),
    "prior_step.pseudo_inputs": Entry(
        lambda draw: (draw.parameters(priors.PseudoInputs(M, D)), ()),
        lambda w, part, p: p["u"],
    ),
    "prior_step.gaussian_kl": Entry(
        lambda draw: (priors.GaussianKL(), (draw.numbers(B, Z), draw.numbers(B, Z, far=20))),
        lambda w, part, p, mu, logvar: w.gaussian_kl(mu, logvar),
    ),
    "model.vae": Entry(vae_example, vae),
}  # fmt: skip
