"""The same VAE in JAX with optax."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..nets import Net, floats

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def initial(net: Net, key: Any) -> dict[str, list[Any]]:
    """U(±1/√fan_in), as PyTorch has it."""
    widths = {
        "encoder": (net.x_dim, *net.hidden, 2 * net.z_dim),
        "decoder": (net.z_dim, *net.hidden[::-1], net.x_dim),
    }
    keys = iter(jax.random.split(key, 4 * len(net.hidden + net.channels) + 8))

    def linear(*shape: int) -> Any:
        m = math.prod(shape[:-1])
        return [
            jax.random.uniform(next(keys), shape, minval=-(m**-0.5), maxval=m**-0.5)
            for shape in (shape, shape[-1:])
        ]

    if net.channels:
        flat, pairs = math.prod(net.images[-1]), list(pairwise((1, *net.channels)))
        down = [linear(4, 4, c, d) for c, d in pairs]
        up = [linear(4, 4, d, c) for c, d in pairs[::-1]]
        return {
            "encoder": [*down, linear(flat, 2 * net.z_dim)],
            "decoder": [linear(net.z_dim, flat), *up],
        }
    return {part: [linear(m, n) for m, n in pairwise(w)] for part, w in widths.items()}


def mlp(layers: Sequence[Any], activation: Callable[[Any], Any], h: Any) -> Any:
    *hidden, (w_last, b_last) = layers
    for w, b in hidden:
        h = activation(h @ w + b)
    return h @ w_last + b_last


def convolved(params: Any, x: Any, net: Net) -> Any:
    """Mean and log-variance of images in rows."""
    *convolutions, (w_last, b_last) = params["encoder"]
    h, activation = x.reshape(-1, *net.images[0]), ACTIVATIONS[net.activation]
    for w, b in convolutions:
        sides = ((1, 1), (1, 1))
        kinds = ("NHWC", "HWIO", "NHWC")
        h = activation(
            jax.lax.conv_general_dilated(h, w, (2, 2), sides, dimension_numbers=kinds) + b
        )
    return h.reshape(len(h), -1) @ w_last + b_last


def deconvolved(params: Any, z: Any, net: Net) -> Any:
    """The logits of images in rows."""
    (w_first, b_first), *convolutions = params["decoder"]
    activation = ACTIVATIONS[net.activation]
    h = activation(z @ w_first + b_first).reshape(-1, *net.images[-1])
    for i, (w, b) in enumerate(convolutions):
        h = h if i == 0 else activation(h)
        h = jax.lax.conv_transpose(h, w, (2, 2), ((2, 2), (2, 2))) + b
    return h.reshape(len(h), -1)


def loss_of(params: Any, x: Any, key: Any, net: Net) -> Any:
    """-ELBO summed over the batch."""
    activation = ACTIVATIONS[net.activation]
    stats = convolved(params, x, net) if net.channels else mlp(params["encoder"], activation, x)
    mu, logvar = jnp.split(stats, 2, axis=-1)
    shape = mu.shape if net.samples == 1 else (net.samples, *mu.shape)
    z = mu + jax.random.normal(key, shape) * jnp.exp(0.5 * logvar)
    logits = deconvolved(params, z, net) if net.channels else mlp(params["decoder"], activation, z)
    # optax.sigmoid_binary_cross_entropy takes two logarithms, and a step a quarter longer.
    softplus = jnp.maximum(logits, 0) + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    rec = jnp.sum(softplus - logits * x) / net.samples
    return rec - 0.5 * jnp.sum(1 + logvar - mu**2 - jnp.exp(logvar))


def train(
    peer: str,
    net: Net,
    x: np.ndarray,
    epochs: int,
    threads: int,  # XLA takes the cores that the process may use
    after_epoch: Callable[[float], None],
) -> None:
    x = floats(x)
    optimiser = optax.adam(1e-3)
    params = initial(net, jax.random.PRNGKey(0))
    state = params, optimiser.init(params)

    def step(state: Any, batch: Any, key: Any) -> tuple[Any, Any]:
        params, adam = state
        loss, grads = jax.value_and_grad(loss_of)(params, batch, key, net)
        updates, adam = optimiser.update(grads, adam)
        return (optax.apply_updates(params, updates), adam), loss

    run = by_scan if peer == "jax_scan" else by_step
    run(step, state, x, epochs, net.batch, after_epoch)


def by_step(
    step: Any, state: Any, x: np.ndarray, epochs: int, batch_size: int, after_epoch: Any
) -> None:
    """Batches are picked outside, and each step is a call."""

    @partial(jax.jit, donate_argnums=0)
    def one(state: Any, total: Any, batch: Any, seed: int) -> tuple[Any, Any]:
        state, loss = step(state, batch, jax.random.PRNGKey(seed))
        return state, total + loss

    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order, total = rng.permutation(len(x)), jnp.zeros(())
        for start in range(0, len(x), batch_size):
            batch = x[order[start : start + batch_size]]
            state, total = one(state, total, batch, epoch * len(x) + start)
        after_epoch(float(total) / len(x))


def by_scan(step: Any, state: Any, x: Any, epochs: int, batch_size: int, after_epoch: Any) -> None:
    """The whole epoch is one call; x may be several arrays, of which a step gets its rows."""
    n = len(jax.tree.leaves(x)[0])
    steps = n // batch_size

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: Any, x: Any, seed: int) -> tuple[Any, Any]:
        for_order, for_noise = jax.random.split(jax.random.PRNGKey(seed))
        order = jax.random.permutation(for_order, n)[: steps * batch_size]
        inputs = order.reshape(steps, batch_size), jax.random.split(for_noise, steps)

        def one(state: Any, now: Any) -> tuple[Any, Any]:
            rows, key = now
            return step(state, jax.tree.map(lambda a: a[rows], x), key)

        state, losses = jax.lax.scan(one, state, inputs)
        return state, losses.sum()

    rows = jax.tree.map(jnp.asarray, x)
    for seed in range(epochs):
        state, total = epoch(state, rows, seed)
        after_epoch(float(total) / (steps * batch_size))
