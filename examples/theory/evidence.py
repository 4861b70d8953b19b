"""The evidence as an integral, and three ways to draw the z that it is estimated by.

    python examples/theory/evidence.py [--out FOLDER] [--quick]

A VAE with two latent dimensions is trained on the embedded digits. Of one digit x, p(x) is then
known: two dimensions can be summed over a fine grid. Naive Monte Carlo draws z uniformly or from
the prior, importance sampling from the encoder's q(z given x). In sixteen dimensions no grid is
left, and naive Monte Carlo fails.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run

import npvae as nv

REACH = 5.0
"""Uniform draws and the grid fill the square [-REACH, REACH]²."""
KS = 4 ** np.arange(6)
WAYS = ("uniform", "prior", "encoder's q")
COLOURS = (nv.plots.PALETTE[2], nv.plots.BLUE, nv.plots.ORANGE)


def log_joint(model: nv.VAE, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x, z) of one x (D,) and many z (n, Z), (n,), in nats."""
    log_px = [
        model.likelihood.log_prob(model.theta(some, None), np.broadcast_to(x, (len(some), len(x))))
        for some in np.array_split(z, 1 + len(z) // 10_000)  # of bounded memory
    ]
    log_pz = -0.5 * (z**2 + np.log(2 * np.pi)).sum(1)
    return np.concatenate(log_px) + log_pz


def log_mean_exp(log_w: np.ndarray) -> np.ndarray:
    """log 1/K Σ_k w_k over the last axis, whatever the size of w."""
    top = log_w.max(-1, keepdims=True)
    return np.log(np.exp(log_w - top).mean(-1)) + top[..., 0]


def quadrature(model: nv.VAE, x: np.ndarray, n: int) -> tuple[float, np.ndarray]:
    """log p(x) from the midpoints of n² squares, and log p(x, z) there."""
    middle = (np.arange(n) + 0.5) / n * 2 * REACH - REACH
    z = np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)
    log_p = log_joint(model, x, z)
    return float(log_mean_exp(log_p) + 2 * np.log(2 * REACH)), log_p.reshape(n, n)


def weights(model: nv.VAE, x: np.ndarray, way: str, n: int, rng: np.random.Generator):
    """n draws z (n, Z) in one of the `WAYS`, and log w = log p(x, z) - log r(z) of each."""
    mu, logvar = (a[0] for a in model.encode(x[None]))
    eps = rng.normal(size=(n, len(mu)))
    if way == "uniform":
        z = rng.uniform(-REACH, REACH, eps.shape)
        log_r = np.full(n, -len(mu) * np.log(2 * REACH))
    else:
        at, log_scale = (0.0, 0.0) if way == "prior" else (mu, logvar / 2)
        z = at + np.exp(log_scale) * eps
        log_r = -0.5 * (eps**2 + np.log(2 * np.pi) + 2 * log_scale).sum(1)
    log_w = log_joint(model, x, z) - log_r
    return z, log_w


def measure(quick: bool = False) -> dict:
    x, _ = nv.datasets.digits()
    trained, x = x[200:], x[12].astype(float)
    model = nv.VAE(64, 2, hidden=(128,), activation="tanh", seed=0)
    nv.fit(model, trained, epochs=15 if quick else 60, lr=3e-3, progress=False)
    model = model.astype("float64")
    exact, density = quadrature(model, x, 400)
    coarse, _ = quadrature(model, x, 200)
    rng = np.random.default_rng(1)
    repeats = 100 if quick else 400
    found = {"exact": exact, "coarse": coarse, "density": density, "x": x, "ways": {}}
    for way in WAYS:
        z, log_w = weights(model, x, way, repeats * KS[-1], rng)
        w = np.exp(log_w - exact)  # of mean 1
        errors = [np.std(w[: repeats * k].reshape(repeats, k).mean(1)) for k in KS]
        found["ways"][way] = {
            "z": z[:400], "errors": np.array(errors), "mean": w.mean(),
            "standard error": w.std() / np.sqrt(len(w)), "effective": w.sum() ** 2 / (w**2).sum()
            / len(w),
        }  # fmt: skip
    found["sixteen"] = in_sixteen_dimensions(trained, quick)
    return found


def in_sixteen_dimensions(x: np.ndarray, quick: bool) -> dict:
    """Mean log p(x) of 100 digits with 5,000 draws each, and of the draws the share that counts."""
    model = nv.VAE(64, 16, hidden=(128,), likelihood="gaussian:scale=0.1", seed=0)
    nv.fit(model, x, epochs=15 if quick else 60, lr=3e-3, progress=False)
    x_test, n = nv.datasets.digits()[0][:100], 500 if quick else 5000
    found = {"draws": n, "elbo": float(model.elbo(x_test, n_samples=100).mean())}
    for proposal in ("prior", "posterior"):
        log_p, _, effective = nv.log_likelihood(
            model, x_test, n_samples=n, proposal=proposal, diagnostics=True
        )
        found[proposal] = float(log_p.mean()), float(np.median(effective))
    return found


def table(found: dict) -> str:
    rows = [
        (way, f"{w['mean']:.3f} ± {w['standard error']:.3f}", f"{w['effective']:.1%}",
         *(f"{w['errors'][i]:.3f}" for i in (0, 3, 5)))
        for way, w in found["ways"].items()
    ]  # fmt: skip
    head = (
        "z from",
        "estimate / p(x)",
        "draws that count",
        *(f"error, K = {KS[i]}" for i in (0, 3, 5)),
    )
    sixteen = found["sixteen"]
    (naive, few), (sampled, many) = sixteen["prior"], sixteen["posterior"]
    return "\n".join([
        f"two dimensions, log p(x) by quadrature: {found['exact']:.4f} nats "
        f"(with a quarter of the points {found['coarse']:.4f})",
        grid(head, rows),
        f"sixteen dimensions, {sixteen['draws']} draws for each of 100 digits, mean log p(x): "
        f"from the prior {naive:.2f}, from q {sampled:.2f}, ELBO {sixteen['elbo']:.2f} nats; "
        f"draws that count: {few:.1f} and {many:.0f}",
    ])  # fmt: skip


def picture(found: dict) -> Figure:
    """Where the draws fall, over the posterior, and how the error falls with K."""
    figure, axes = panels(
        4, "One digit: its posterior (grey), and where draws of z fall (% of them count)", 2.6
    )
    density = np.exp(found["density"] - found["density"].max())
    side = [-REACH, REACH]
    for ax, (way, w), colour in zip(axes, found["ways"].items(), COLOURS, strict=False):
        ax.contourf(
            density,
            [0.01, 0.1, 0.5, 1.1],
            extent=side * 2,
            colors=["#DDDDDD", "#AAAAAA", "#777777"],
        )
        ax.plot(*w["z"].T, ".", color=colour, ms=2.2, mew=0, alpha=0.8)
        ax.set(xlim=side, ylim=side, aspect="equal", xticks=[-4, 0, 4], yticks=[-4, 0, 4])
        ax.set_title(f"{way}: {w['effective']:.0%}", color=colour)
        ax.set_xlabel("z[0]")
    axes[0].set_ylabel("z[1]")
    last = axes[3]
    for w, colour in zip(found["ways"].values(), COLOURS, strict=True):
        last.loglog(KS, w["errors"], "o-", color=colour, ms=3, lw=1.2)
    last.set(xlabel="draws K", box_aspect=1, title="relative error of p(x)")
    last.set_xticks([1, 10, 100, 1000])
    last.grid()
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"evidence": picture})
