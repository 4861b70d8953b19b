"""How a model's training step runs: captured, with calls of Python's in it, or eagerly and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..core import Objective, layout
from ..models import Model
from ..optim import Adam
from .graph import NotCapturable
from .record import trace

Array = np.ndarray

_ROWS = 2
"""Of the batch that is recorded: what is captured does not depend on it."""


def why_eager(model: Model, optimiser: Any) -> str | None:
    """What keeps the steps of a model from being captured before it is looked into, or None."""
    if kernels.kernels_in_use() != "numba":
        return "numba is not installed, or NumPy was asked for"
    from .operations import loop as executor

    if not executor.COMPILES:
        return "Numba's compiler is switched off"
    if model.flat.dtype != np.float32:
        return f"the weights are {model.flat.dtype}, and compiled steps are float32"
    if type(optimiser) is not Adam:
        return f"{type(optimiser).__name__} is not npvae's Adam"
    return None


def describe(model: Model, objective: Objective, optimiser: Any = None) -> str:
    """In a few words, how `fit` would run this step.

    Nothing is compiled or trained for the answer; it does not know of steps that `fit` would find
    to differ from eager ones.
    """
    reason = why_eager(model, Adam() if optimiser is None else optimiser)
    if reason is not None:
        return f"eager: {reason}"
    try:
        calls = _python_calls(model, objective)
    except NotCapturable as found:
        return f"eager: {found}"
    if calls:
        return f"captured, but for Python's calls of {', '.join(calls)}"
    return "captured as a whole"


def _python_calls(model: Model, objective: Objective) -> list[str]:
    """The names of the calls that Python makes in a captured step."""
    from . import rules  # noqa: F401
    from .lower import Lowering, Source

    graph = trace(model, objective, _ROWS)
    sources = {"x": Source(1, 1.0, model.x_dim)}
    if model.context_dim:
        sources["context"] = Source(1, 1.0, model.context_dim)
    slots = {name: (slot.start, slot.size) for name, slot in layout(model).items()}
    lowering = Lowering(graph, np.zeros_like(model.flat), slots, sources, threads=1)
    lowering.run()
    return [made.call.kernel for made in lowering.python_calls]
