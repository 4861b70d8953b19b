"""The evidence lower bound on the one VAE of which everything is known: linear and Gaussian.

    python examples/theory/elbo.py [--out FOLDER] [--quick]

z ~ N(0, I) and x given z ~ N(W z + b, s² I), so that p(x) and p(z given x) are Gaussians. On the
left the ELBO of one x by Monte Carlo, with 95 % intervals, against its exact value; on the right q
walks from the prior to the posterior, and the gap log p(x) - ELBO = KL(q ‖ p(z given x)) closes.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run

import npvae as nv

W = np.array([[1.5, 0.0], [0.5, 1.0], [-0.5, 0.75]])
W[:, 1] -= (
    W[:, 0] * (W[:, 0] @ W[:, 1]) / (W[:, 0] @ W[:, 0])
)  # orthogonal: p(z given x) is diagonal
B, S = np.array([0.5, -0.2, 0.1]), 0.6
X = np.array([2.0, 1.5, -1.0])
KS = 4 ** np.arange(1, 8)

LOG_2PI = np.log(2 * np.pi)


def log_evidence(x: np.ndarray) -> float:
    """log N(x; b, W Wᵀ + s² I), in nats."""
    covariance, d = W @ W.T + S**2 * np.eye(len(x)), x - B
    square = d @ np.linalg.solve(covariance, d)
    return float(-0.5 * (square + np.linalg.slogdet(covariance)[1] + len(x) * LOG_2PI))


def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of p(z given x), each (Z,)."""
    precision = np.eye(2) + W.T @ W / S**2
    return np.linalg.solve(precision, W.T @ (x - B) / S**2), -np.log(np.diag(precision))


def kl(mu: np.ndarray, logvar: np.ndarray, at: np.ndarray, log_var: np.ndarray) -> float:
    """KL(N(mu, exp logvar) ‖ N(at, exp log_var)) of diagonal Gaussians, in nats."""
    u2 = (mu - at) ** 2 / np.exp(log_var)
    return float(0.5 * (u2 + np.exp(logvar - log_var) - 1 - (logvar - log_var)).sum())


def log_px(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x given z) of z (K, Z), (K,)."""
    u = (x - (z @ W.T + B)) / S
    return -0.5 * (u**2 + LOG_2PI).sum(-1) - len(x) * np.log(S)


def sampled_elbo(x: np.ndarray, mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """log p(x given z_k) - KL(q ‖ p(z)) of each z_k = mu + std eps_k, (K,)."""
    z = mu + np.exp(logvar / 2) * eps
    return log_px(x, z) - kl(mu, logvar, np.zeros(2), np.zeros(2))


def exact_elbo(x: np.ndarray, mu: np.ndarray, logvar: np.ndarray) -> float:
    """The same in the mean: E‖x - W z - b‖² = ‖x - W mu - b‖² + Σ_j exp(logvar_j) ‖W_j‖²."""
    spread = (np.exp(logvar) * (W**2).sum(0)).sum() / S**2
    return float(log_px(x, mu[None])[0] - spread / 2 - kl(mu, logvar, np.zeros(2), np.zeros(2)))


def measure(quick: bool = False) -> dict:
    best_mu, best_logvar = posterior(X)
    q = 0.6 * best_mu, 0.6 * best_logvar
    eps = np.random.default_rng(0).normal(size=(50_000 if quick else 500_000, 2))
    draws = sampled_elbo(X, *q, eps)
    steps = np.linspace(0, 1, 41)
    walk = [(t * best_mu, t * best_logvar) for t in steps]
    return {
        "exact": exact_elbo(X, *q), "log_p": log_evidence(X), "draws": draws,
        "of K": [(draws[:k].mean(), draws.std() / np.sqrt(k)) for k in KS],
        "steps": steps, "elbo": np.array([exact_elbo(X, *at) for at in walk]),
        "gap": np.array([kl(*at, best_mu, best_logvar) for at in walk]),
    }  # fmt: skip


def table(found: dict) -> str:
    rows = [(k, f"{mean:.4f}", f"{error:.4f}", f"{(mean - found['exact']) / error:+.1f}")
            for k, (mean, error) in zip(KS, found["of K"], strict=True)]  # fmt: skip
    walk = [
        (f"{t:.2f}", f"{elbo:.4f}", f"{gap:.4f}", f"{elbo + gap:.4f}")
        for t, elbo, gap in zip(
            found["steps"][::10], found["elbo"][::10], found["gap"][::10], strict=True
        )
    ]
    return "\n".join([
        f"log p(x) = {found['log_p']:.4f}, ELBO of this q = {found['exact']:.4f} nats, exactly",
        grid(("K", "ELBO", "standard error", "standard errors off"), rows), "",
        grid(("q, from prior 0 to posterior 1", "ELBO", "KL(q ‖ p(z given x))", "sum"), walk),
    ])  # fmt: skip


def picture(found: dict) -> Figure:
    figure, (left, right) = panels(2, "A lower bound on log p(x), and what it is short of")
    mean, error = np.array(found["of K"]).T
    left.axhline(found["log_p"], color=nv.plots.INK, lw=1, label="log p(x)")
    left.axhline(found["exact"], color=nv.plots.ORANGE, lw=1, label="ELBO, exact")
    left.errorbar(KS, mean, 1.96 * error, fmt="o", color=nv.plots.BLUE, ms=4, capsize=3, lw=1.2,
                  label="ELBO, mean of K draws of z, 95 %")  # fmt: skip
    left.set_xscale("log")
    left.set(title="Monte Carlo, for a q that is no posterior", xlabel="draws K", ylabel="nats")
    left.legend(loc="upper right")
    steps, elbo, log_p = found["steps"], found["elbo"], found["log_p"]
    right.axhline(log_p, color=nv.plots.INK, lw=1)
    right.plot(steps, elbo, color=nv.plots.ORANGE)
    right.fill_between(steps, elbo, log_p, color=nv.plots.ORANGE, alpha=0.15, lw=0)
    right.text(0.97, log_p, "log p(x)", ha="right", va="bottom", fontsize=8)
    right.text(0.04, log_p - 1.6, "KL(q ‖ p(z given x))", fontsize=8)
    right.text(0.24, elbo[8] - 1.2, "ELBO", color=nv.plots.ORANGE, fontsize=8)
    right.set(
        title="q walks from the prior (0) to the posterior (1)", xlabel="how far", ylabel="nats"
    )
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"elbo": picture})
