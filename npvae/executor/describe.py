"""How a model's training step runs: captured, with calls of Python's in it, or eagerly and why."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import numpy as np

from .. import kernels
from ..core import Objective, interrupts, layout
from ..models import Model
from ..optim import Adam
from .calls import PythonCall
from .graph import NotCapturable, example
from .record import trace

Array = np.ndarray

_SECONDS = 0.5
"""How long Python's calls are timed at most, once they have all been made."""


def why_eager(model: Model, optimiser: Any) -> str | None:
    """What keeps the steps of a model from being captured before it is looked into, or None."""
    if kernels.kernels_in_use() != "numba":
        return "numba is not installed, or NumPy was asked for"
    with interrupts.held_back():
        from .operations import loop as executor

    if not executor.COMPILES:
        return "Numba's compiler is switched off"
    if model.flat.dtype != np.float32:
        return f"the weights are {model.flat.dtype}, and compiled steps are float32"
    if type(optimiser) is not Adam:
        return f"{type(optimiser).__name__} is not npvae's Adam"
    return None


def describe(model: Model, objective: Objective, optimiser: Any = None, batch: int = 128) -> str:
    """In a few words, how `fit` would run this step, on batches of this size.

    What Python runs is named, with what it takes of each step, and why. Nothing is compiled or
    trained for the answer; it does not know of steps that `fit` would find to differ from eager
    ones.
    """
    reason = why_eager(model, Adam() if optimiser is None else optimiser)
    if reason is not None:
        return f"eager: {reason}"
    try:
        calls = _python_calls(model, objective, batch)
    except NotCapturable as found:
        return f"eager: {found}"
    if not calls:
        return "captured as a whole"
    reasons = {made.call.kernel.partition(".")[0]: made.why for made in calls}
    listed = "; ".join(f"{name} ({why})" for name, why in reasons.items())
    return f"captured, but for {1e3 * _cost(calls):.2g} ms of each step in Python: {listed}"


def _python_calls(model: Model, objective: Objective, batch: int) -> list[PythonCall]:
    """The calls that Python makes in a captured step."""
    from . import rules  # noqa: F401
    from .lower import Lowering
    from .places import Source

    graph = trace(model, objective, batch)
    sources = {"x": Source(1, 1.0, model.x_dim)}
    if model.context_dim:
        sources["context"] = Source(1, 1.0, model.context_dim)
    slots = {name: (slot.start, slot.size) for name, slot in layout(model).items()}
    lowering = Lowering(graph, np.zeros_like(model.flat), slots, sources, threads=1)
    lowering.run()
    return lowering.python_calls


def _cost(calls: list[PythonCall]) -> float:
    """The seconds that these calls take of a step: of each the least of some."""
    least, began = np.full(len(calls), np.inf), time.perf_counter()
    while time.perf_counter() < began + _SECONDS:
        state: dict[Any, Any] = {"epoch": math.inf, "rehearsal": True}
        for i, made in enumerate(calls):
            arrays = [copy.copy(example(given)) for given in made.call.inputs]
            started = time.perf_counter()
            with np.errstate(all="ignore"):
                made.call.run(state, arrays)
            least[i] = min(least[i], time.perf_counter() - started)
    return float(least.sum())
