"""What ``print(model)`` shows: the layers with their sizes, the distributions, the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..core import Part, children, n_parameters
from ..core.registry import text
from ..core.wording import cut
from ..layers.layer import Layer

if TYPE_CHECKING:
    from .base import Model

_WIDTH = 52
"""Characters of a part's description."""
_SHOWN = ("layer", "likelihood", "posterior", "prior")
"""Families of parts that are shown; the others join these, or are named beside them."""


def summary(model: Model) -> str:
    """The parts of a model, a line each, with the numbers of parameters that they hold."""
    if not model.is_built:
        return f"{model!r}\nIt has x_dim, and with it layers and parameters, from its first fit on."
    lines = [f"{type(model).__name__}: {_in_words(model)}", ""]
    rows = [*_rows(model, set()), ("in all", model.dtype, model.n_params)]
    width = max(12, *(len(name) for name, _, _ in rows)) + 2
    lines.append(f"  {'part':<{width}}{'':<{_WIDTH}}{'parameters':>14}")
    lines += [f"  {name:<{width}}{what:<{_WIDTH}}{n:>14,}" for name, what, n in rows]
    return "\n".join(lines)


def _in_words(model: Model) -> str:
    widths = ", ".join(map(str, model.z_widths))
    words = [f"{model.x_dim:,} columns, z of {widths} dimensions"]
    if model.context_dim:
        labels = hasattr(model.condition, "classes")
        given = "predicts" if model.predicts else "is given"
        words.append(
            f"{given} one of {model.context_dim} classes"
            if labels
            else f"a context of {model.context_dim}"
        )
    if model.missing:
        words.append("missing entries masked")
    if model.standardise:
        words.append("columns standardised" if model.units else "columns to be standardised")
    if getattr(model, "schema", None) is not None:
        words.append("the schema of a table")
    return "; ".join(words)


def _rows(part: Part, seen: set[int], prefix: str = "") -> Iterator[tuple[str, str, int]]:
    """(name, description, number of parameters) of the parts in a part, each part once."""
    for name, child in sorted(children(part), key=_place):
        if id(child) in seen:
            continue
        seen.add(id(child))
        if isinstance(child, Layer):
            own = [one for one in _layers(child) if one is child or id(one) not in seen]
            seen.update(map(id, own))
            for i, layer in enumerate(own):
                yield ("" if i else prefix + name, _layer(layer), n_parameters(layer))
        elif child.family in _SHOWN:
            yield prefix + name, cut(_distribution(child), _WIDTH), n_parameters(child)
        elif child.family != "activation":
            yield from _rows(child, seen, f"{prefix}{name}.")


def _place(child: tuple[str, Part]) -> int:
    """Where a part is shown: on the way of the data, as far as its name says where that is."""
    way = ("encoder", "posterior", "prior", "decoder", "likelihood")
    return way.index(child[0]) if child[0] in way else len(way)


def _layers(layer: Layer) -> Iterator[Layer]:
    """A layer, or those that it is made of, one after the other."""
    inner: Any = getattr(layer, "layers", None)
    if inner is None:
        yield layer
        return
    for one in inner:
        yield from _layers(one)


def _layer(layer: Layer) -> str:
    sizes = " -> ".join(_size(shape) for shape in (layer.in_shape, layer.out_shape) if shape)
    activation = getattr(layer, "activation", None)
    named = "" if activation is None or activation.name == "identity" else f", {activation.name}"
    return cut(f"{type(layer).__name__} {sizes}".rstrip() + named, _WIDTH)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _distribution(part: Part) -> str:
    """A likelihood, posterior or prior with its arguments; of those of columns the names alone."""
    parts = getattr(part, "parts", None)
    if parts is None:
        return text(part.config)
    return f"{part.name} of " + ", ".join(inner.name for inner in parts)
