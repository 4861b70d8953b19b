"""The parts of npvae/layers, and activations."""

from __future__ import annotations

from typing import Any

import numpy as np

import npvae as nv
from npvae import layers

from .case import Array, B, C, D, Draw, Entry, H, mlp, under


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


def activation(name: str) -> Entry:
    return Entry(
        lambda draw: (
            nv.registered("activation")[name](),
            (draw.numbers(draw.K * B, H), draw.noise(H)),
        ),
        lambda w, part, p, a, b: w.ACTIVATIONS[name](a + b),
    )


PARTS = {
    **{f"activation.{name}": activation(name) for name in nv.registered("activation")},
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
            p["g"]
            * (x.reshape(*x.shape[:-1], -1, 4) - p["mean"])
            / (p["variance"] + part.eps) ** 0.5
            + p["b"]
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
}
