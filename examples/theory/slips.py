"""A slip planted in each derivation of docs/theory.md, and what `check_gradients` says of it.

    python examples/theory/slips.py [NAME ...]

Each is a pair (forward, backward) that is right, and a backward with one slip as people make it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scratch

import npvae as nv


def evidence(log_w):
    """log 1/K Σ_k w_k."""
    top = np.real(log_w).max()
    w = np.exp(log_w - top)
    total = w.sum()
    return np.log(total / len(w)) + top, (w, total)


def evidence_backward(cache, d):
    w, total = cache
    return d * w / total


def evidence_slip(cache, d):
    w, total = cache
    dlog_w = d * w
    return dlog_w


def log_px(m, x, s=0.6):
    """log N(x; m, s² I), less a constant."""
    u = (x - m) / s
    return -0.5 * (u**2).sum(), (u, s)


def log_px_backward(cache, d):
    u, s = cache
    return d * u / s, -d * u / s  # dm, dx


def log_px_slip(cache, d):
    u, s = cache
    return d * u, -d * u


def kl_slip(cache):
    mu, logvar = cache
    dmu = mu / len(mu)
    dlogvar = (np.exp(logvar) - 1) / len(mu)
    return dmu, dlogvar


def sample_slip(cache, dz):
    std, eps = cache
    dlogvar = dz * std / 2
    return dz, dlogvar, dz * std


def rec_slip(cache):
    logits, x = cache
    p = 1 / (1 + np.exp(-logits))
    dlogits = (p - x) * p * (1 - p) / len(x)
    return dlogits, None


def whole_slip(cache):
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = cache
    d = {}
    dlogits, _ = scratch.rec_backward(c8)
    dg, d["W4"], d["b4"] = scratch.dense_backward(c7, dlogits)
    dz, d["W3"], d["b3"] = scratch.dense_backward(c5, scratch.tanh_backward(c6, dg))
    dmu, dlogvar, _ = scratch.sample_backward(c4, dz)
    dmu_kl, dlogvar_kl = scratch.kl_backward(c9)
    dstats = np.concatenate([dmu, dlogvar + dlogvar_kl], axis=1)
    dh, d["W2"], d["b2"] = scratch.dense_backward(c3, dstats)
    _, d["W1"], d["b1"] = scratch.dense_backward(c1, scratch.tanh_backward(c2, dh))
    return d


def weighted(mu, logvar, beta=4.0):
    """β KL(q ‖ p)."""
    kl, cache = scratch.kl(mu, logvar)
    return beta * kl, (beta, cache)


def weighted_backward(cache):
    beta, of_kl = cache
    dmu, dlogvar = scratch.kl_backward(of_kl)
    return beta * dmu, beta * dlogvar


def weighted_slip(cache):
    beta, of_kl = cache
    dmu, dlogvar = scratch.kl_backward(of_kl)
    return beta * dmu, dlogvar


RNG = np.random.default_rng(1)
W, X, EPS = RNG.normal(size=(4, 2)), RNG.normal(size=4), RNG.normal(size=(5, 2))
SHARES, AT = RNG.dirichlet(np.ones(5)), RNG.normal(size=2)
"""One row x (D,), p(x given z) = N(W z, I), K draws of noise; shares w̃ (K,) of draws of q at AT."""


def row(mu, logvar):
    """-ELBO of the row by its own q, less a constant."""
    std = np.exp(logvar / 2)
    z = mu + std * EPS
    error = z @ W.T - X
    rec = 0.5 * (error**2).sum() / len(EPS)
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()
    return rec + kl, (mu, logvar, std, error)


def row_backward(cache):
    mu, logvar, std, error = cache
    dz = error @ W / len(EPS)
    dmu = dz.sum(0) + mu
    dlogvar = (dz * EPS).sum(0) * std / 2 + (np.exp(logvar) - 1) / 2
    return dmu, dlogvar


def row_slip(cache):
    mu, logvar, std, error = cache
    dz = error @ W / len(EPS)
    dmu = dz.sum(0) + mu
    dlogvar = (dz * EPS).sum(0) * std / 2 + np.exp(logvar) / 2
    return dmu, dlogvar


def dreg(mu):
    """Σ_k w̃_k² log w(z_k), z_k = mu + eps_k: with w̃ and log q held, DReG's is its derivative."""
    z = mu + EPS
    error, off = X - z @ W.T, z - AT
    log_w = -0.5 * ((error**2).sum(-1) + (z**2).sum(-1) - (off**2).sum(-1))
    return (SHARES**2 * log_w).sum(), (error, z, off)


def dreg_backward(cache):
    error, z, off = cache
    dz = SHARES[:, None] ** 2 * (error @ W - z + off)
    dmu = dz.sum(0)
    return dmu


def dreg_slip(cache):
    error, z, off = cache
    dz = SHARES[:, None] * (error @ W - z + off)
    dmu = dz.sum(0)
    return dmu


def cases() -> dict[str, tuple[Any, Any, Any, tuple[Any, ...]]]:
    """By name: forward, backward, the slip, and inputs."""
    rng = np.random.default_rng(0)
    normal = rng.normal
    shapes = {"W1": (5, 6), "b1": (5,), "W2": (4, 5), "b2": (4,), "W3": (5, 2), "b3": (5,),
              "W4": (6, 5), "b4": (6,)}  # fmt: skip
    weights = {name: normal(size=shape) for name, shape in shapes.items()}
    x = rng.integers(2, size=(3, 6))
    two = normal(size=(2, 3, 2))
    return {
        "evidence": (evidence, evidence_backward, evidence_slip, (normal(size=5),)),
        "log_px": (log_px, log_px_backward, log_px_slip, (normal(size=4), normal(size=4))),
        "kl": (scratch.kl, scratch.kl_backward, kl_slip, tuple(two)),
        "sample": (
            scratch.sample,
            scratch.sample_backward,
            sample_slip,
            (*two, normal(size=(3, 2))),
        ),
        "rec": (scratch.rec, scratch.rec_backward, rec_slip, (normal(size=(3, 6)), x)),
        "whole": (
            scratch.forward,
            scratch.backward,
            whole_slip,
            (weights, rng.random((3, 6)), normal(size=(3, 2))),
        ),
        "row": (row, row_backward, row_slip, tuple(normal(size=(2, 2)))),
        "dreg": (dreg, dreg_backward, dreg_slip, (normal(size=2),)),
        "beta": (weighted, weighted_backward, weighted_slip, tuple(two)),
    }


def main(names: list[str]) -> None:
    for name, (forward, backward, slip, inputs) in cases().items():
        if names and name not in names:
            continue
        assert nv.check_gradients((forward, backward), inputs).ok
        print(f"--- {name}\n{nv.check_gradients((forward, slip), inputs)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
