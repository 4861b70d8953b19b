"""The parts of npvae/levels.py."""

from __future__ import annotations

from npvae import levels

from .case import B, Entry, M, Z

PARTS = {
    "level_step.mean": Entry(
        lambda draw: (levels.Mean(), (draw.numbers(M, B), -abs(draw.numbers(M, B, far=20)))),
        lambda w, part, p, log_px, log_q: (w.exp(log_q) * log_px).sum(0)[None],
    ),
    "kl.gaussian_standard": Entry(
        lambda draw: (levels.GaussianKL(), (draw.numbers(B, Z), draw.numbers(B, Z, far=20))),
        lambda w, part, p, mu, logvar: w.gaussian_kl(mu, logvar),
    ),
    "kl.gaussian_conditional": Entry(
        lambda draw: (
            levels.ConditionalKL(),
            (
                draw.numbers(B, Z),
                draw.numbers(B, Z, far=20),
                draw.numbers(draw.K, B, Z),
                draw.numbers(draw.K, B, Z, far=20),
            ),
        ),
        lambda w, part, p, *given: w.gaussian_kl_between(*given),
    ),
}
