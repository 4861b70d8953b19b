"""One entry per registered part: inputs for it, and what it computes in a framework's words.

A new part gets its entry in `PARTS` here and, where its mathematics is new, a function of one name
in both witnesses (`torch_witness.py` and `jax_witness.py`: the `w` below).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

import npvae as nv
from npvae import layers, levels, posteriors, priors
from npvae.core import bind, n_parameters, resolve
from npvae.discrete.bernoulli import BernoulliCodeLogProb, BernoulliKL, BinaryConcrete
from npvae.discrete.categorical import CategoricalKL, CodeLogProb, GumbelSoftmax
from npvae.models.inference import PrecisionWeighted

Array = np.ndarray

B, D, H, Z, C, M, V = 5, 7, 6, 4, 3, 4, 2


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

    def gentle(self, *shape: int) -> Array:
        """Logits, or logarithms of rates, for which the witnesses' formulas keep their digits."""
        return self.rng.uniform(-6, 6, shape) if self.extreme else self.rng.normal(size=shape)

    def inside(self, *shape: int) -> Array:
        """In (0, 1), and not at an edge."""
        return self.rng.uniform(0.01, 0.99, shape)

    def counts(self, *shape: int) -> Array:
        return self.rng.poisson(200.0 if self.extreme else 2.0, shape).astype(float)

    def one_hot(self, rows: int, *sizes: int) -> Array:
        return np.hstack([np.eye(size)[self.rng.integers(size, size=rows)] for size in sizes])

    def sized(self, part: Any) -> Any:
        """The part on D columns, with random parameters."""
        part.declare(D)
        return self.parameters(part)

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


def flowed(draw: Draw) -> Any:
    posterior = nv.Flowed([nv.Planar()])
    posterior.build(Z)
    return draw.parameters(posterior)


def flow(kind: type, draw: Draw, **arguments: Any) -> Any:
    part = kind(**arguments)
    part.build(Z)
    return draw.parameters(part)


def posterior_of(name: str) -> Entry:
    """Of flows, what the encoder gives is split, and the Gaussian's part bent."""

    def example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
        posterior = nv.VAE(3, Z, posterior=f"{name}:n=2").posterior
        return posterior, (draw.numbers(B, posterior.n_outputs(Z)),)

    def witness(w: Any, part: Any, p: dict[str, Any], stats: Any) -> tuple[Any, ...]:
        ends = [2 * Z]
        for one in part.flows:
            ends.append(ends[-1] + one.n_outputs(Z))
        pieces = [stats[:, a:b] for a, b in pairwise(ends) if b > a]
        return (*w.heads(stats[:, : 2 * Z]), *pieces)

    return Entry(example, witness)


def stretch(w: Any, z: Any, out: Any) -> Any:
    n = z.shape[-1]
    return z * w.exp(3 * w.ACTIVATIONS["tanh"](out[n:] / 3)) + out[:n]


def coupling(w: Any, part: Any, p: dict[str, Any], z: Any) -> Any:
    half = z.shape[-1] // 2

    def move(z: Any) -> Any:
        out = mlp(w, "tanh", under("network.", p), z[:half])
        return w.join(z[:half], stretch(w, z[half:], out))

    return w.flow(move, z)


def flow_prior(name: str, draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    of_two = {"n": 2, "hidden": [3]}
    of_one = {"flows": [{"name": "coupling", "hidden": [3]}]}
    prior = resolve("prior", {"name": name, **(of_two if name == "coupling" else of_one)})
    prior.build(Z, D)
    return draw.parameters(prior), (draw.numbers(draw.K, B, Z, far=3),)


def flow_prior_log_p(w: Any, prior: Any, p: dict[str, Any], z: Any) -> Any:
    """Every second flow moves the first half."""
    log_det = 0.0
    for i in range(len(prior.flows)):
        turned = w.join(z[..., Z // 2 :], z[..., : Z // 2]) if i % 2 else z
        moved, change = coupling(w, None, under(f"flows.{i}.", p), turned)
        z = w.join(moved[..., Z // 2 :], moved[..., : Z // 2]) if i % 2 else moved
        log_det = log_det - change
    return w.standard_log_prob(z) + log_det


def iaf(w: Any, part: Any, p: dict[str, Any], z: Any, h: Any) -> Any:
    order = np.arange(1, Z + 1)
    units = np.arange(part.width) % Z
    before = w.array(1.0 * (units[:, None] >= [*order, *[0] * part.context]))
    after = w.array(1.0 * (np.tile(order, 2)[:, None] > units))

    def move(z: Any, h: Any) -> Any:
        q = under("network.layers.", p)
        hidden = w.ACTIVATIONS["tanh"](w.affine(w.join(z, h), q["0.W"] * before, q["0.b"]))
        return stretch(w, z, w.affine(hidden, q["1.W"] * after, q["1.b"]))

    return w.flow(move, z, h)


def radial(w: Any, part: Any, p: dict[str, Any], z: Any) -> Any:
    def move(z: Any) -> Any:
        d = z - p["z_0"]
        alpha = w.exp(p["a"])
        return z + (w.log1p(w.exp(p["b"])) - alpha) / (alpha + (d * d).sum() ** 0.5) * d

    return w.flow(move, z)


def sylvester(w: Any, part: Any, p: dict[str, Any], z: Any) -> Any:
    m, tanh = len(p["b"]), w.ACTIVATIONS["tanh"]
    q = w.array(np.eye(Z, m))
    for v in p["v"]:
        u = v / (v @ v) ** 0.5
        q = q - 2 * u[:, None] * (u @ q)
    above, diagonal = w.array(np.triu(np.ones((m, m)), 1)), w.array(np.eye(m))
    r, s = (p[n] * above + tanh(p[n]) * diagonal for n in ("upper", "inner"))
    return w.flow(lambda z: z + q @ (r @ tanh(s @ (z @ q) + p["b"])), z)


def convolution(kind: Any, draw: Draw, **options: Any) -> tuple[nv.Part, tuple[Array, ...]]:
    part = kind((6, 5, 4), 2, (3, 2), (2, 1), (1, 0), dilation=(1, 2), groups=2, **options)
    return draw.parameters(part), (draw.numbers(draw.K, B, part.n_in),)


def convolved(operation: Any, w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
    """With images as rows, and the channels last."""
    b = p["b"].reshape(part.out_shape) if part.bias == "pixel" else p["b"]
    y = operation(x.reshape(-1, *part.in_shape), p["W"], part) + b
    return w.ACTIVATIONS[part.activation.name](y).reshape(*x.shape[:-1], -1)


def order_of(part: Any) -> Array:
    """Where the numbers of images that lie one after another are in the image of all channels."""
    places = np.arange(part.n_in).reshape(*part.size, -1)
    ends = np.cumsum(part.channels)
    apart = zip(ends, part.channels, strict=True)
    return np.concatenate([places[..., end - own : end].ravel() for end, own in apart])


def beside(w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
    n_in = part.network.n_in
    return w.join(layer_of(w, part.network, under("network.", p), x[..., :n_in]), x[..., n_in:])


def network(w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
    """Layers of any kind, one after the other."""
    for i, layer in enumerate(part.layers):
        x = layer_of(w, layer, under(f"layers.{i}.", p), x)
    return x


def layer_of(w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
    witness = network if part.name == "sequential" else PARTS[f"layer.{part.name}"].witness
    return witness(w, part, p, x)


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


def images(make: Any) -> Entry:
    """A layer of images, which a witness has under the layer's name."""

    def example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
        part = make()
        return part, (draw.numbers(draw.K, B, part.n_in),)

    def witness(w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
        y = getattr(w, part.name)(x.reshape(-1, *part.in_shape), part)
        return y.reshape(*x.shape[:-1], -1)

    return Entry(example, witness)


def normalising(make: Any, axes: tuple[int, ...]) -> Entry:
    """A norm over these axes of (rows, H, W, groups, channels of a group), or without groups."""

    def example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
        part = draw.parameters(make())
        return part, (draw.numbers(draw.K, B, part.n_in, far=5),)

    def witness(w: Any, part: Any, p: dict[str, Any], x: Any) -> Any:
        size, groups = part.in_shape[:2], getattr(part, "groups", None)
        apart = (groups, part.channels // groups) if groups else (part.channels,)
        u = w.standardised(x.reshape(-1, *size, *apart), axes, part.eps)
        a = p["g"] * u.reshape(-1, *part.in_shape) + p["b"]
        return w.ACTIVATIONS["tanh"](a).reshape(x.shape)

    return Entry(example, witness)


def batch_norm(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    part = draw.parameters(layers.BatchNorm((2, 3, 4), "tanh"))
    part.variance[...] = np.exp(part.variance)
    return part, (draw.numbers(draw.K, B, 24, far=5),)


def declared(part: Any, x_dim: int) -> Any:
    part.declare(x_dim)
    return part


def activation(name: str) -> Entry:
    return Entry(
        lambda draw: (
            nv.registered("activation")[name](),
            (draw.numbers(draw.K * B, H), draw.noise(H)),
        ),
        lambda w, part, p, a, b: w.ACTIVATIONS[name](a + b),
    )


MIXED = np.array([4, 0]), np.array([1, 3]), np.array([2])
"""The columns of three groups."""


SMOOTH = {"x": [-100, 200], "y": [-200, 400], "step": 0.0}
"""x is y / 2, whose density is twice that of y."""
WHOLE = {"x": [-100.5, 200.5], "y": [-100.5, 200.5], "step": 1.0}
"""x is y, rounded."""


def mixed_example(draw: Draw) -> tuple[nv.Part, tuple[Array, ...]]:
    """Numbers, flags and labels in columns that are not in the groups' order."""
    x = np.empty((B, 5))
    numbers, flags, labels = MIXED
    x[:, numbers], x[:, flags] = draw.numbers(B, 2), draw.probabilities(B, 2)
    x[:, labels] = draw.rng.integers(3, size=(B, 1))
    groups = [("gaussian_column_scale", numbers), ("bernoulli", flags), (nv.Categorical(3), labels)]
    return draw.parameters(nv.Mixed(groups)), (draw.numbers(draw.K, B, 7), x)


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
    likelihood = PARTS[f"likelihood.{model.likelihood.name}"]
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
        log_q = PARTS[f"posterior_step.{posterior.log_prob.name}"].witness(w, None, p, z, param)
    theta = mlp(w, activation, under("decoder.", p), z)
    log_px = w.bernoulli(theta, x)
    if posterior.estimator == "exact":
        log_px = (w.exp(log_q) * log_px).sum(0)[None]
    return {"log_px": log_px, "kl": kl}


FEATURES = {
    "poisson": lambda w, x: w.log1p(x),
    "negative_binomial": lambda w, x: w.log1p(x),
    "zero_inflated_negative_binomial": lambda w, x: w.log1p(x),
    "categorical": lambda w, x: 1.0 * w.join(w.is_class(x[:, 0], 3), w.is_class(x[:, 1], 2)),
    "ordinal": lambda w, x: 1.0 * w.join(w.is_class(x[:, 0], 3), w.is_class(x[:, 1], 2)),
    "transformed": lambda w, x: (
        0.5
        * (
            w.join(2 * x[:, :1], x[:, 1:] - 0.5).clip(-3.0, None)
            + w.join(2 * x[:, :1], x[:, 1:] + 0.5).clip(None, 3.0)
        )
    ),
    "mixed": lambda w, x: w.join(
        w.join(x[:, MIXED[0]], x[:, MIXED[1]]), 1.0 * w.is_class(x[:, 2], 3)
    ),
}
"""What the encoder is given of x, where that is not x itself."""


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
    witness = PARTS[f"prior.{model.prior.name}"].witness
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
        lambda w, part, p, x: w.ACTIVATIONS[part.activation.name](w.affine(x, p["W"], p["b"])),
    ),
    "layer.beside": Entry(
        lambda draw: (
            draw.parameters(layers.Beside(layers.Dense(D, H, "tanh"), C)),
            (draw.numbers(draw.K, B, D + C),),
        ),
        lambda w, part, p, x: beside(w, part, p, x),
    ),
    "layer.residual": Entry(
        lambda draw: (
            draw.parameters(layers.Residual(layers.Dense(D, D, "tanh"))),
            (draw.numbers(draw.K, B, D),),
        ),
        lambda w, part, p, x: x + layer_of(w, part.network, under("network.", p), x),
    ),
    "layer.dropout": Entry(
        lambda draw: (layers.Dropout(0.4), (draw.numbers(draw.K, B, D),)),
        lambda w, part, p, x: x,
    ),
    "layer.layer_norm": normalising(lambda: layers.LayerNorm((2, 3, 4), "tanh"), (3,)),
    "layer.group_norm": normalising(lambda: layers.GroupNorm((2, 3, 4), 2, "tanh"), (1, 2, 4)),
    "layer.batch_norm": Entry(
        lambda draw: batch_norm(draw),
        lambda w, part, p, x: w.ACTIVATIONS["tanh"](
            p["g"] * (x.reshape(*x.shape[:-1], -1, 4) - p["mean"])
            / (p["variance"] + part.eps) ** 0.5 + p["b"]
        ).reshape(x.shape),
    ),
    "layer.average_pool2d": images(lambda: layers.AveragePool2d((5, 6, 2), (3, 2), (1, 2))),
    "layer.max_pool2d": images(lambda: layers.MaxPool2d((5, 6, 2), (3, 2), (1, 2))),
    "layer.upsample2d": images(lambda: layers.Upsample2d((4, 3, 2), (3, 2), "bilinear")),
    "layer.stacked": Entry(
        lambda draw: (layers.Stacked((2, 3), (2, 1)), (draw.numbers(draw.K, B, 18),)),
        lambda w, part, p, x: x[..., np.argsort(order_of(part))],
    ),
    "layer.unstacked": Entry(
        lambda draw: (layers.Unstacked((2, 3), (2, 1)), (draw.numbers(draw.K, B, 18),)),
        lambda w, part, p, x: x[..., order_of(part)],
    ),
    "layer.sequential": Entry(
        lambda draw: (
            draw.parameters(layers.mlp(D, (H, 5), C, "softplus")),
            (draw.numbers(draw.K, B, D),),
        ),
        lambda w, part, p, x: mlp(w, "softplus", p, x),
    ),
    "layer.conv2d": Entry(
        lambda draw: convolution(layers.Conv2d, draw),
        lambda w, part, p, x: convolved(w.conv2d, w, part, p, x),
    ),
    "layer.conv_transpose2d": Entry(
        lambda draw: convolution(layers.ConvTranspose2d, draw, output_padding=(1, 0)),
        lambda w, part, p, x: convolved(w.conv_transpose2d, w, part, p, x),
    ),
    "join.concat": Entry(
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
    "likelihood.continuous_bernoulli": Entry(
        lambda draw: (nv.ContinuousBernoulli(), (draw.gentle(draw.K, B, D), draw.inside(B, D))),
        lambda w, part, p, logits, x: w.continuous_bernoulli(logits, x),
    ),
    "likelihood.gaussian_column_scale": Entry(
        lambda draw: (
            draw.sized(nv.GaussianColumnScale()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.gaussian(mean, x, w.exp(p["log_scale"])),
    ),
    "likelihood.gaussian_heteroscedastic": Entry(
        lambda draw: (
            nv.GaussianHeteroscedastic(),
            (draw.numbers(draw.K, B, 2 * D, far=12), draw.numbers(B, D)),
        ),
        lambda w, part, p, theta, x: w.gaussian(
            theta[..., :D], x, w.exp(w.bounded(theta[..., D:], 10.0))
        ),
    ),
    "likelihood.laplace": Entry(
        lambda draw: (
            draw.sized(nv.Laplace()),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, median, x: w.laplace(median, x, w.exp(p["log_scale"])),
    ),
    "likelihood.student_t": Entry(
        lambda draw: (
            draw.sized(nv.StudentT(df=3.5)),
            (draw.numbers(draw.K, B, D), draw.numbers(B, D)),
        ),
        lambda w, part, p, mean, x: w.student_t(mean, x, w.exp(p["log_scale"]), part.df),
    ),
    "likelihood.transformed": Entry(
        lambda draw: (
            draw.parameters(declared(nv.Transformed([SMOOTH, WHOLE], "column"), 2)),
            (
                draw.numbers(draw.K, B, 2),
                np.stack([draw.numbers(B), np.minimum(draw.counts(B), 150)], -1),
            ),
        ),
        lambda w, part, p, location, x: w.logistic(
            location[..., :1], 2 * x[:, :1], w.exp(p["log_scale"][:1])
        )
        + w.logistic_cells(
            location[..., 1:], x[:, 1:] - 0.5, x[:, 1:] + 0.5, w.exp(p["log_scale"][1:])
        )
        + np.log(2),
    ),
    "likelihood.poisson": Entry(
        lambda draw: (nv.Poisson(), (draw.gentle(draw.K, B, D), draw.counts(B, D))),
        lambda w, part, p, log_rate, x: w.poisson(log_rate, x),
    ),
    "likelihood.negative_binomial": Entry(
        lambda draw: (
            nv.NegativeBinomial("decoder", library=30.0),
            (draw.gentle(draw.K, B, 2 * D), 1 + draw.counts(B, D)),
        ),
        lambda w, part, p, theta, x: w.negative_binomial(
            w.with_library(theta[..., :D], x, 30.0), x, w.bounded(theta[..., D:], 20.0)
        ),
    ),
    "likelihood.zero_inflated_negative_binomial": Entry(
        lambda draw: (
            draw.sized(nv.ZeroInflatedNegativeBinomial()),
            (draw.gentle(draw.K, B, 2 * D), draw.counts(B, D)),
        ),
        lambda w, part, p, theta, x: w.zero_inflated(
            theta[..., :D], theta[..., D:], x, p["log_dispersion"]
        ),
    ),
    "likelihood.beta": Entry(
        lambda draw: (
            nv.Beta("decoder"),
            (draw.gentle(draw.K, B, 2 * D), draw.inside(B, D)),
        ),
        lambda w, part, p, theta, x: w.beta(theta[..., :D], x, w.bounded(theta[..., D:], 20.0)),
    ),
    "likelihood.categorical": Entry(
        lambda draw: (
            nv.Categorical((3, 2)),
            (
                draw.numbers(draw.K, B, 5),
                np.stack([draw.rng.integers(c, size=B) for c in (3, 2)], -1).astype(float),
            ),
        ),
        lambda w, part, p, logits, x: sum(
            w.categorical(logits[..., columns], w.is_class(x[:, j], len(range(5)[columns])))
            for j, columns in enumerate((slice(0, 3), slice(3, 5)))
        ),
    ),
    "likelihood.ordinal": Entry(
        lambda draw: (
            draw.parameters(declared(nv.Ordinal((3, 2)), 2)),
            (
                draw.gentle(draw.K, B, 2),
                np.stack([draw.rng.integers(c, size=B) for c in (3, 2)], -1).astype(float),
            ),
        ),
        lambda w, part, p, eta, x: (
            w.ordinal(eta[..., 0], p["cuts"][:1], w.exp(p["cuts"][1:2]), w.is_class(x[:, 0], 3))
            + w.ordinal(eta[..., 1], p["cuts"][2:], p["cuts"][:0], w.is_class(x[:, 1], 2))
        ),
    ),
    "likelihood.one_hot": Entry(
        lambda draw: (nv.OneHot((4, 3)), (draw.numbers(draw.K, B, D), draw.one_hot(B, 4, 3))),
        lambda w, part, p, logits, x: (
            w.categorical(logits[..., :4], x[:, :4]) + w.categorical(logits[..., 4:], x[:, 4:])
        ),
    ),
    "likelihood.mixed": Entry(
        mixed_example,
        lambda w, part, p, theta, x: (
            w.gaussian(theta[..., :2], x[:, MIXED[0]], w.exp(p["parts.0.log_scale"]))
            + w.bernoulli(theta[..., 2:4], x[:, MIXED[1]])
            + w.categorical(theta[..., 4:7], w.is_class(x[:, 2], 3))
        ),
    ),
    "posterior.gaussian": Entry(
        lambda draw: (nv.DiagonalGaussian(), (draw.numbers(B, 2 * Z, far=25),)),
        lambda w, part, p, stats: w.heads(stats),
    ),
    "posterior.flowed": Entry(
        lambda draw: (flowed(draw), (draw.numbers(B, 2 * Z, far=25),)),
        lambda w, part, p, stats: w.heads(stats),
    ),
    **{
        f"posterior.{name}": posterior_of(name)
        for name in ("coupling", "iaf", "planar", "radial", "sylvester")
    },
    "flow.coupling": Entry(
        lambda draw: (
            flow(nv.Coupling, draw, hidden=(3,)), (draw.numbers(draw.K, B, Z, far=3),)
        ),
        coupling,
    ),
    "flow.iaf": Entry(
        lambda draw: (
            flow(nv.IAF, draw, width=5, context=C),
            (draw.numbers(draw.K, B, Z, far=3), draw.numbers(B, C, far=3)),
        ),
        iaf,
    ),
    "flow.radial": Entry(
        lambda draw: (flow(nv.Radial, draw), (draw.numbers(draw.K, B, Z, far=3),)), radial
    ),
    "flow.sylvester": Entry(
        lambda draw: (
            flow(nv.Sylvester, draw, m=3, reflections=2), (draw.numbers(draw.K, B, Z, far=3),)
        ),
        sylvester,
    ),
    "flow.planar": Entry(
        lambda draw: (flowed(draw).flows[0], (draw.numbers(draw.K, B, Z, far=3),)),
        lambda w, part, p, z: w.planar(z, p["w"], p["u"], p["b"]),
    ),
    "posterior.categorical": Entry(
        lambda draw: (nv.CategoricalCode(V, C), (draw.numbers(B, V * C),)),
        lambda w, part, p, stats: w.class_log_probs(stats, C),
    ),
    "posterior.bernoulli": Entry(
        lambda draw: (nv.BernoulliCode(), (draw.numbers(B, Z),)), lambda w, part, p, stats: stats
    ),
    "posterior_step.gumbel_softmax": Entry(
        lambda draw: (
            GumbelSoftmax(C, 0.7), (draw.numbers(B, V * C, far=9), draw.noise(draw.K, B, V * C))
        ),
        lambda w, part, p, log_q, eps: w.gumbel_softmax(log_q, eps, C, 0.7),
    ),
    "posterior_step.binary_concrete": Entry(
        lambda draw: (BinaryConcrete(0.7), (draw.numbers(B, Z, far=9), draw.noise(draw.K, B, Z))),
        lambda w, part, p, logits, eps: w.binary_concrete(logits, eps, 0.7),
    ),
    "posterior_step.code_log_prob": Entry(
        lambda draw: (CodeLogProb(), (draw.inside(draw.K, B, Z), draw.numbers(B, Z))),
        lambda w, part, p, z, log_q: (z * log_q).sum(-1),
    ),
    "posterior_step.bernoulli_code_log_prob": Entry(
        lambda draw: (BernoulliCodeLogProb(), (draw.inside(draw.K, B, Z), draw.numbers(B, Z))),
        lambda w, part, p, z, logits: w.bernoulli_log_prob(z, logits),
    ),
    "prior.uniform": Entry(
        lambda draw: (nv.UniformPrior(C), (draw.inside(draw.K, B, V * C),)),
        lambda w, part, p, z: -np.log(C) * z.sum(-1),
    ),
    "prior.bernoulli": Entry(
        lambda draw: (nv.BernoulliPrior(0.3), (draw.inside(draw.K, B, Z),)),
        lambda w, part, p, z: (z * np.log(0.3) + (1 - z) * np.log(0.7)).sum(-1),
    ),
    "kl.categorical_uniform": Entry(
        lambda draw: (CategoricalKL(C), (draw.gentle(B, V * C),)),
        lambda w, part, p, log_q: w.categorical_kl(log_q, C),
    ),
    "kl.bernoulli_bernoulli": Entry(
        lambda draw: (BernoulliKL(math.log(0.3 / 0.7)), (draw.numbers(B, Z, far=20),)),
        lambda w, part, p, logits: w.bernoulli_kl(logits, 0.3),
    ),
    "level_step.mean": Entry(
        lambda draw: (levels.Mean(), (draw.numbers(M, B), -abs(draw.numbers(M, B, far=20)))),
        lambda w, part, p, log_px, log_q: (w.exp(log_q) * log_px).sum(0)[None],
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
    "prior.conditional": Entry(
        lambda draw: (
            priors.Conditional(),
            (draw.numbers(draw.K, B, Z), draw.numbers(B, Z), draw.numbers(B, Z, far=20)),
        ),
        lambda w, part, p, z, mu, logvar: w.gaussian_log_prob(z, mu, logvar),
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
    **{
        f"prior.{name}": Entry(partial(flow_prior, name), flow_prior_log_p)
        for name in ("coupling", "flow")
    },
    "prior_step.pseudo_inputs": Entry(
        lambda draw: (draw.parameters(priors.PseudoInputs(M, D)), ()),
        lambda w, part, p: p["u"],
    ),
    "kl.gaussian_standard": Entry(
        lambda draw: (levels.GaussianKL(), (draw.numbers(B, Z), draw.numbers(B, Z, far=20))),
        lambda w, part, p, mu, logvar: w.gaussian_kl(mu, logvar),
    ),
    "kl.gaussian_conditional": Entry(
        lambda draw: (
            levels.ConditionalKL(),
            (
                draw.numbers(B, Z), draw.numbers(B, Z, far=20),
                draw.numbers(draw.K, B, Z), draw.numbers(draw.K, B, Z, far=20),
            ),
        ),
        lambda w, part, p, *given: w.gaussian_kl_between(*given),
    ),
    "posterior_step.precision_weighted": Entry(
        lambda draw: (
            PrecisionWeighted(),
            (
                draw.numbers(B, Z), draw.numbers(B, Z, far=20),
                draw.numbers(draw.K, B, Z), draw.numbers(draw.K, B, Z, far=20),
            ),
        ),
        lambda w, part, p, *given: precision_weighted(w, *given),
    ),
    "model.conv": Entry(conv_example, conv),
    "model.autoencoder": Entry(autoencoder_example, autoencoder),
    "model.hierarchical": Entry(hierarchical_example, hierarchical),
    "model.semi": Entry(semi_example, semi),
    "model.vae": Entry(vae_example, vae),
}  # fmt: skip
