"""The optimiser: it sees one flat vector of parameters and one of gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import kernels as k
from .core.checks import number
from .core.errors import ConfigError
from .core.public import constructor

Array = np.ndarray


@dataclass
class AdamState:
    """First and second moments, of the parameters' shape, and the number of steps taken."""

    m: Array
    v: Array
    t: int = 0


class Adam:
    """Adam with bias correction, decoupled weight decay and clipping by the gradient's norm.

    With g the gradient at step t = 1, 2, ...:

        g <- g min(1, clip_norm / ‖g‖)
        m <- beta1 m + (1 - beta1) g            v <- beta2 v + (1 - beta2) g²
        theta <- theta - lr (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + eps) - lr weight_decay theta

    The divisions by 1 - betaᵗ undo the bias towards the zeros that m and v start from: E[m] is
    (1 - beta1ᵗ) E[g] for a stationary g. A v that starts above 0 keeps first steps small instead.
    Source: Kingma & Ba 2015, algorithm 1; the decay Loshchilov & Hutter 2019, algorithm 2.

    Parameters
    ----------
    beta1, beta2 : float
        In [0, 1).
    eps : float
        Above 0, also when it is rounded to the weights' type.
    weight_decay : float
        Applied to all parameters.
    clip_norm : float, optional
        The greatest Euclidean norm of the whole gradient.
    v_start : float
        What v starts from, 0 or more. The Adam of Burda et al. 2016 starts from 1 and has gradients
        summed over batches of B rows, with ``eps=1e-4``; of the mean over the batch, which npvae
        has, that is ``Adam(beta1=0.99, eps=1e-4 / B, v_start=1 / B**2)``.
    """

    @constructor
    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        v_start: float = 0.0,
    ) -> None:
        for what, beta in (("beta1", beta1), ("beta2", beta2)):
            if number(f"Adam's {what}", beta, least=0) >= 1:
                raise ConfigError(f"Adam's {what} is below 1; got {beta!r}.")
        self.beta1, self.beta2 = float(beta1), float(beta2)
        self.eps = number("Adam's eps", eps, above=0)
        self.weight_decay = number("Adam's weight_decay", weight_decay, least=0)
        self.clip_norm = None if clip_norm is None else number("clip_norm", clip_norm, above=0)
        self.v_start = number("Adam's v_start", v_start, least=0)

    @property
    def config(self) -> dict[str, Any]:
        """Its arguments by name, v_start where it is used: checkpoints from before it have none."""
        used = {name: value for name, value in vars(self).items() if name != "v_start" or value}
        return {"name": "adam", **used}

    def start(self, theta: Array) -> AdamState:
        """The state before the first step; raises `ConfigError` where eps is 0 in theta's type."""
        least = np.finfo(theta.dtype).tiny / (1 - self.beta2) ** 0.5
        if self.eps < least:
            raise ConfigError(
                f"Adam's eps is {least:.2g} or more where weights are {theta.dtype}, since less is "
                f"rounded to 0 and a weight without a gradient becomes 0 / 0; got {self.eps!r}."
            )
        return AdamState(np.zeros_like(theta), np.full_like(theta, self.v_start))

    def rate(self, lr: Any, dtype: Any) -> float:
        """A learning rate of which steps can be taken in this type; raises `ConfigError`."""
        rate = number("lr", lr, least=0)
        most = float(np.finfo(dtype).max) * (1 - self.beta1)
        if rate > most:
            raise ConfigError(
                f"lr is at most {most:.2g} where weights are {np.dtype(dtype)}, which can't hold "
                f"a larger step; got {lr!r}. Usual are 0.0001 to 0.01."
            )
        return rate

    def accepts(self, gradient: Array) -> bool:
        """Whether a step can be taken: Adam needs the squares of the gradient, not it alone."""
        if np.isfinite(np.dot(gradient, gradient)):
            return True
        # The norm is taken in float64, and what is left of the gradient after clipping is small.
        return self.clip_norm is not None and bool(np.isfinite(gradient).all())

    def factors(self, t: Any, lr: Any) -> Array:
        """(..., 3): step_size, root and decay of steps t, as `kernels.adam` takes them."""
        step_size = lr / (1 - self.beta1**t)
        root = (1 - self.beta2**t) ** 0.5
        return np.stack([step_size, root, lr * self.weight_decay], axis=-1)

    def step(self, state: AdamState, theta: Array, gradient: Array, lr: float) -> None:
        """Update `theta` and `state` in place; a gradient over `clip_norm` is scaled in place."""
        if self.clip_norm is not None:
            norm = np.linalg.norm(gradient.astype(np.float64))
            if norm > self.clip_norm:
                gradient *= gradient.dtype.type(self.clip_norm / norm)
        state.t += 1
        step_size, root, decay = (float(f) for f in self.factors(state.t, lr))
        k.adam(
            theta, gradient, state.m, state.v,
            step_size, self.beta1, self.beta2, self.eps, root, decay,
        )  # fmt: skip
