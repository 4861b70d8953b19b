"""npvae's and a witness's outputs and gradients in one form, and their comparison.

A witness `w` is `torch_witness` or `jax_witness`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from oracle_parts import Z
from oracle_parts.models import vae

import npvae as nv
from npvae.core import bind, layout, n_parameters

Array = np.ndarray

OF_LEVEL = ("kl", "log_pz", "log_qz", "z")
PLACES = ("", " above")
"""What the names of a level's terms end in: of the level next to x, and of the one above."""
GIVES = {"autoencoder": ("log_px",), "semi": ("log_px", "kl")}
"""The terms of models that do not have all."""
NEEDS = ("log_px", *OF_LEVEL, "posterior")


def parameters_of(part: nv.Part) -> dict[str, Array]:
    return {name: getattr(slot.part, slot.attribute) for name, slot in layout(part).items()}


def forward(part: Any, inputs: tuple[Array, ...]) -> tuple[dict[str, Array], Any]:
    """npvae's outputs by name, and the cache."""
    if not isinstance(part, nv.Model):
        outputs, cache = part.forward(*inputs)
        return named(outputs), cache
    terms, cache = part.forward(*inputs, needs=GIVES.get(part.name, NEEDS))
    outputs = {"log_px": terms.log_px}
    for level, place in zip(terms.levels, PLACES, strict=False):
        given = {name: getattr(level, name) for name in OF_LEVEL}
        outputs |= {name + place: value for name, value in given.items() if value is not None}
        if level.posterior is not None:
            outputs["mu" + place], outputs["logvar" + place] = level.posterior
    return outputs, cache


def backward(part: Any, cache: Any, cotangents: dict[str, Array]) -> dict[str, Array]:
    """npvae's gradients by parameter and argument name, given the outputs' cotangents."""
    d_parameters = bind(part, np.zeros(n_parameters(part)), prefix="d")
    if isinstance(part, nv.Model):
        c = cotangents
        d_levels = [
            _level(cotangents, place) for _, place in zip(part.levels, PLACES, strict=False)
        ]
        part.backward(cache, nv.Terms(c["log_px"], d_levels))
        return d_parameters
    d_inputs = part.backward(cache, *cotangents.values())
    d_inputs = d_inputs if isinstance(d_inputs, tuple) else (d_inputs,)
    d_inputs = dict(zip(arguments(part), d_inputs, strict=True))
    for name in part.data_inputs:
        assert d_inputs.pop(name) is None
    return d_parameters | d_inputs


def _level(c: dict[str, Array], place: str) -> nv.LevelTerms:
    given = {name: c[name + place] for name in OF_LEVEL if name + place in c}
    posterior = (c["mu" + place], c["logvar" + place]) if "mu" + place in c else None
    return nv.LevelTerms(**given, posterior=posterior)


def arguments(part: nv.Part) -> list[str]:
    """The names of what forward takes, without what a flow's encoder gives where it gives none."""
    taken = inspect.signature(part.forward).parameters.values()
    alone = isinstance(part, nv.Flow) and not part.n_outputs(Z)
    return [p.name for p in taken if not (alone and p.kind is p.VAR_POSITIONAL)]


def differentiate(
    w: Any, function: Callable[..., Any], parameters: dict[str, Array], inputs: dict[str, Array]
) -> tuple[dict[str, Array], Callable[[dict[str, Array]], dict[str, Array]]]:
    """A witness's outputs by name, and the map from their cotangents to all gradients by name.

    `function` takes (parameters, *inputs).
    """

    def on_arrays(arrays: dict[str, Any]) -> dict[str, Any]:
        p = {name: arrays[name] for name in parameters}
        return named(function(p, *(arrays[name] for name in inputs)))

    outputs, pull = w.vjp(on_arrays, to_framework(w, parameters | inputs))
    return to_numpy(outputs), lambda cotangents: to_numpy(pull(to_framework(w, cotangents))[0])


def losses_and_gradients(
    w: Any,
    model: Any,
    losses: dict[str, Callable[[Any, dict[str, Any]], Any]],
    x: Array,
    eps: Array,
    context: Array | None = None,
    terms_of: Callable[..., dict[str, Any]] = vae,
) -> dict[str, tuple[float, dict[str, Array]]]:
    """A witness's losses of a VAE by name, each with its gradient by parameter name."""
    data = [w.array(a) for a in (x, eps, context) if a is not None]

    def function(p: dict[str, Any]) -> dict[str, Any]:
        terms = terms_of(w, model, p, *data)
        return {name: loss(w, terms) for name, loss in losses.items()}

    values, pull = differentiate(w, function, model.params, {})
    return {
        name: (float(values[name]), pull({n: np.float64(n == name) for n in losses}))
        for name in losses
    }


def to_framework(w: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: w.array(value) for name, value in arrays.items()}


def to_numpy(arrays: dict[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(value) for name, value in arrays.items()}


def named(outputs: Any) -> dict[str, Any]:
    if isinstance(outputs, dict):
        return outputs
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {f"output {i}": output for i, output in enumerate(outputs)}


def assert_agree(got: dict[str, Array], expected: dict[str, Array], rtol: float) -> None:
    """The same names and shapes, and in each array differences small beside its largest entry."""
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].shape == value.shape, name
        error, largest = np.abs(got[name] - value).max(), np.abs(value).max()
        assert error <= rtol * largest, f"{name}: off by {error:.3g}, its largest is {largest:.3g}"
