"""Networks and objectives to capture, and a captured step to try by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import npvae as nv
from npvae.core import layout
from npvae.executor.places import Source
from npvae.executor.program import Program
from npvae.executor.record import record
from npvae.executor.rehearsal import Rehearsal
from npvae.objectives import Losses

Array = np.ndarray

ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "tanh", "sigmoid", "softplus", "elu", "gelu", "silu",
)  # fmt: skip
WITH_CONSTANTS = ("leaky_relu:slope=0.3", "elu:alpha=0.4")
LIKELIHOODS = ("bernoulli", "gaussian", "gaussian_learnt_scale")
OBJECTIVES = {
    "elbo": nv.ELBO(),
    "beta 0": nv.ELBO(beta=0.0),
    "beta 4, 3 samples": nv.ELBO(beta=4.0, n_samples=3),
    "free bits": nv.ELBO(free_bits=0.05, n_samples=2),
    "iwae 1": nv.IWAE(1),
    "iwae 5": nv.IWAE(5),
}
LAYOUTS = ((), (1,), (5,), (33,), (7, 3), (6, 1, 5))


def settings(options: dict[str, Any]) -> str:
    """A case's name that is the same in every process: objects print with their addresses."""
    shown = (f"{k}={v}" if isinstance(v, (int, float)) else k for k, v in options.items())
    return " ".join(shown) or "none"


class Batch(NamedTuple):
    """x (B, D), eps (K, B, Z), context (B, C) or None."""

    x: Array
    eps: Array
    context: Array | None


def network(x_dim: int = 5, z_dim: int = 2, **options: Any) -> nv.VAE:
    """A small VAE in float32 with biases that are not 0."""
    model = nv.VAE(x_dim, z_dim, **{"hidden": (6,), "activation": "tanh", **options})
    model.flat += 0.1 * np.random.default_rng(7).normal(size=model.n_params).astype("float32")
    return model


def numbers(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def data_for(likelihood: Any, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Rows in the likelihood's support."""
    rng = np.random.default_rng(seed)
    if isinstance(likelihood, (nv.Poisson, nv.NegativeBinomial, nv.ZeroInflatedNegativeBinomial)):
        return rng.poisson(rng.choice([0.3, 2.0, 12.0], shape)).astype("float32")
    if isinstance(likelihood, nv.Categorical):
        classes = np.broadcast_to(likelihood.classes, shape[1:])
        return rng.integers(classes, size=shape).astype("float32")
    if isinstance(likelihood, nv.OneHot):
        return np.eye(shape[1], dtype="float32")[rng.integers(shape[1], size=shape[0])]
    x = numbers(shape, seed)
    return 0.01 + np.float32(0.98) * x if isinstance(likelihood, nv.Beta) else x


def batch(model: nv.VAE, objective: Any, rows: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    context = numbers((rows, model.context_dim), seed + 100) if model.context_dim else None
    eps = model.draw_noise(rows, objective.n_samples, rng)
    return Batch(data_for(model.likelihood, (rows, model.x_dim), seed), eps, context)


def recorded(model: nv.VAE, objective: Any, example: Batch) -> Any:
    """The graph of a step, the worker that it is of, and the worker's gradient."""
    gradient = np.zeros_like(model.flat)
    worker = model.with_gradients(gradient)
    return record(Rehearsal(worker, objective), *example), worker, gradient


class Step:
    """A compiled step, recorded on one batch, to be run on another.

    Attributes
    ----------
    model : VAE, on whose weights it works
    gradient : (n_params,) array that it writes
    state : AdamState
    """

    def __init__(
        self, model: nv.VAE, objective: Any, rows: int, threads: int = 1, optimiser: Any = None
    ) -> None:
        self.model, self.objective, self.rows = model, objective, rows
        self.optimiser = nv.Adam() if optimiser is None else optimiser
        graph, worker, self.gradient = recorded(model, objective, batch(model, objective, rows, 50))
        self.state = self.optimiser.start(model.flat)
        self.sources = {"x": Source(1, 1.0, model.x_dim)}
        if model.context_dim:
            self.sources["context"] = Source(1, 1.0, model.context_dim)
        update = self.gradient, self.state, self.optimiser
        self.program = Program(graph, worker, update, self.sources, threads)

    def run(
        self, batches: list[Batch], lr: float = 1e-3, rehearsal: bool = False
    ) -> tuple[int, Array]:
        """Run a step on each batch; returns how many were done, and the losses."""

        def joined(parts: tuple[Any, ...]) -> Any:
            if parts[0] is None:
                return None
            return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])

        x, eps, context = map(joined, zip(*batches, strict=True))
        self.sources["x"].address = x.ctypes.data
        if context is not None:
            self.sources["context"].address = context.ctypes.data
        n = len(batches)
        scalars = np.empty((n, 4))
        scalars[:, 0] = self.objective.beta(np.inf)
        scalars[:, 1:] = self.optimiser.factors(self.state.t + 1 + np.arange(n), np.full(n, lr))
        losses, order = np.empty((n, 3)), np.arange(n * self.rows)
        self.program.arena.fill(255)  # NaN
        done = self.program.run(order, eps, scalars, losses, np.zeros(n), rehearsal)
        return done, losses

    def gradients(self, given: Batch) -> tuple[Array, dict[str, Array]]:
        """The losses and the gradient of one batch."""
        self.gradient.fill(np.nan)
        done, losses = self.run([given], rehearsal=True)
        assert done == 1
        return losses[0], {
            name: slot.view(self.gradient) for name, slot in layout(self.model).items()
        }


def eager(model: nv.VAE, objective: Any, given: Batch) -> tuple[Losses, dict[str, Array]]:
    """The three losses of a batch and its gradient, in the model's type, on the reference."""
    given = Batch(*(None if a is None else a.astype(model.dtype) for a in given))
    terms, _ = model.forward(*given, needs=objective.needs)
    losses, _ = objective(terms)
    return losses, nv.value_and_grad(model, objective, *given)[1]


def assert_agreement(model: nv.VAE, objective: Any, rows: int, threads: int) -> Step:
    """A compiled step against float64, to a few float32 roundings of the largest gradient."""
    step = Step(model, objective, rows, threads)
    for seed in (1, 2):  # the second shows what the first may have left behind
        given = batch(model, objective, rows, seed)
        losses, gradients = step.gradients(given)
        wanted, truth = eager(model.astype("float64"), objective, given)
        wanted = list(wanted.values())
        np.testing.assert_allclose(losses, wanted, rtol=2e-6, atol=2e-6 * max(map(abs, wanted)))
        largest = max(np.abs(g).max() for g in truth.values())
        for name, gradient in gradients.items():
            error = np.abs(gradient - truth[name]).max() / largest
            assert error < 4e-6, f"{name} is off by {error:.1e} of the largest gradient"
    return step
