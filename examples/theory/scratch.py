"""A VAE from scratch: NumPy, no framework, every gradient by hand, checked step by step.

    python examples/theory/scratch.py [--out FOLDER] [--quick]

Between the two rulers stand sixty lines: forward, backward, Adam. Each step's gradient is proven by
`check_gradients`, then the whole. The same model is then built in npvae with the same weights, and
both train on the same noise: their losses agree to rounding and the bend of npvae's log-variances.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from program import grid, panels, run, strip

import npvae as nv

BATCH, LR, HIDDEN, Z = 100, 3e-3, 64, 8


# ------------------------------------------------------------------------------------------------
def dense(x, W, b):
    return x @ W.T + b, (x, W)


def dense_backward(cache, da):
    x, W = cache
    return da @ W, da.T @ x, da.sum(0)  # dx, dW, db


def tanh(a):
    h = np.tanh(a)
    return h, h


def tanh_backward(h, dh):
    return dh * (1 - h**2)


def sample(mu, logvar, eps):
    std = np.exp(logvar / 2)
    return mu + std * eps, (std, eps)


def sample_backward(cache, dz):
    std, eps = cache
    return dz, dz * eps * std / 2, dz * std  # dmu, dlogvar, deps


def kl(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum() / len(mu), (mu, logvar)


def kl_backward(cache):
    mu, logvar = cache
    return mu / len(mu), (np.exp(logvar) - 1) / 2 / len(mu)  # dmu, dlogvar


def rec(logits, x):
    return (np.log1p(np.exp(logits)) - x * logits).sum() / len(x), (logits, x)


def rec_backward(cache):
    logits, x = cache
    return (1 / (1 + np.exp(-logits)) - x) / len(x), None  # dlogits; x is data


def forward(p, x, eps):
    a, c1 = dense(x, p["W1"], p["b1"])
    h, c2 = tanh(a)
    stats, c3 = dense(h, p["W2"], p["b2"])
    mu, logvar = np.split(stats, 2, axis=1)
    z, c4 = sample(mu, logvar, eps)
    a, c5 = dense(z, p["W3"], p["b3"])
    g, c6 = tanh(a)
    logits, c7 = dense(g, p["W4"], p["b4"])
    (r, c8), (k, c9) = rec(logits, x), kl(mu, logvar)
    return r + k, (c1, c2, c3, c4, c5, c6, c7, c8, c9)


def backward(cache):
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = cache
    d = {}
    dlogits, _ = rec_backward(c8)
    dg, d["W4"], d["b4"] = dense_backward(c7, dlogits)
    dz, d["W3"], d["b3"] = dense_backward(c5, tanh_backward(c6, dg))
    dmu, dlogvar, _ = sample_backward(c4, dz)
    dmu_kl, dlogvar_kl = kl_backward(c9)
    dstats = np.concatenate([dmu + dmu_kl, dlogvar + dlogvar_kl], axis=1)
    dh, d["W2"], d["b2"] = dense_backward(c3, dstats)
    _, d["W1"], d["b1"] = dense_backward(c1, tanh_backward(c2, dh))
    return d


def adam(p, d, m, v, t):
    for n in p:
        m[n] = 0.9 * m[n] + 0.1 * d[n]
        v[n] = 0.999 * v[n] + 0.001 * d[n] ** 2
        p[n] = p[n] - LR * m[n] / (1 - 0.9**t) / (np.sqrt(v[n] / (1 - 0.999**t)) + 1e-8)


# ------------------------------------------------------------------------------------------------
NAMES = {
    "W1": "encoder.layers.0.W", "b1": "encoder.layers.0.b",
    "W2": "encoder.layers.1.W", "b2": "encoder.layers.1.b",
    "W3": "decoder.layers.0.W", "b3": "decoder.layers.0.b",
    "W4": "decoder.layers.1.W", "b4": "decoder.layers.1.b",
}  # fmt: skip
"""What npvae calls the same weights."""


def check() -> dict[str, float]:
    """The largest relative error of each step's gradient, and of the whole model's."""
    rng = np.random.default_rng(0)
    normal = rng.normal
    p = {"W1": (5, 6), "b1": (5,), "W2": (4, 5), "b2": (4,), "W3": (5, 2), "b3": (5,),
         "W4": (6, 5), "b4": (6,)}  # fmt: skip
    weights = {name: normal(size=shape) for name, shape in p.items()}
    steps = {
        "dense": (dense, dense_backward, (normal(size=(3, 6)), weights["W1"], weights["b1"])),
        "tanh": (tanh, tanh_backward, (normal(size=(3, 5)),)),
        "sample": (sample, sample_backward, tuple(normal(size=(3, 3, 2)))),
        "kl": (kl, kl_backward, tuple(normal(size=(2, 3, 2)))),
        "rec": (rec, rec_backward, (normal(size=(3, 6)), rng.integers(2, size=(3, 6)))),
        "the whole": (forward, backward, (weights, rng.random((3, 6)), normal(size=(3, 2)))),
    }
    reports = {name: nv.check_gradients((f, b), inputs) for name, (f, b, inputs) in steps.items()}
    for name, report in reports.items():
        assert report.ok, f"{name}\n{report}"
    return {
        name: max(row.error for row in report if row.method == "complex")
        for name, report in reports.items()
    }


def measure(quick: bool = False) -> dict:
    errors = check()
    x, _ = nv.datasets.digits()
    x, rng = x.astype(float), np.random.default_rng(0)
    model = nv.VAE(64, Z, hidden=(HIDDEN,), activation="tanh", dtype="float64", seed=0)
    p = {ours: model.params[theirs].copy() for ours, theirs in NAMES.items()}
    m, v = ({n: np.zeros_like(w) for n, w in p.items()} for _ in range(2))
    optimiser = nv.Adam()
    state, losses = optimiser.start(model.flat), []
    for t in range(1, (50 if quick else 1000) + 1):
        batch = x[rng.choice(len(x), BATCH, replace=False)]
        eps = model.draw_noise(BATCH, 1, rng)
        loss, cache = forward(p, batch, eps[0])
        adam(p, backward(cache), m, v, t)
        theirs, gradient = nv.value_and_grad(model, nv.ELBO(), batch, eps)
        flat = np.concatenate([gradient[name].ravel() for name in model.params])
        optimiser.step(state, model.flat, flat, LR)
        losses.append((loss, theirs))
    z = rng.normal(size=(16, Z))
    g = np.tanh(z @ p["W3"].T + p["b3"])
    drawn = 1 / (1 + np.exp(-(g @ p["W4"].T + p["b4"])))
    return {"errors": errors, "losses": np.array(losses), "samples": drawn}


def table(found: dict) -> str:
    losses, at = found["losses"], [0, 9, 99, len(found["losses"]) - 1]
    rows = [(i + 1, f"{losses[i, 0]:.10f}", f"{losses[i, 1]:.10f}") for i in at if i < len(losses)]
    proven = [(name, f"{error:.1e}") for name, error in found["errors"].items()]
    return "\n".join([
        grid(("step of the model", "largest relative error, by complex step"), proven), "",
        grid(("step of training", "from scratch", "npvae"), rows),
        f"largest difference: {np.abs(np.diff(losses)).max():.1e} nats",
    ])  # fmt: skip


def picture(found: dict) -> Figure:
    figure, (left, middle, right) = panels(
        3, "Sixty lines of NumPy and npvae: the same weights, noise and losses", 2.6
    )
    ours, theirs = found["losses"].T
    step = np.arange(1, len(ours) + 1)
    left.plot(step, ours, color=nv.plots.PALE, lw=4, label="from scratch")
    left.plot(step, theirs, color=nv.plots.BLUE, lw=1, label="npvae")
    left.set(title="loss of each batch", xlabel="step", ylabel="nats per example")
    left.legend()
    middle.semilogy(step, np.abs(ours - theirs) + 1e-17, color=nv.plots.BLUE, lw=0.8)
    middle.set(title="difference of the two losses", xlabel="step", ylabel="nats per example")
    middle.grid()
    strip(right, found["samples"], rows=4)
    right.set_title("samples, from scratch")
    return figure


if __name__ == "__main__":
    run(__doc__, measure, table, {"scratch": picture})
