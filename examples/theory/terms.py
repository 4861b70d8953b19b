"""What the ELBO's two terms do: only one, only the other, both; and both at four weights.

    python examples/theory/terms.py [--out FOLDER] [--quick]

The same VAE is trained on the embedded digits by the reconstruction alone, by the KL alone, and by
their sum; then with eight latent dimensions by rec + β KL for β = 0, 1, 4 and 16. The likelihood is
a Gaussian, so that rec is ‖x - decode(z)‖² / 2s² and a constant. Figures are of digits that were
held out.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run, strip

import npvae as nv

HELD_OUT, SHOWN = 397, 12
BETAS = (0, 1, 4, 16)
LIKELIHOOD = "gaussian:scale=0.2"


class OnlyKL(nv.ELBO, abstract=True):  # abstract: it stays out of the registry
    """The KL term of the ELBO: the loss is KL, and log p(x given z) gets no gradient."""

    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        d_terms.log_px = np.zeros_like(d_terms.log_px)
        return nv.Losses(losses.kl, losses.rec, losses.kl), d_terms


OBJECTIVES = {
    "only reconstruction": nv.ELBO(beta=0),
    "only KL": OnlyKL(),
    "both": nv.ELBO(),
}


def measure(quick: bool = False) -> dict:
    x, y = nv.datasets.digits()
    train, test, epochs = x[HELD_OUT:], x[:HELD_OUT], 5 if quick else 60
    found: dict = {"planes": {}, "betas": {}, "shown": test[:SHOWN], "labels": y[:HELD_OUT]}
    for name, objective in OBJECTIVES.items():
        model = nv.VAE(64, 2, hidden=(128,), likelihood=LIKELIHOOD, seed=0)
        nv.fit(model, train, objective=objective, epochs=epochs, lr=2e-3, progress=False)
        rate, distortion = nv.rate_distortion(model, test, n_samples=10)
        mu, logvar = model.encode(test)
        z = mu + np.exp(logvar / 2) * np.random.default_rng(0).normal(size=mu.shape)
        found["planes"][name] = {"z": z, "kl": rate, "rec": distortion, "error": error(model, test)}
    for beta in BETAS:
        model = nv.VAE(64, 8, hidden=(128,), likelihood=LIKELIHOOD, seed=0)
        nv.fit(model, train, objective=nv.ELBO(beta), epochs=epochs, lr=2e-3, progress=False)
        rate, distortion = nv.rate_distortion(model, test, n_samples=10)
        found["betas"][beta] = {
            "kl": rate, "rec": distortion, "error": error(model, test),
            "active": int(nv.active_units(model, test).sum()),
            "seen": model.reconstruct(test[:SHOWN]), "samples": model.sample(SHOWN, seed=1),
        }  # fmt: skip
    return found


def error(model: nv.VAE, x: np.ndarray) -> float:
    """‖x - decode(mu)‖², the mean over the rows."""
    return float(((x - model.reconstruct(x)) ** 2).sum(1).mean())


def figures(of: dict) -> list[str]:
    return [f"{v:.2f}" for v in (of["rec"], of["kl"], of["rec"] + of["kl"], of["error"])]


def table(found: dict) -> str:
    planes = [(name, *figures(p)) for name, p in found["planes"].items()]
    betas = [(f"β = {beta}", *figures(b), b["active"]) for beta, b in found["betas"].items()]
    return "\n".join([
        grid(("two dimensions, nats", "rec", "KL", "-ELBO", "squared error"), planes), "",
        grid(("eight dimensions, nats", "rec", "KL", "-ELBO", "squared error", "active"), betas),
    ])  # fmt: skip


def planes(found: dict) -> Figure:
    """A draw of z for each held-out digit, coloured by which digit it is."""
    figure, axes = panels(3, "Latent planes of held-out digits, by what was minimised", 2.9)
    angle = np.linspace(0, 2 * np.pi, 100)
    for ax, (name, p) in zip(axes, found["planes"].items(), strict=True):
        for digit in range(10):
            here = found["labels"] == digit
            ax.plot(*p["z"][here].T, ".", color=nv.plots.PALETTE[digit], ms=4, mew=0, label=digit)
        ax.plot(2 * np.cos(angle), 2 * np.sin(angle), color=nv.plots.INK, lw=0.8, ls=":")
        ax.set(xlabel="z[0]", aspect="equal", adjustable="datalim")
        ax.set_title(f"{name}\nerror {p['error']:.1f}, KL {p['kl']:.1f} nats")
    axes[0].set_ylabel("z[1]")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", markerscale=2, handlelength=0.7)
    return figure


def betas(found: dict) -> Figure:
    """A row for each β: reconstructions on the left, samples from the prior on the right."""
    figure = nv.plots.new_figure(7.6, 3.7)
    figure.suptitle("rec + β KL: what is seen again, and what is drawn", x=0.01, ha="left",
                    fontsize=10.5, fontweight="bold")  # fmt: skip
    axes = figure.subplots(len(BETAS) + 1, 2)
    strip(axes[0, 0], found["shown"])
    axes[0, 0].set_title("held-out digits")
    axes[0, 1].set_axis_off()
    for (left, right), (beta, b) in zip(axes[1:], found["betas"].items(), strict=True):
        strip(left, b["seen"])
        strip(right, b["samples"])
        left.set_title(
            f"β = {beta}: reconstructions, error {b['error']:.1f}, KL {b['kl']:.1f} nats"
        )
        right.set_title(f"samples, {b['active']} of 8 dimensions active")
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"terms": planes, "betas": betas})
