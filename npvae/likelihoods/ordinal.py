"""The ordinal likelihood: classes in an order, such as the answers never, seldom and often."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from .categorical import Categorical, label_log_probs

Array = np.ndarray


class Ordinal(Categorical):
    """log p(x given η) = Σ_D log(σ(c_x - η) - σ(c_x-1 - η)), the ordered logit.

    A column's η plus logistic noise falls between two of its cutpoints c_0 < ... < c_C-2, and x is
    the number of those below: c_-1 is -∞ and c_C-1 is +∞. The decoder gives η alone; the cutpoints
    are learnt, as ``cuts``: for each column c_0, and t_i = log(c_i - c_i-1).

    Derivation, within a column, with u_k = c_k - η, g_i = exp(t_i) = c_i - c_i-1:
      (1) σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)), so the log-probability of class k is
          l_k = log σ(u_k) + log σ(-u_k-1) + log(1 - exp(-g_k)); the first class has the first term
          alone, the last class the second
      (2) log p = Σ_k h_k l_k, h the label as a one-hot vector. Since Σ_k exp(l_k) = 1, that is the
          categorical log p with logits l, and its gradient h - exp(l) serves as well: Σ_k exp(l_k)
          ∂l_k = ∂ Σ_k exp(l_k) = 0       ->  d_k = d_log_px (h_k - exp(l_k))
      (3) ∂ log σ(u)/∂u = σ(-u), and u_k stands in l_k and l_k+1
                                          ->  e_k = ∂/∂u_k = d_k σ(-u_k) - d_k+1 σ(u_k)
      (4) ∂u_k/∂η = -1                    ->  dη = -Σ_k e_k
      (5) ∂u_k/∂c_0 = 1                   ->  dc_0 = Σ_KB Σ_k e_k
      (6) ∂u_k/∂t_i = g_i for k ≥ i, and ∂ log(1 - exp(-g))/∂t = g / (exp(g) - 1)
                                          ->  dt_i = Σ_KB g_i Σ_k≥i e_k + d_i g_i / (exp(g_i) - 1)
    Shapes: η (K, B, D), x (B, D), cuts (Σ_j (C_j - 1),), log_px (K, B).
    Source: McCullagh 1980, section 2.

    Parameters
    ----------
    classes : int or sequence of int
        C, the number of classes of every column, or a number for each. Labels are 0 to C - 1.
    """

    cuts: Array
    dcuts: Array

    def declare(self, x_dim: int) -> None:
        super().declare(x_dim)
        self._all = self._columns(x_dim)
        n_cuts = sum(self._all) - len(self._all)
        self.parameter("cuts", (n_cuts,), lambda rng, shape: _even_cuts(self._all))

    def n_outputs(self, x_dim: int) -> int:
        return x_dim

    def n_features(self, x_dim: int) -> int:
        return sum(self._columns(x_dim))

    def forward(self, eta: Array, x: Array) -> tuple[Array, Any]:
        logits = k.ordinal_logits(eta, self.cuts, self._all)  # (1)
        log_px, r = k.categorical(logits, k.one_hot(x, self._all), self._all)
        return log_px, (eta, r)

    def backward(self, cache: Any, d_log_px: Array) -> tuple[Array, None]:
        eta, r = cache
        d = k.scale_rows(d_log_px, r)  # (2)
        d_eta, d_cuts = k.ordinal_logits_backward(d, eta, self.cuts, self._all)  # (3) to (6)
        self.dcuts += d_cuts
        return d_eta, None

    def entries(self, theta: Array, x: Array) -> Array:
        return label_log_probs(self._logits(theta), x, self._all)

    def mean(self, eta: Array) -> Array:
        """The mean of the labels taken as numbers; `mode` has the likeliest labels."""
        return k.mean_label(self._logits(eta), self._all)

    def mode(self, eta: Array) -> Array:
        return self._labels(self._logits(eta))

    def expected(self, eta: Array) -> Array:
        return k.softmax(self._logits(eta), self._all)

    def nominal_columns(self, x_dim: int) -> Array:
        return np.zeros(x_dim, bool)

    def sample(self, eta: Array, rng: np.random.Generator) -> Array:
        return self._draw(self._logits(eta), rng).astype(eta.dtype)

    def start_from(self, rows: Array) -> None:
        """The cutpoints start where η = 0 gives each class its share of the known labels."""
        starts = []
        for j, size in enumerate(self._all):
            known = rows[:, j][~np.isnan(rows[:, j])].astype(int)
            shares = np.bincount(known, minlength=size)[:size] + 0.5
            below = np.cumsum(shares)[:-1] / shares.sum()
            cuts = np.log(below) - np.log1p(-below)
            starts += [cuts[:1], np.log(np.diff(cuts))]
        self.cuts[...] = np.concatenate(starts)

    def _logits(self, eta: Array) -> Array:
        return k.ordinal_logits(eta, self.cuts, self._all)

    def _sizes(self, n_outputs: int) -> tuple[int, ...]:
        return self._all

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((3, 2, 4))
        part.declare(3)
        part.allocate(rng)
        part.cuts[...] += rng.normal(0, 0.3, part.cuts.shape)
        labels = np.stack([rng.integers(c, size=2) for c in (3, 2, 4)], axis=-1)
        return part, (rng.normal(size=(3, 2, 3)), labels.astype(float))


def _even_cuts(sizes: tuple[int, ...]) -> Array:
    """Cutpoints one apart, around 0."""
    return np.concatenate([[1 - size / 2] + [0.0] * (size - 2) for size in sizes])
