"""The gradient of an expectation: exact, by the score function, and by the pathwise way.

    python examples/theory/gradient.py [--out FOLDER] [--quick]

f(z) = ½ ‖z - a‖² and z ~ N(mu, diag exp(logvar)). E f = ½ (‖mu - a‖² + Σ exp(logvar)), so both
gradients are known: mu - a and ½ exp(logvar). Both estimators have them as their means; how they
scatter around them differs, and more so the more dimensions z has.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run

import npvae as nv

Z = 10
COLOURS = {"pathwise": nv.plots.BLUE, "score": nv.plots.ORANGE}
DIMENSIONS = (1, 2, 5, 10, 20, 50, 100)


def problem(z_dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mu, logvar and a, each (z_dim,): the same mu - a and logvar in every dimension."""
    return np.full(z_dim, 0.5), np.full(z_dim, -1.0), np.full(z_dim, -0.5)


def exact(mu: np.ndarray, logvar: np.ndarray, a: np.ndarray) -> dict[str, np.ndarray]:
    return {"mu": mu - a, "logvar": 0.5 * np.exp(logvar)}


def pathwise(mu, logvar, a, eps) -> dict[str, np.ndarray]:
    """∂f/∂z · ∂z/∂mu and ∂f/∂z · ∂z/∂logvar of each draw z = mu + std eps, (K, Z)."""
    std = np.exp(logvar / 2)
    dz = mu + std * eps - a
    return {"mu": dz, "logvar": dz * eps * std / 2}


def score(mu, logvar, a, eps) -> dict[str, np.ndarray]:
    """f(z) ∂log q(z)/∂mu and f(z) ∂log q(z)/∂logvar of each draw, (K, Z)."""
    std = np.exp(logvar / 2)
    f = 0.5 * ((mu + std * eps - a) ** 2).sum(-1, keepdims=True)
    return {"mu": f * eps / std, "logvar": f * (eps**2 - 1) / 2}


ESTIMATORS = {"pathwise": pathwise, "score": score}


def measure(quick: bool = False) -> dict:
    rng, n = np.random.default_rng(0), 20_000 if quick else 200_000
    at = problem(Z)
    eps = rng.normal(size=(n, Z))
    draws = {name: of(*at, eps) for name, of in ESTIMATORS.items()}
    variances: dict = {(name, by): [] for name in ESTIMATORS for by in ("mu", "logvar")}
    for z_dim in DIMENSIONS:
        eps = rng.normal(size=(n // 10, z_dim))
        for name, of in ESTIMATORS.items():
            for by, d in of(*problem(z_dim), eps).items():
                variances[name, by].append(d.var(0).mean())
    return {"exact": exact(*at), "draws": draws, "variances": variances}


def table(found: dict) -> str:
    rows = []
    for by, wanted in found["exact"].items():
        for name, draws in found["draws"].items():
            d = draws[by][:, 0]
            error = d.std() / np.sqrt(len(d))
            rows.append((f"∂{by}", name, f"{wanted[0]:.4f}", f"{d.mean():.4f} ± {error:.4f}",
                         f"{draws[by].var(0).mean():.4f}"))  # fmt: skip
    return grid(("by", "estimator", "exact", "mean", "variance of a draw"), rows)


def picture(found: dict) -> Figure:
    figure, axes = panels(3, f"Two unbiased gradients of an expectation over {Z} dimensions", 2.8)
    for ax, (by, wanted), half in zip(axes, found["exact"].items(), (12.0, 8.0), strict=False):
        edges = np.linspace(wanted[0] - half, wanted[0] + half, 121)
        for name in ("score", "pathwise"):
            draws = found["draws"][name]
            ax.hist(
                draws[by][:, 0], edges, density=True, color=COLOURS[name], alpha=0.75, label=name
            )
        ax.axvline(wanted[0], color=nv.plots.INK, lw=1, ls=":", label="exact")
        ax.set(yscale="log", title=f"draws of ∂E[f]/∂{by}[0]", xlabel="estimate", ylim=(1e-3, 30))
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left")
    for (name, by), variance in found["variances"].items():
        axes[2].loglog(DIMENSIONS, variance, "o-" if by == "mu" else "s--", ms=3, lw=1.2,
                       color=COLOURS[name], label=f"{name}, ∂{by}")  # fmt: skip
    axes[2].set(title="variance of a draw", xlabel="dimensions of z")
    axes[2].legend(loc="upper left")
    axes[2].set_ylim(top=1e6)
    axes[2].grid()
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"gradient": picture})
