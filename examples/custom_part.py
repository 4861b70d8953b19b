"""A likelihood of one's own in twenty lines, its gradient proven, and a VAE trained on it.

    python examples/custom_part.py

The logistic density, log p(x given m) = Σ_D -u - 2 softplus(-u) - log s with u = (x - m)/s, is not
one that npvae ships. Its gradient is dm = tanh(u/2)/s. The class below is all there is to write:
defining it registers it, `check_gradients` proves it, ``likelihood="logistic"`` uses it. Then one
sign is planted wrong,
to see what the checker makes of it.
"""

from __future__ import annotations

import numpy as np

import npvae as nv
from npvae.core.numerics import softplus


class Logistic(nv.Likelihood):
    """log p(x given m) = Σ_D -u - 2 softplus(-u) - log s,  u = (x - m) / s,  s = 0.1.

    Derivation:
      (1) ∂/∂u of -u - 2 softplus(-u) is -1 + 2 σ(-u) = -tanh(u/2)
      (2) ∂u/∂m = -1/s                  ->  ∂log p/∂m = tanh(u/2) / s = slope
      (3) log p is weighed by d_log_px  ->  dm = d_log_px slope
    Shapes: m (K, B, D), x (B, D), log p (K, B).
    """

    s = 0.1

    def forward(self, m, x):
        u = (x - m) / self.s
        log_px = -u - 2 * softplus(-u) - np.log(self.s)
        return log_px.sum(-1), np.tanh(u / 2) / self.s

    def backward(self, slope, d_log_px):
        return d_log_px[..., None].astype(slope.dtype) * slope, None

    def mean(self, m):
        return m

    def sample(self, m, rng):
        return rng.logistic(m, self.s)

    @classmethod
    def example(cls, rng):
        return cls(), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))


def main() -> None:
    report = nv.check_gradients(Logistic)
    print(report, "\n")
    assert report.ok

    x, _ = nv.datasets.digits()
    model = nv.VAE(64, 8, hidden=(128,), likelihood="logistic")
    history = nv.fit(model, x, epochs=30, seed=0)
    first, last = history.records[0], history.records[-1]
    print(f"trained: -ELBO {first['train_loss']:.1f} -> {last['train_loss']:.1f} nats per example")
    report = nv.check_gradients(model, max_entries=20)  # kinks of |x - m| and all
    print(f"the trained model's gradients hold: {report.ok}\n")
    assert report.ok, report

    class WrongSign(Logistic, abstract=True):  # abstract: it stays out of the registry
        def backward(self, slope, d_log_px):
            return -d_log_px[..., None] * slope, None

    print("with a sign planted wrong:")
    print(nv.check_gradients(WrongSign))


if __name__ == "__main__":
    main()
