"""The same model families in JAX with optax.

Each has the widths of its dense layers, and a loss, summed over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..nets import LABELLED, N_CLASSES, N_FLOWS, Z_ABOVE, Net, floats
from .masks import CONTEXT, WIDTH, autoregressive, unit_vectors
from .with_jax import ACTIVATIONS, by_scan, mlp


def widths(family: str, net: Net) -> dict[str, tuple[int, ...]]:
    """Of the dense networks of a family."""
    (h,), x, z = net.hidden, net.x_dim, net.z_dim
    if family == "levels":
        return {
            "first": (x, h), "encoder": (h, 2 * z), "second": (h, h, 2 * Z_ABOVE),
            "prior": (Z_ABOVE, h, 2 * z), "decoder": (z, h, x),
        }  # fmt: skip
    c = N_CLASSES if family in ("conditional", "semi") else 0
    more = N_FLOWS["iaf"] * CONTEXT if family == "iaf" else 0
    found = {"encoder": (x + c, h, 2 * z + more), "decoder": (z + c, h, x)}
    if family == "semi":
        found["classifier"] = (x, h, N_CLASSES)
    for i in range(N_FLOWS["iaf"] if family == "iaf" else 0):
        found[f"flow{i}"] = (z + CONTEXT, WIDTH, 2 * z)
    return found


def initial(family: str, net: Net) -> dict[str, Any]:
    """U(±1/√fan_in), as PyTorch has it."""
    keys = (jax.random.PRNGKey(i) for i in range(1000))

    def linear(m: int, n: int) -> Any:
        return [
            jax.random.uniform(next(keys), shape, minval=-(m**-0.5), maxval=m**-0.5)
            for shape in ((m, n), (n,))
        ]

    params: dict[str, Any] = {
        part: [linear(m, n) for m, n in pairwise(w)] for part, w in widths(family, net).items()
    }
    for part in params:
        if part.startswith("flow"):  # npvae's start: nearly the identity
            params[part][-1][0] *= 0.1
    if family == "planar":
        shape = (N_FLOWS["planar"], net.z_dim)
        params["w"] = 0.1 * jax.random.normal(next(keys), shape)
        params["u"] = 0.1 * jax.random.normal(next(keys), shape)
        params["b"] = jnp.zeros(shape[0])
    return params


def distortion(logits: Any, x: Any) -> Any:
    """-log p(x) of each row."""
    # optax.sigmoid_binary_cross_entropy takes two logarithms, and a step a quarter longer.
    softplus = jnp.maximum(logits, 0) + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.sum(softplus - logits * x, -1)


def kl_to_standard(mu: Any, logvar: Any) -> Any:
    return -0.5 * (1 + logvar - mu**2 - jnp.exp(logvar))


def draw(mu: Any, logvar: Any, key: Any) -> Any:
    return mu + jax.random.normal(key, mu.shape) * jnp.exp(0.5 * logvar)


def flowed(through: Callable[..., Any]) -> Callable[..., Any]:
    """The loss with a posterior of flows."""

    def loss(p: Any, net: Net, act: Any, key: Any, x: Any) -> Any:
        stats, z_dim = mlp(p["encoder"], act, x), net.z_dim
        mu, logvar, h = stats[:, :z_dim], stats[:, z_dim : 2 * z_dim], stats[:, 2 * z_dim :]
        eps = jax.random.normal(key, mu.shape)
        z, log_det = through(p, mu + eps * jnp.exp(0.5 * logvar), h)
        rate = 0.5 * jnp.sum(z**2 - eps**2 - logvar) - log_det
        return jnp.sum(distortion(mlp(p["decoder"], act, z), x)) + rate

    return loss


@flowed
def planar(p: Any, z: Any, h: Any) -> Any:
    along = jnp.sum(p["w"] * p["u"], 1)
    m = jax.nn.softplus(along) - 1
    u = p["u"] + ((m - along) / jnp.sum(p["w"] ** 2, 1))[:, None] * p["w"]
    log_det = 0.0
    for i in range(len(u)):
        bend = jnp.tanh(z @ p["w"][i] + p["b"][i])
        z = z + bend[:, None] * u[i]
        log_det += jnp.sum(jnp.log1p((1 - bend**2) * m[i]))
    return z, log_det


@flowed
def iaf(p: Any, z: Any, h: Any) -> Any:
    log_det = 0.0
    for i, own in enumerate(jnp.split(h, N_FLOWS["iaf"], 1)):
        masks = autoregressive(z.shape[1], backwards=i % 2 == 1)
        layers = [(w * m.T, b) for (w, b), m in zip(p[f"flow{i}"], masks, strict=True)]
        shift, raw = jnp.split(mlp(layers, jnp.tanh, jnp.concatenate([z, own], 1)), 2, 1)
        s = 3 * jnp.tanh(raw / 3)
        z = z * jnp.exp(s) + shift
        log_det += jnp.sum(s)
    return z, log_det


def levels(p: Any, net: Net, act: Any, key: Any, x: Any) -> Any:
    above, beneath = jax.random.split(key)
    h = act(mlp(p["first"], act, x))
    mu, logvar = jnp.split(mlp(p["encoder"], act, h), 2, 1)
    mu_2, logvar_2 = jnp.split(mlp(p["second"], act, h), 2, 1)
    mu_p, logvar_p = jnp.split(mlp(p["prior"], act, draw(mu_2, logvar_2, above)), 2, 1)
    mu_q = mu_p + jax.nn.sigmoid(logvar_p - logvar) * (mu - mu_p)
    logvar_q = -jnp.logaddexp(-logvar, -logvar_p)
    wider = logvar_q - logvar_p
    kl = 0.5 * ((mu_q - mu_p) ** 2 * jnp.exp(-logvar_p) + jnp.expm1(wider) - wider)
    rate = jnp.sum(kl) + jnp.sum(kl_to_standard(mu_2, logvar_2))
    return jnp.sum(distortion(mlp(p["decoder"], act, draw(mu_q, logvar_q, beneath)), x)) + rate


def conditional(p: Any, net: Net, act: Any, key: Any, x: Any, c: Any) -> Any:
    mu, logvar = jnp.split(mlp(p["encoder"], act, jnp.concatenate([x, c], 1)), 2, 1)
    z = jnp.concatenate([draw(mu, logvar, key), c], 1)
    rate = jnp.sum(kl_to_standard(mu, logvar))
    return jnp.sum(distortion(mlp(p["decoder"], act, z), x)) + rate


def semi(p: Any, net: Net, act: Any, key: Any, x: Any, c: Any) -> Any:
    log_q = jax.nn.log_softmax(mlp(p["classifier"], act, x), 1)
    classes = jnp.broadcast_to(jnp.eye(N_CLASSES)[:, None], (N_CLASSES, len(x), N_CLASSES))
    each = jnp.broadcast_to(x, (N_CLASSES, *x.shape))
    stats = mlp(p["encoder"], act, jnp.concatenate([each, classes], 2))
    mu, logvar = jnp.split(stats, 2, 2)
    logits = mlp(p["decoder"], act, jnp.concatenate([draw(mu, logvar, key), classes], 2))
    of_class = distortion(logits, x) + jnp.sum(kl_to_standard(mu, logvar), 2)
    unknown, q = 1 - jnp.sum(c, 1, keepdims=True), jnp.exp(log_q)
    loss = jnp.sum((c + unknown * q).T * of_class) + jnp.sum(unknown * q * log_q)
    return loss + len(x) * jnp.log(N_CLASSES) - 0.1 * LABELLED * jnp.sum(c * log_q)


LOSSES = {
    "planar": planar, "iaf": iaf, "levels": levels, "conditional": conditional, "semi": semi,
}  # fmt: skip


def train(
    peer: str,
    net: Net,
    x: np.ndarray,
    epochs: int,
    threads: int,  # XLA takes the cores that the process may use
    after_epoch: Callable[[float], None],
    family: str,
    labels: np.ndarray,
) -> None:
    optimiser, act = optax.adam(1e-3), ACTIVATIONS[net.activation]
    params = initial(family, net)

    def step(state: Any, batch: Any, key: Any) -> tuple[Any, Any]:
        params, adam = state
        loss, grads = jax.value_and_grad(LOSSES[family])(params, net, act, key, *batch)
        updates, adam = optimiser.update(grads, adam)
        return (optax.apply_updates(params, updates), adam), loss

    data = [floats(x)]
    if family in ("conditional", "semi"):
        data.append(unit_vectors(labels))
    by_scan(step, (params, optimiser.init(params)), data, epochs, net.batch, after_epoch)
