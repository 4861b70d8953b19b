"""A likelihood of one's own in twenty lines, its gradient proven, and a VAE trained on it.

    python examples/custom_part.py

The Laplace density, log p(x given m) = Σ_D -|x - m|/s - log 2s, is not one that npvae ships. Its
gradient is dm = sign(x - m)/s. The class below is all there is to write: defining it registers
it, `check_gradients` proves it, ``likelihood="laplace"`` uses it. Then one sign is planted wrong,
to see what the checker makes of it.
"""

from __future__ import annotations

import numpy as np

import npvae as nv


class Laplace(nv.Likelihood):
    """log p(x given m) = Σ_D -|x - m| / s - log 2s,  s = 0.2.

    Derivation:
      (1) ∂|x - m|/∂m = -sign(x - m)    ->  ∂log p/∂m = sign(x - m) / s = slope
      (2) log p is weighed by d_log_px  ->  dm = d_log_px slope
    Shapes: m (K, B, D), x (B, D), log p (K, B).
    """

    s = 0.2
    not_analytic = "|x - m| has no complex derivative"

    def forward(self, m, x):
        log_px = -np.abs(x - m) / self.s - np.log(2 * self.s)
        return log_px.sum(-1), np.sign(x - m) / self.s

    def backward(self, slope, d_log_px):
        return d_log_px[..., None].astype(slope.dtype) * slope, None

    def mean(self, m):
        return m

    def sample(self, m, rng):
        return rng.laplace(m, self.s)

    @classmethod
    def example(cls, rng):
        return cls(), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))


def main() -> None:
    report = nv.check_gradients(Laplace)
    print(report, "\n")
    assert report.ok

    x, _ = nv.datasets.digits()
    model = nv.VAE(64, 8, hidden=(128,), likelihood="laplace")
    history = nv.fit(model, x, epochs=30, seed=0)
    first, last = history.records[0], history.records[-1]
    print(f"trained: -ELBO {first['train_loss']:.1f} -> {last['train_loss']:.1f} nats per example")
    report = nv.check_gradients(model, max_entries=20)  # kinks of |x - m| and all
    print(f"the trained model's gradients hold: {report.ok}\n")
    assert report.ok, report

    class WrongSign(Laplace, abstract=True):  # abstract: it stays out of the registry
        def backward(self, slope, d_log_px):
            return -d_log_px[..., None] * slope, None

    print("with a sign planted wrong:")
    print(nv.check_gradients(WrongSign))


if __name__ == "__main__":
    main()
