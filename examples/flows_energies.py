"""Flows fitted to four energies in the plane, after Rezende & Mohamed 2015 (figure 3 and table 1).

    python examples/flows_energies.py [--out energies.png] [--steps 2000]

Nothing is learnt of data here: q(z) is what flows make of a Gaussian, and is moved towards the
density proportional to exp(-U(z)) by steps against the gradient of E_q[log q(z) + U(z)]. Its parts
are npvae's, with their backward; the gradients of the energies are derived below. U2 to U4 are
improper on the plane, so the truth is the density on the window [-4, 4]², and a wall keeps q there.
The divergence of what lies in the window from the truth is an integral over the noise that q is
made of, and is found by quadrature.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import npvae as nv
from npvae.core import Part, bind, initialise
from npvae.core.numerics import logsumexp, sigmoid
from npvae.optim import Adam

WINDOW = 4.0
KINDS = {
    "planar, K = 2": ["planar"] * 2,
    "planar, K = 8": ["planar"] * 8,
    "planar, K = 32": ["planar"] * 32,
    "coupling, 8": ["coupling:hidden=[32]"] * 8,
}
BATCH, ANNEALED = 200, 0.4
"""Noise vectors a step, and the share of steps in which U's weight rises from 0.01 to 1."""


def mixture(*bumps):
    """-log Σ exp(-e²/2) of bumps (e, ∂e/∂z1, ∂e/∂z2), and its gradient.

    Derivation: with r_i the softmax of -e_i²/2, ∂/∂e_i = r_i e_i.
    """
    e, *slopes = (np.stack(part) for part in zip(*bumps, strict=True))
    log_p = logsumexp(-e * e / 2, axis=0)
    r = np.exp(-e * e / 2 - log_p)
    return -log_p, np.stack([(r * e * slope).sum(0) for slope in slopes], axis=-1)


def u1(z):
    """½ ((|z| - 2) / 0.4)², with a bump at either end of the first axis."""
    norm = np.linalg.norm(z, axis=-1)
    ring, bump = (norm - 2) / 0.4, np.zeros_like(norm)
    energy, gradient = mixture(*[((z[..., 0] + c) / 0.6, bump + 1 / 0.6, bump) for c in (-2, 2)])
    return energy + ring**2 / 2, gradient + (ring / 0.4 / norm)[..., None] * z


def wave(z):
    """z2 - sin(π z1 / 2), and its derivative by z1."""
    return z[..., 1] - np.sin(np.pi / 2 * z[..., 0]), -np.pi / 2 * np.cos(np.pi / 2 * z[..., 0])


def bump(z, height, slope, width):
    """(wave + height) / width, with its derivatives: `slope` is that of the height."""
    e, by_first = wave(z)
    return (e + height) / width, (by_first + slope) / width, np.full_like(e, 1 / width)


def u2(z):
    return mixture(bump(z, 0.0, 0.0, 0.4))


def u3(z):
    u = (z[..., 0] - 1) / 0.6
    height = 3 * np.exp(-u * u / 2)
    return mixture(bump(z, 0.0, 0.0, 0.35), bump(z, height, -height * u / 0.6, 0.35))


def u4(z):
    share = sigmoid((z[..., 0] - 1) / 0.3)
    slope = 3 * share * (1 - share) / 0.3
    return mixture(bump(z, 0.0, 0.0, 0.4), bump(z, 3 * share, slope, 0.35))


ENERGIES = {"U1": u1, "U2": u2, "U3": u3, "U4": u4}


class Made(Part, abstract=True):
    """q(z): flows of a Gaussian whose mean and log-variance are parameters.

    Derivation: that of `Flowed`; the parameters stand where an encoder's output would.
    """

    def __init__(self, flows):
        self.posterior = nv.Flowed(flows)
        self.posterior.build(2)
        self.parameter("stats", (1, 4), lambda rng, shape: np.zeros(shape))

    def forward(self, eps):
        """z and log q(z) of noise eps (K, 2)."""
        params, c_stats = self.posterior.forward(self.stats)
        (z, log_q), c_draw = self.posterior.draw(params, eps[:, None], density=True)
        return (z[:, 0], log_q[:, 0]), (c_stats, c_draw)

    def backward(self, cache, dz, d_log_q):
        c_stats, c_draw = cache
        dz, d_log_q = dz[:, None], d_log_q[:, None]
        d_params = self.posterior.draw_backward(c_draw, dz, d_log_q, True, None)
        self.dstats += self.posterior.backward(c_stats, *d_params)


def walled(energy, z):
    """The energy, which rises steeply beyond the window, and its gradient."""
    value, gradient = energy(z)
    beyond = np.sign(z) * np.maximum(np.abs(z) - WINDOW, 0)
    return value + 40 * (beyond**2).sum(-1), gradient + 80 * beyond


def fit(energy, flows, steps, seed=0):
    """q after so many steps of Adam on E_q[log q + weight · U]."""
    rng, q, adam = np.random.default_rng(seed), Made(flows), Adam(clip_norm=10.0)
    theta = initialise(q, rng, np.float64)
    gradient = np.zeros_like(theta)
    bind(q, theta)
    bind(q, gradient, "d")
    state, d_log_q = adam.start(theta), np.full(BATCH, 1 / BATCH)
    for step in range(steps):
        weight = min(1.0, 0.01 + step / (ANNEALED * steps))
        rate = 1e-2 * 0.5 * (1 + np.cos(np.pi * step / steps))
        (z, _), cache = q.forward(rng.normal(size=(BATCH, 2)))
        gradient.fill(0)
        q.backward(cache, weight * walled(energy, z)[1] / BATCH, d_log_q)
        adam.step(state, theta, gradient, rate)
    return q


def square(n, reach):
    """n × n points in the middle of cells of [-reach, reach]², and the area of a cell."""
    edge = (np.arange(n) + 0.5) / n * 2 * reach - reach
    return np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2), (2 * reach / n) ** 2


def log_z(energy):
    """The logarithm of the integral of exp(-U) over the window."""
    z, area = square(1000, WINDOW)
    return float(logsumexp(-energy(z)[0], axis=0) + np.log(area))


def divergence(q, energy):
    """KL in nats of q within the window from the truth, and the share of q that lies there.

    With W the noise whose z is in the window, m its probability, and N the noise's density, it is
    ∫_W N (log q + U + log Z) / m - log m.
    """
    eps, area = square(700, 6.0)
    (z, log_q), _ = q.forward(eps)
    weight = np.exp(-(eps**2).sum(-1) / 2) / (2 * np.pi) * area * (np.abs(z) < WINDOW).all(-1)
    inside = weight.sum()
    given = (weight * (log_q + energy(z)[0] + log_z(energy))).sum() / inside - np.log(inside)
    return float(given), float(inside)


def draw(axes, energy, fits):
    """The truth, and draws of each fit, with its divergence in the title."""
    z, _ = square(400, WINDOW)
    extent = (-WINDOW, WINDOW, -WINDOW, WINDOW)
    shown = dict(extent=extent, origin="lower", cmap="magma")
    axes[0].imshow(np.exp(-energy(z)[0]).reshape(400, 400), **shown)
    for ax, (q, kl) in zip(axes[1:], fits, strict=True):
        drawn = q.forward(np.random.default_rng(1).normal(size=(400_000, 2)))[0][0]
        counts, *_ = np.histogram2d(*drawn.T[::-1], bins=200, range=[extent[:2]] * 2)
        ax.imshow(counts, **shown)
        ax.set_title(f"KL {kl:.3f}", fontsize=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("flows_energies.png"))
    parser.add_argument("--steps", type=int, default=2000)
    args = parser.parse_args()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8.4), layout="constrained")
    grid = figure.subplots(len(ENERGIES), 1 + len(KINDS))
    for axes, (name, energy) in zip(grid, ENERGIES.items(), strict=True):
        print(f"{name}: log Z in the window {log_z(energy):.8f}")
        fits = []
        for kind, flows in KINDS.items():
            q = fit(energy, flows, args.steps)
            kl, inside = divergence(q, energy)
            fits.append((q, kl))
            print(f"  {kind:15} KL {kl:7.4f} nats; {inside:.2%} of q in the window", flush=True)
        draw(axes, energy, fits)
        axes[0].set_ylabel(name)
    for ax, title in zip(grid[0], ["truth", *KINDS], strict=True):
        ax.set_title(f"{title}\n{ax.get_title()}".strip(), fontsize=9)
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[])
    figure.savefig(args.out, dpi=110)
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
