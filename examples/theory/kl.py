"""The closed-form KL against Monte Carlo: the error falls as 1/√K, and the closed form has none.

    python examples/theory/kl.py [--out FOLDER] [--quick]

q = N(mu, diag exp(logvar)) in eight dimensions, p = N(0, I). Of one draw z = mu + std eps the
difference log q(z) - log p(z) has the mean KL and a variance that is known as well, so that the
line beside the measured errors is drawn without a fit.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run, slope

import npvae as nv

MU = np.array([1.5, -1.0, 0.5, 0.0, 0.0, 2.0, -0.5, 0.1])
LOGVAR = np.array([-2.0, -1.0, 0.0, 0.5, 0.0, -3.0, -0.5, -0.1])
KS = 4 ** np.arange(7)


def closed_form(mu: np.ndarray, logvar: np.ndarray) -> float:
    """KL(q ‖ N(0, I)), in nats."""
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)
    return float(kl.sum())


def draws(mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """log q(z) - log p(z) of each draw; log 2π is in both and cancels."""
    z = mu + np.exp(logvar / 2) * eps
    log_q = -0.5 * (eps**2 + logvar)
    log_p = -0.5 * z**2
    return (log_q - log_p).sum(-1)


def deviation(mu: np.ndarray, logvar: np.ndarray) -> float:
    """The standard deviation of one draw: Var = Σ ½ (var - 1)² + mu² var.

    A draw is a constant + Σ ½ (var - 1) eps² + mu std eps; Var eps² = 2, Cov(eps, eps²) = 0.
    """
    var = np.exp(logvar)
    return float(np.sqrt((0.5 * (var - 1) ** 2 + mu**2 * var).sum()))


def measure(quick: bool = False) -> dict:
    repeats = 60 if quick else 400
    eps = np.random.default_rng(0).normal(size=(repeats * KS[-1], 8))
    estimates = draws(MU, LOGVAR, eps)
    exact = closed_form(MU, LOGVAR)
    means = [estimates[: repeats * k].reshape(repeats, k).mean(1) for k in KS]
    return {
        "exact": exact, "deviation": deviation(MU, LOGVAR), "draws": estimates,
        "errors": np.array([np.sqrt(np.mean((m - exact) ** 2)) for m in means]),
        "runs": np.cumsum(estimates[: 8 * 4096].reshape(8, 4096), 1) / np.arange(1, 4097),
    }  # fmt: skip


def table(found: dict) -> str:
    rows = [(k, f"{error:.4f}", f"{found['deviation'] / np.sqrt(k):.4f}")
            for k, error in zip(KS, found["errors"], strict=True)]  # fmt: skip
    n, mean = len(found["draws"]), found["draws"].mean()
    return "\n".join([
        f"closed form: {found['exact']:.5f} nats; mean of {n} draws: {mean:.5f} ± "
        f"{found['deviation'] / np.sqrt(n):.5f}",
        grid(("K", "error, root mean square", "deviation / √K"), rows),
        f"error ∝ K^{slope(KS, found['errors']):.3f}",
    ])  # fmt: skip


def picture(found: dict) -> Figure:
    figure, (left, right) = panels(2, "KL(q ‖ p): a closed form, or a mean that nears it slowly")
    k = np.arange(1, found["runs"].shape[1] + 1)
    left.plot(
        k,
        found["runs"].T,
        color=nv.plots.BLUE,
        lw=0.8,
        alpha=0.6,
        label="running means of 8 series",
    )
    bound = 2 * found["deviation"] / np.sqrt(k)
    left.fill_between(
        k,
        found["exact"] - bound,
        found["exact"] + bound,
        color=nv.plots.PALE,
        alpha=0.4,
        lw=0,
        label="±2 deviation / √K",
    )
    left.axhline(found["exact"], color=nv.plots.ORANGE, lw=1.2, label="closed form")
    left.set(xscale="log", xlabel="draws K", ylabel="nats", title="estimates of the KL")
    handles, labels = left.get_legend_handles_labels()
    left.legend(handles[-3:], labels[-3:], loc="upper right")
    right.loglog(KS, found["errors"], "o", color=nv.plots.BLUE, ms=4, label="measured")
    right.loglog(KS, found["deviation"] / np.sqrt(KS), color=nv.plots.INK, lw=1,
                 label="deviation / √K, known")  # fmt: skip
    right.set(xlabel="draws K", ylabel="nats", title="root mean square error")
    right.legend()
    right.grid()
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"kl": picture})
