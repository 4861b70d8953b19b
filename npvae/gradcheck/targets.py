"""What can be checked, brought to one form: parts and models here, others in their own files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Part, bind, children, clone, initialise, layout, resolve
from ..core.errors import ConfigError
from ..layers.mode import relaxing
from ..models import Model
from ..objectives import as_objective
from ..posteriors import Posterior
from .arguments import argument_names
from .functions import of_function, of_pair
from .objects import of_object
from .problem import (
    Array,
    Outputs,
    Problem,
    Values,
    Watch,
    flat,
    forward_is_clean,
    is_data,
    random_weights,
)
from .whole_level import level_of

ONLY_IN_THE_MEAN = (
    "{}'s gradient is no derivative of its loss: a term of mean 0 is left out of the encoder's, "
    "which differences must find wrong; `npvae verify` compares the means"
)


def problem_of(target: Any, inputs: Any, objective: Any, rng: np.random.Generator) -> Problem:
    """Bring any target of `check_gradients` to the one form."""
    if isinstance(target, type) and issubclass(target, Part):
        # A posterior is more than its forward: what draws from it has gradients of its own.
        in_level = issubclass(target, Posterior)
        target, example = _in_level(target, rng) if in_level else target.example(rng)
        if isinstance(target, Model):
            objective = as_objective(objective)
            x, _, *rest = example
            example = (x, target.draw_noise(len(x), objective.n_samples, rng), *rest)
        inputs = example if inputs is None else inputs
    if isinstance(target, Model):
        return _of_model(target, inputs, objective, rng)
    if isinstance(target, Part):
        return _of_part(target, inputs, rng)
    if isinstance(target, (tuple, list)) and len(target) == 2 and all(map(callable, target)):
        return of_pair(target[0], target[1], inputs, rng)
    if not isinstance(target, type) and all(hasattr(target, m) for m in ("forward", "backward")):
        return of_object(target, inputs, rng)
    if callable(target) and not isinstance(target, type):
        return of_function(target, inputs)
    raise ConfigError(_taken(target))


def _in_level(posterior: Any, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
    """The level of a posterior with its usual prior."""
    prior = resolve("prior", posterior.example(rng)[0].usual_prior)
    return level_of(posterior, type(prior), rng)


def _taken(target: Any) -> str:
    what = type(target).__name__
    if isinstance(target, type):
        what = f"the class {target.__name__}: pass an object of it, as {target.__name__}(...)"
    elif isinstance(target, (tuple, list)):
        what = f"a {what} of {len(target)}: " + ", ".join(type(t).__name__ for t in target)
    return (
        "a gradient check takes a part, a model, a pair (forward, backward) or (f, grad_f), one "
        "function that gives (loss, gradients), or an object with forward and backward; got "
        f"{what}."
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
    slots, twins = layout(model), _Twin(model)

    def loss(values: Values) -> Any:
        with relaxing():
            terms, _ = twins.on(values).forward(xs, eps, cs, needs=objective.needs)
        return objective(terms)[0].loss

    def gradient(values: Values) -> dict[str, Any]:
        twin = twins.on(values)
        with relaxing():
            terms, cache = twin.forward(xs, eps, cs, needs=objective.needs)
        d_terms = objective(terms)[1]

        def run(d_flat: Array) -> None:
            bind(twin, d_flat, "d")
            twin.backward(cache, d_terms)

        return _added(problem, run, slots)

    name = f"{type(model).__name__} under {type(objective).__name__}"
    values = {n: view.copy() for n, view in model.params.items()}
    problem = Problem(name, values, loss, gradient, not_analytic=_not_analytic(model))
    if not getattr(objective, "derivative", True):
        problem.note("(loss)", ONLY_IN_THE_MEAN.format(type(objective).__name__), "n/a")
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


class _Twin:
    """A twin of a part, run on parameters of one value after the other, real or complex.

    It is made once, and given its attributes back for every run: none of its parts remembers what
    it ran on before. Each run has memory of its own, since its outputs may be views of that.
    """

    def __init__(self, part: Any) -> None:
        self._twin = clone(part)
        self._slots = layout(self._twin)
        self._size = sum(slot.size for slot in self._slots.values())
        self._parts = [(p, dict(vars(p))) for p in _parts_in(self._twin)]

    def on(self, values: Values) -> Any:
        """The twin on these values."""
        for part, attributes in self._parts:
            vars(part).clear()
            vars(part).update(attributes)
        dtype = np.result_type(np.float64, *{values[name].dtype for name in self._slots})
        flat, views = np.empty(self._size, dtype), {}
        for name, slot in self._slots.items():
            views[name] = view = slot.view(flat)
            view[...] = values[name]
            setattr(slot.part, slot.attribute, view)
        if isinstance(self._twin, Model):
            self._twin.flat, self._twin._params = flat, views
        return self._twin


def _parts_in(root: Part) -> list[Part]:
    """A part and all parts in it, each once."""
    found = {id(root): root}
    for _, child in children(root):
        found |= {id(part): part for part in _parts_in(child)}
    return list(found.values())


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
            problem.note(name, why)
    return {name: slot.view(fresh) for name, slot in slots.items()}


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
    names = argument_names(part.forward, len(inputs))
    data = {n for n, x in zip(names, inputs, strict=True) if is_data(x)} | set(part.data_inputs)
    clash = set(names) & set(slots)
    names = [f"{n} (input)" if n in clash else n for n in names]
    values = {n: getattr(s.part, s.attribute).astype(np.float64) for n, s in slots.items()}
    fixed = dict(zip(names, inputs, strict=True))
    values |= {n: np.array(x, np.float64) for n, x in fixed.items() if n not in data}
    twins = _Twin(part)

    def call(values: Values) -> tuple[Any, Any, Any, list[Any]]:
        twin = twins.on(values) if slots else part
        arguments = [values.get(n, fixed[n]) for n in names]
        outputs, cache = twin.forward(*arguments)
        return twin, outputs, cache, arguments

    def forward(values: Values) -> list[Array]:
        return flat(call(values)[1])

    def backward(values: Values, weights: list[Array]) -> dict[str, Any]:
        twin, _, cache, arguments = call(values)
        watched = Watch(problem, dict(zip(names, arguments, strict=True)), weights)
        d_inputs: list[Any] = []

        def run(d_flat: Array) -> None:
            bind(twin, d_flat, "d")
            d_inputs.append(_as_tuple(twin.backward(cache, *(w.copy() for w in weights))))

        own = _added(problem, run, slots)
        twin.backward(cache, *watched.weights)
        watched.compare()
        return own | _named(problem, names, d_inputs[0], data)

    outputs = Outputs(forward, backward, random_weights(forward(values), rng))
    problem = Problem(
        type(part).__name__, values, outputs.loss, outputs.gradient,
        not_analytic=_not_analytic(part), outputs=outputs, functions=_own_functions(part),
    )  # fmt: skip
    forward_is_clean(problem, forward, values)
    return problem


def _own_functions(part: Part) -> tuple[Any, ...]:
    """Those of a part that somebody else wrote: they may be looked into."""
    cls = type(part)
    return () if cls.__module__.startswith("npvae.") else (cls.forward, cls.backward)


def _named(
    problem: Problem, names: list[str], d_inputs: tuple[Any, ...], data: set[str]
) -> dict[str, Any]:
    return {n: d for n, d in problem.paired(names, d_inputs).items() if n not in data}


def _as_tuple(d_inputs: Any) -> tuple[Any, ...]:
    return tuple(d_inputs) if isinstance(d_inputs, (tuple, list)) else (d_inputs,)
