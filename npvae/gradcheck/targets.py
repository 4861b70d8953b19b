"""What can be checked, brought to one form: a scalar loss of named arrays, and its gradient.

Parts and forward/backward pairs have arrays as outputs. With fixed random weights u of the
outputs' shapes, L = Σ u · outputs is a scalar whose gradient is what backward gives for
d_outputs = u; a wrong entry anywhere in the Jacobian changes it, unless u happens to hide it, which
has probability 0.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..core import Part, bind, children, clone, initialise, layout
from ..core.errors import ConfigError
from ..models import Model
from ..objectives import as_objective
from .report import Row

Array = np.ndarray
Values = dict[str, Array]


@dataclass
class Problem:
    """A scalar function of named float64 arrays, with the gradient that somebody claims it has."""

    name: str
    values: Values
    loss: Callable[[Values], Any]
    gradient: Callable[[Values], dict[str, Any]]
    trusted_complex: bool = True
    """Whether the forward is known to be analytic, so that complex step must agree."""
    not_analytic: str = ""
    """Why complex step does not apply."""
    outputs: Outputs | None = None
    """Where the target has them, so that a wrong gradient can be traced to single outputs."""
    violations: list[Row] = field(default_factory=list)
    """Breaches of the contract other than a wrong number."""


class Outputs(NamedTuple):
    """The arrays of which the loss is the sum weighted with `weights`."""

    forward: Callable[[Values], list[Array]]
    backward: Callable[[Values, list[Array]], dict[str, Any]]
    weights: list[Array]

    def loss(self, values: Values) -> Any:
        return sum((w * o).sum() for w, o in zip(self.weights, self.forward(values), strict=True))

    def gradient(self, values: Values) -> dict[str, Any]:
        return self.backward(values, self.weights)


def problem_of(target: Any, inputs: Any, objective: Any, rng: np.random.Generator) -> Problem:
    """Bring any target of `check_gradients` to the one form."""
    if isinstance(target, type) and issubclass(target, Part):
        target, example = target.example(rng)
        inputs = example if inputs is None else inputs
    if isinstance(target, Model):
        return _of_model(target, inputs, objective, rng)
    if isinstance(target, Part):
        return _of_part(target, inputs, rng)
    if isinstance(target, (tuple, list)) and len(target) == 2 and all(map(callable, target)):
        return _of_pair(target[0], target[1], inputs, rng)
    raise ConfigError(
        "a gradient check takes a part, a model, a pair (forward, backward) or a pair (f, grad_f); "
        f"got {type(target).__name__}."
    )


def _of_model(model: Model, inputs: Any, objective: Any, rng: np.random.Generator) -> Problem:
    model = model.astype(np.float64)
    objective = as_objective(objective)
    x, eps, *rest = _model_inputs(model, objective, rng) if inputs is None else inputs
    context = rest[0] if rest else None
    xs = model.reader(x).checked(slice(0, len(x)))
    eps = model.check_noise(eps, len(xs))
    contexts = model.context_reader(context, len(xs))
    cs = None if contexts is None else contexts.checked(slice(0, len(xs)))
    slots = layout(model)

    def loss(values: Values) -> Any:
        return objective(_bound(model, values).forward(xs, eps, cs, needs=objective.needs)[0])[
            0
        ].loss

    def gradient(values: Values) -> dict[str, Any]:
        twin = _bound(model, values)
        terms, cache = twin.forward(xs, eps, cs, needs=objective.needs)
        d_terms = objective(terms)[1]

        def run(d_flat: Array) -> None:
            bind(twin, d_flat, "d")
            twin.backward(cache, d_terms)

        return _added(problem, run, slots)

    name = f"{type(model).__name__} under {type(objective).__name__}"
    values = {n: view.copy() for n, view in model.params.items()}
    problem = Problem(name, values, loss, gradient, not_analytic=_not_analytic(model))
    return problem


def _model_inputs(model: Any, objective: Any, rng: np.random.Generator) -> tuple[Any, ...]:
    """Three examples that the model itself could have drawn, so that they lie in its support."""
    context = rng.normal(size=(3, model.context_dim)) if model.context_dim else None
    theta = model.theta(rng.normal(size=(3, model.z_dim)), context)
    eps = model.draw_noise(3, objective.n_samples, rng)
    x = model.likelihood.sample(theta, rng)
    return x if model.units is None else model.units.restored(x), eps, context


def _not_analytic(part: Part) -> str:
    """Why the part, or one in it, can't take complex arrays; empty where all can."""
    reasons = (_not_analytic(child) for _, child in children(part))
    return part.not_analytic or next(filter(None, reasons), "")


def _bound(part: Any, values: Values) -> Any:
    """A twin of the part on parameters of these values, real or complex."""
    twin = clone(part)
    slots = layout(twin)
    dtype = np.result_type(np.float64, *(values[n].dtype for n in slots)) if slots else np.float64
    flat = np.empty(sum(slot.size for slot in slots.values()), dtype)
    for name, slot in slots.items():
        slot.view(flat)[...] = values[name]
    if isinstance(twin, Model):
        twin._hold(flat)
    else:
        bind(twin, flat)
    return twin


def _added(problem: Problem, run: Callable[[Array], Any], slots: Any) -> dict[str, Any]:
    """The parameter gradients that `run` adds to a vector, and whether it adds at all."""
    size = sum(slot.size for slot in slots.values())
    fresh, filled = np.zeros(size), np.full(size, 0.5)
    run(fresh)
    run(filled)
    for name, slot in slots.items():
        g, again = slot.view(fresh), slot.view(filled)
        if not np.allclose(again, g + 0.5, rtol=1e-9, atol=1e-9):
            why = (
                "backward overwrites this gradient instead of adding to it: use +="
                if np.allclose(again, g, rtol=1e-9, atol=1e-9)
                else "a second backward on the same cache adds something else: does backward "
                "change its cache, or keep state?"
            )
            _violate(problem, name, why)
    return {name: slot.view(fresh) for name, slot in slots.items()}


def _violate(problem: Problem, argument: str, note: str) -> None:
    row = Row(problem.name, argument, "contract", "wrong", note=note)
    if row not in problem.violations:
        problem.violations.append(row)


def _of_part(part: Part, inputs: Any, rng: np.random.Generator) -> Problem:
    part = clone(part)
    if inputs is None:
        other, inputs = type(part).example(rng)
        if {n: s.shape for n, s in layout(other).items()} != {
            n: s.shape for n, s in layout(part).items()
        }:
            raise ConfigError(f"pass inputs= with arrays that fit {part!r}.")
    slots = layout(part)
    if not all(hasattr(slot.part, slot.attribute) for slot in slots.values()):
        bind(part, initialise(part, rng, np.float64))
    names = _argument_names(part.forward, len(inputs))
    data = {n for n, x in zip(names, inputs, strict=True) if _is_data(x)} | set(part.data_inputs)
    clash = set(names) & set(slots)
    names = [f"{n} (input)" if n in clash else n for n in names]
    values = {n: getattr(s.part, s.attribute).astype(np.float64) for n, s in slots.items()}
    fixed = dict(zip(names, inputs, strict=True))
    values |= {n: np.array(x, np.float64) for n, x in fixed.items() if n not in data}

    def call(values: Values) -> tuple[Any, Any, Any, list[Any]]:
        twin = _bound(part, values) if slots else part
        arguments = [values.get(n, fixed[n]) for n in names]
        outputs, cache = twin.forward(*arguments)
        return twin, outputs, cache, arguments

    def forward(values: Values) -> list[Array]:
        return _flat(call(values)[1])

    def backward(values: Values, weights: list[Array]) -> dict[str, Any]:
        twin, _, cache, arguments = call(values)
        watched = _Watch(problem, dict(zip(names, arguments, strict=True)), weights)
        d_inputs: list[Any] = []

        def run(d_flat: Array) -> None:
            bind(twin, d_flat, "d")
            d_inputs.append(_as_tuple(twin.backward(cache, *(w.copy() for w in weights))))

        own = _added(problem, run, slots)
        twin.backward(cache, *watched.weights)
        watched.compare()
        return own | _named(problem, names, d_inputs[0], data)

    outputs = Outputs(forward, backward, _weights(forward(values), rng))
    problem = Problem(
        type(part).__name__, values, outputs.loss, outputs.gradient,
        not_analytic=_not_analytic(part), outputs=outputs,
    )  # fmt: skip
    _forward_is_clean(problem, call, values)
    return problem


def _of_pair(first: Any, second: Any, inputs: Any, rng: np.random.Generator) -> Problem:
    """(forward, backward) where `first` returns (outputs, cache); (f, grad_f) where a number."""
    if inputs is None:
        raise ConfigError("pass inputs= with the arrays at which the pair is to be checked.")
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    names = _argument_names(first, len(inputs))
    data = {n for n, x in zip(names, inputs, strict=True) if _is_data(x)}
    fixed = dict(zip(names, inputs, strict=True))
    values = {n: np.array(x, np.float64) for n, x in fixed.items() if n not in data}
    result = first(*(values.get(n, fixed[n]) for n in names))
    is_pair = isinstance(result, tuple) and len(result) == 2
    if not is_pair and np.size(result) != 1:
        raise ConfigError(
            "the first function of a pair returns (outputs, cache), or one number; got "
            f"an array of shape {np.shape(result)}. Return (outputs, cache), or sum to a scalar."
        )

    def call(values: Values) -> tuple[Any, Any, Any, list[Any]]:
        arguments = [values.get(n, fixed[n]) for n in names]
        outputs, cache = first(*arguments) if is_pair else (first(*arguments), None)
        return None, outputs, cache, arguments

    def forward(values: Values) -> list[Array]:
        return _flat(call(values)[1])

    def backward(values: Values, weights: list[Array]) -> dict[str, Any]:
        _, _, cache, arguments = call(values)
        watched = _Watch(problem, dict(zip(names, arguments, strict=True)), weights)
        d_inputs = second(cache, *watched.weights) if is_pair else second(*arguments)
        watched.compare()
        return _named(problem, names, _as_tuple(d_inputs), data)

    name = getattr(first, "__qualname__", type(first).__name__).replace("<locals>.", "")
    if is_pair:
        outputs = Outputs(forward, backward, _weights(forward(values), rng))
        problem = Problem(name, values, outputs.loss, outputs.gradient, False, outputs=outputs)
    else:
        single = Outputs(forward, backward, [np.ones(())])
        problem = Problem(name, values, single.loss, single.gradient, False)
    _forward_is_clean(problem, call, values)
    return problem


class _Watch:
    """Notices when a function changes the arrays that its caller gave it."""

    def __init__(self, problem: Problem, arguments: dict[str, Any], weights: list[Array]) -> None:
        self.problem = problem
        self.weights = [w.copy() for w in weights]
        self.live = arguments | {f"d_outputs[{i}]": w for i, w in enumerate(self.weights)}
        self.before = {n: np.array(x) for n, x in self.live.items()}

    def compare(self, who: str = "backward") -> None:
        for name, x in self.live.items():
            before = self.before[name]
            numbers = before.dtype.kind in "fc"  # of which some of x may be missing, NaN
            if not np.array_equal(np.asarray(x), before, equal_nan=numbers):
                _violate(
                    self.problem, name, f"{who} changes its caller's array: work on a copy of it"
                )


def _forward_is_clean(problem: Problem, call: Callable[[Values], Any], values: Values) -> None:
    """The forward leaves its inputs alone, and gives the same outputs twice."""
    copies = {n: v.copy() for n, v in values.items()}
    watched = _Watch(problem, copies, [])
    first = _flat(call(copies)[1])
    watched.compare("forward")
    again = _flat(call({n: v.copy() for n, v in values.items()})[1])
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(first, again, strict=True)):
        _violate(
            problem,
            "(outputs)",
            "forward gives other outputs for the same inputs: draw the noise outside and pass it "
            "in as an argument",
        )


def _named(
    problem: Problem, names: list[str], d_inputs: tuple[Any, ...], data: set[str]
) -> dict[str, Any]:
    if len(d_inputs) != len(names):
        _violate(
            problem,
            "(all inputs)",
            f"backward returns {len(d_inputs)} gradients for {len(names)} inputs "
            f"({', '.join(names)}): return one for each, None for data",
        )
        return {}
    return {n: d for n, d in zip(names, d_inputs, strict=True) if n not in data}


def _argument_names(function: Any, n: int) -> list[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"input {i}" for i in range(n)]


def _is_data(x: Any) -> bool:
    """Only floating arrays have a gradient; integers, booleans, text and settings have none."""
    return np.asarray(x).dtype.kind != "f"


def _flat(outputs: Any) -> list[Array]:
    if isinstance(outputs, (tuple, list)):
        return [array for item in outputs for array in _flat(item)]
    return [np.asarray(outputs)]


def _as_tuple(d_inputs: Any) -> tuple[Any, ...]:
    return tuple(d_inputs) if isinstance(d_inputs, (tuple, list)) else (d_inputs,)


def _weights(outputs: list[Array], rng: np.random.Generator) -> list[Array]:
    return [rng.normal(size=o.shape) for o in outputs]
