"""The models of npvae/models, each with every term that it has."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import npvae as nv
from npvae.models.inference import PrecisionWeighted

from . import discrete, flows, likelihoods, priors
from .case import Array, B, C, D, Draw, Entry, H, Z, joined, mlp, under
from .layers import network
from .likelihoods import FEATURES

CHOSEN = likelihoods.PARTS | priors.PARTS | flows.PARTS | discrete.PARTS
"""The parts of which a model has the one that is asked for."""


def conv_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    model = nv.ConvVAE(
        (5, 4), Z, channels=(3, 2), hidden=(H,), activation="elu", dtype="float64", context_dim=C
    )
    draw.parameters(model)
    return model, (draw.probabilities(B, 20), draw.noise(draw.K, B, Z), draw.noise(B, C))


def conv(w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any, context: Any) -> dict[str, Any]:
    """A VAE's terms, with its networks of whatever layers."""
    mu, logvar = w.heads(network(w, model.encoder, under("encoder.", p), w.join(x, context)))
    z = w.reparameterise(mu, logvar, eps)
    logits = network(w, model.decoder, under("decoder.", p), w.join(z, context))
    return {
        "log_px": w.bernoulli(logits, x),
        "kl": w.gaussian_kl(mu, logvar),
        "log_pz": w.standard_log_prob(z),
        "log_qz": w.gaussian_log_prob(z, mu, logvar),
        "z": z,
        "mu": mu,
        "logvar": logvar,
    }


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
    seen = FEATURES[model.likelihood.name](w, x) if model.likelihood.name in FEATURES else x
    mu, logvar = w.heads(mlp(w, activation, under("encoder.", p), joined(w, seen, context)))
    z = w.reparameterise(mu, logvar, eps)
    theta = mlp(w, activation, under("decoder.", p), joined(w, z, context))
    likelihood = CHOSEN[f"likelihood.{model.likelihood.name}"]
    return {
        "log_px": likelihood.witness(w, model.likelihood, under("likelihood.", p), theta, x),
        "kl": divergence(w, model, p, mu, logvar, context),
        "log_pz": log_prior(w, model, p, z, context),
        "log_qz": w.gaussian_log_prob(z, mu, logvar),
        "z": z,
        "mu": mu,
        "logvar": logvar,
    }


def codes(w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any) -> dict[str, Any]:
    """log p(x given z) and the KL of a VAE of codes: at a relaxed z, or its mean over all codes."""
    posterior, activation = model.posterior, model.activation.name
    stats = mlp(w, activation, under("encoder.", p), x)
    if posterior.name == "categorical":
        classes = posterior.classes
        param = w.class_log_probs(stats, classes)
        kl = w.categorical_kl(param, classes)
        every = product(np.eye(classes), repeat=posterior.n)
        z = w.gumbel_softmax(param, eps, classes, posterior.temperature)
    else:
        param, kl = stats, w.bernoulli_kl(stats, model.prior.p)
        every = product(np.eye(2)[:, :1], repeat=model.z_dim)
        z = w.binary_concrete(stats, eps, posterior.temperature)
    if posterior.estimator == "exact":
        z = np.array([np.concatenate(code) for code in every])[:, None]
        z = w.array(np.repeat(z, len(x), axis=1))
        log_q = CHOSEN[f"posterior_step.{posterior.log_prob.name}"].witness(w, None, p, z, param)
    theta = mlp(w, activation, under("decoder.", p), z)
    log_px = w.bernoulli(theta, x)
    if posterior.estimator == "exact":
        log_px = (w.exp(log_q) * log_px).sum(0)[None]
    return {"log_px": log_px, "kl": kl}


def of_context(w: Any, model: Any, p: dict[str, Any], context: Any) -> Any:
    """The mean and log-variance that a network makes of the context."""
    return w.heads(mlp(w, model.activation.name, under("conditioner.", p), context))


def divergence(w: Any, model: Any, p: dict[str, Any], mu: Any, logvar: Any, context: Any) -> Any:
    if model.prior.name == "conditional":
        return w.gaussian_kl_between(mu, logvar, *of_context(w, model, p, context))
    return w.gaussian_kl(mu, logvar)


def log_prior(w: Any, model: Any, p: dict[str, Any], z: Any, context: Any) -> Any:
    """log p(z); the pseudo-inputs of a VampPrior go through the encoder."""
    components = ()
    if model.prior.name == "conditional":
        components = of_context(w, model, p, context)
    if "prior.pseudo_inputs.u" in p:
        u = p["prior.pseudo_inputs.u"]
        components = w.heads(mlp(w, model.activation.name, under("encoder.", p), u))
    witness = CHOSEN[f"prior.{model.prior.name}"].witness
    return witness(w, model.prior, under("prior.", p), z, *components)


def autoencoder_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    model = nv.Autoencoder(D, Z, hidden=(H,), activation="elu", noise=0.5, dtype="float64")
    draw.parameters(model)
    return model, (draw.probabilities(B, D), draw.noise(draw.K, B, D))


def autoencoder(w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any) -> dict[str, Any]:
    z = mlp(w, "elu", under("encoder.", p), x + 0.5 * eps)
    return {"log_px": w.bernoulli(mlp(w, "elu", under("decoder.", p), z), x)}


def semi_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    model = nv.SemiSupervisedVAE(
        D, Z, C, hidden=(H,), activation="elu", alpha=0.3, labelled=0.5, dtype="float64"
    )
    draw.parameters(model)
    known = np.eye(C)[[0, 1, 0, 2, 1]] * [[1], [0], [1], [0], [0]]
    return model, (draw.probabilities(B, D), draw.noise(draw.K * C, B, Z), known)


def semi(w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any, known: Any) -> dict[str, Any]:
    """The means over the classes, one class and sample after the other."""
    logits = mlp(w, "elu", under("classifier.", p), x)
    q = w.exp(logits) / w.exp(logits).sum(-1)[:, None]
    unknown = 1 - known.sum(-1)
    shares = known + unknown[:, None] * q
    log_q = w.log(q)
    of_y = unknown * (q * log_q).sum(-1) + np.log(C)
    right = model.alpha / model.labelled * (known * log_q).sum(-1)
    log_px, kl = [], []
    for first in range(0, len(eps), C):
        rec, divergence = right, 0.0
        for c in range(C):
            label = w.array(np.eye(C)[[c] * B])
            stats = mlp(w, "elu", under("encoder.", p), w.join(x, label))
            mu, logvar = w.heads(stats)
            z = w.reparameterise(mu, logvar, eps[first + c])
            theta = mlp(w, "elu", under("decoder.", p), w.join(z, label))
            rec = rec + shares[:, c] * w.bernoulli(theta, x)
            divergence = divergence + shares[:, c : c + 1] * w.gaussian_kl(mu, logvar)[0]
        log_px.append(rec)
        kl.append(w.join(divergence, of_y[:, None]))
    return {"log_px": w.stack(log_px), "kl": w.stack(kl)}


def hierarchical_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    model = nv.HierarchicalVAE(D, (Z, Z), hidden=(H,), activation="elu", dtype="float64")
    draw.parameters(model)
    return model, (draw.probabilities(B, D), draw.noise(2, draw.K, B, Z))


def hierarchical(w: Any, model: Any, p: dict[str, Any], x: Any, eps: Any) -> dict[str, Any]:
    """Every term of two levels, inferred from the top down, by name and level."""
    h, likely = x, []
    for i in range(2):
        q = under("posterior.", p)
        h = w.ACTIVATIONS["elu"](w.affine(h, q[f"up.{i}.layers.0.W"], q[f"up.{i}.layers.0.b"]))
        likely.append(w.heads(w.affine(h, q[f"heads.{i}.W"], q[f"heads.{i}.b"])))
    (mu_1, logvar_1), (mu_2, logvar_2) = likely
    z_2 = w.reparameterise(mu_2, logvar_2, eps[1])
    prior = w.heads(mlp(w, "elu", under("chain.networks.0.", p), z_2))
    mu_1, logvar_1 = precision_weighted(w, mu_1, logvar_1, *prior)
    z_1 = w.reparameterise(mu_1, logvar_1, eps[0])
    theta = mlp(w, "elu", under("decoder.", p), z_1)
    return {
        "log_px": w.bernoulli(theta, x),
        "kl": w.gaussian_kl_between(mu_1, logvar_1, *prior),
        "log_pz": w.gaussian_log_prob(z_1, *prior),
        "log_qz": w.gaussian_log_prob(z_1, mu_1, logvar_1),
        "z": z_1,
        "mu": mu_1,
        "logvar": logvar_1,
        "kl above": w.gaussian_kl(mu_2, logvar_2),
        "log_pz above": w.standard_log_prob(z_2),
        "log_qz above": w.gaussian_log_prob(z_2, mu_2, logvar_2),
        "z above": z_2,
        "mu above": mu_2,
        "logvar above": logvar_2,
    }


def precision_weighted(w: Any, mu: Any, logvar: Any, mu_p: Any, logvar_p: Any) -> tuple[Any, Any]:
    """The normalised product of two Gaussians, by their precisions."""
    own, prior = w.exp(-logvar), w.exp(-logvar_p)
    return (mu * own + mu_p * prior) / (own + prior), -w.log(own + prior)


PARTS = {
    "posterior_step.precision_weighted": Entry(
        lambda draw: (
            PrecisionWeighted(),
            (
                draw.numbers(B, Z),
                draw.numbers(B, Z, far=20),
                draw.numbers(draw.K, B, Z),
                draw.numbers(draw.K, B, Z, far=20),
            ),
        ),
        lambda w, part, p, *given: precision_weighted(w, *given),
    ),
    "model.conv": Entry(conv_example, conv),
    "model.autoencoder": Entry(autoencoder_example, autoencoder),
    "model.hierarchical": Entry(hierarchical_example, hierarchical),
    "model.semi": Entry(semi_example, semi),
    "model.vae": Entry(vae_example, vae),
}
