"""The parts of npvae/flows: flows, and the posteriors and priors that they make."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import npvae as nv
from npvae.core import resolve

from .case import Array, B, C, D, Draw, Entry, Z, mlp, under


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


PARTS = {
    "posterior.flowed": Entry(
        lambda draw: (flowed(draw), (draw.numbers(B, 2 * Z, far=25),)),
        lambda w, part, p, stats: w.heads(stats),
    ),
    **{
        f"posterior.{name}": posterior_of(name)
        for name in ("coupling", "iaf", "planar", "radial", "sylvester")
    },
    "flow.coupling": Entry(
        lambda draw: (flow(nv.Coupling, draw, hidden=(3,)), (draw.numbers(draw.K, B, Z, far=3),)),
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
            flow(nv.Sylvester, draw, m=3, reflections=2),
            (draw.numbers(draw.K, B, Z, far=3),),
        ),
        sylvester,
    ),
    "flow.planar": Entry(
        lambda draw: (flowed(draw).flows[0], (draw.numbers(draw.K, B, Z, far=3),)),
        lambda w, part, p, z: w.planar(z, p["w"], p["u"], p["b"]),
    ),
    **{
        f"prior.{name}": Entry(partial(flow_prior, name), flow_prior_log_p)
        for name in ("coupling", "flow")
    },
}
