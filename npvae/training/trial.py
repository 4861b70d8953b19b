"""A step on two rows before the first one: whether a user's parts keep to their contracts.

Otherwise nobody would notice a log p that NumPy broadcasts, or a gradient that is put where nothing
looks for it. The step is taken on copies, and leaves no trace.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..core import Part, layout
from ..core.errors import ConfigError
from ..core.objective import values_of
from ..executor.graph import NotCapturable
from ..executor.rehearsal import Rehearsal, named_parts, randomness_kept
from ..flows import Flow
from ..layers.layer import Layer
from ..levels import Level
from ..likelihoods.likelihood import Likelihood
from ..models import Model
from ..priors import Prior
from .rows import Rows
from .settings import Settings

Array = np.ndarray
Shape = tuple[int, ...]

_NUMBERS = (np.ndarray, np.generic, int, float)


def check_contracts(worker: Model, settings: Settings, rows: Rows) -> None:
    """Try a step, if some part or the objective is of the user's own.

    Raises
    ------
    ConfigError
        If something has another form than its contract says; the sentence names the part. What a
        part raises itself is left for the first step to raise.
    """
    things = [*named_parts(worker).values(), settings.objective]
    if all(type(thing).__module__.startswith("npvae.") for thing in things):
        return
    try:
        on = Rehearsal(worker, settings.objective)
    except NotCapturable:  # what it holds can't be copied
        return
    for name, part in named_parts(on.copy).items():
        if not isinstance(part, (Model, Level)):  # which have contracts of their own
            _watch(part, f"{name} ({type(part).__name__})")
    slots = layout(on.copy)
    views = {name: getattr(slot.part, "d" + slot.attribute) for name, slot in slots.items()}
    try:
        with randomness_kept(), np.errstate(all="ignore"):
            _step(on, settings, rows)
    except ConfigError:
        raise
    except Exception:  # whatever a user's part raises on two rows
        return
    for name, slot in slots.items():
        attribute = "d" + slot.attribute
        if getattr(slot.part, attribute) is not views[name]:
            raise ConfigError(
                f"backward adds the gradient of {name} to the array that {attribute} is; "
                f"{type(slot.part).__name__} put another in its place. Write self.{attribute} "
                "+= ..., without a new array."
            )


def _step(on: Rehearsal, settings: Settings, rows: Rows) -> None:
    objective = on.objective_copy
    x, context, weights = rows.batch(slice(0, 2))
    eps = on.copy.draw_noise(len(x), objective.n_samples, np.random.default_rng(0))
    terms, cache = on.copy.forward(x, eps, context, needs=objective.needs)
    terms.weights = weights
    result = objective(terms, 0.0)
    if not isinstance(result, tuple) or len(result) != 2:
        raise ConfigError(
            f"an objective gives a pair, (losses, gradients of the terms); "
            f"{type(objective).__name__} gave {_kind(result)}."
        )
    values_of(objective, result[0], settings.losses)
    on.copy.backward(cache, result[1])


def _watch(part: Part, who: str) -> None:
    """Have a part's forward and backward look at the shapes of what they give."""
    forward, backward = part.forward, part.backward
    names = list(inspect.signature(forward).parameters)

    def checked_forward(*inputs: Any, **options: Any) -> Any:
        result = forward(*inputs, **options)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ConfigError(
                f"forward gives a pair, (outputs, cache); that of {who} gave {_kind(result)}."
            )
        _check_outputs(part, who, inputs, result[0])
        return result[0], (inputs, result[1])

    def checked_backward(cache: Any, *d_outputs: Any, **options: Any) -> Any:
        inputs, own = cache
        gradients = backward(own, *d_outputs, **options)
        given = gradients if isinstance(gradients, tuple) else (gradients,)
        for name, value, gradient in zip(names, inputs, given, strict=False):
            if isinstance(gradient, _NUMBERS) and np.shape(gradient) != np.shape(value):
                raise ConfigError(
                    f"backward gives the gradient of {name} in the shape of {name}, "
                    f"{np.shape(value)}; that of {who} gave {np.shape(gradient)}."
                )
        return gradients

    vars(part).update(forward=checked_forward, backward=checked_backward)


def _check_outputs(part: Part, who: str, inputs: tuple[Any, ...], outputs: Any) -> None:
    wanted = _wanted(part, np.shape(inputs[0])) if inputs else {}
    given = outputs if isinstance(outputs, tuple) else (outputs,)
    if wanted and len(given) != len(wanted):
        raise ConfigError(f"forward gives {' and '.join(wanted)}; {who} gave {len(given)} outputs.")
    for (rule, shape), output in zip(wanted.items(), given, strict=False):
        if isinstance(output, _NUMBERS) and np.shape(output) != shape:
            raise ConfigError(f"forward gives {rule}, here {shape}; {who} gave {np.shape(output)}.")


def _wanted(part: Part, shape: Shape) -> dict[str, Shape]:
    """What a part's family says of its outputs, and their shapes for a first input of this one."""
    rows = shape[:-1]
    if isinstance(part, Likelihood):
        return {"log_px of shape (K, B), a number for each row of theta": rows}
    if isinstance(part, Prior):
        return {"log p(z) of shape (K, B), a number for each row of z": rows}
    if isinstance(part, Flow):
        return {"f(z) of the shape of z": shape, "change of shape (K, B)": rows}
    if isinstance(part, Layer):
        width = shape[-1] if part.out_shape is None else part.n_out
        return {"rows of the size that out_shape says": (*rows, width)}
    return {}


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} things"
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
