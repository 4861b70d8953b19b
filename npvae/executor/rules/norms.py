"""Normalisation over a batch, over a place's channels, or over groups of an image's channels."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..graph import Call, NotCapturable, Value
from ..lower import Lowering
from .declared import rule


class Sets(NamedTuple):
    """What is normalised together, in `operations.norms`' words, of images (features, n)."""

    features: int
    n: int
    items: int
    places: int
    width: int
    whole: bool

    @property
    def operands(self) -> dict[str, int]:
        stride = self.features // self.places
        return dict(
            n=self.n, places=self.places, width=self.width, stride=stride, whole=int(self.whole)
        )


@rule("normalised")
def _normalised(to: Lowering, call: Call) -> None:
    x, axes, eps = call.inputs
    u, inverse = call.outputs
    sets = _sets(to, x, axes)
    operands: dict[str, Any] = dict(x=to.by_feature(x, sets.features))
    operands["u"] = to.new(u, width=sets.features)
    operands["inverse"] = to.new(inverse, width=sets.items)
    _emit(to, "normalised", sets, operands, ("u", "inverse"), x.size, (eps,))


@rule("normalised_backward")
def _normalised_backward(to: Lowering, call: Call) -> None:
    du, u, inverse, axes = call.inputs
    (dx,) = call.outputs
    sets = _sets(to, u, axes)
    operands: dict[str, Any] = {
        name: to.by_feature(value, sets.features) for name, value in (("du", du), ("u", u))
    }
    operands["inverse"] = to.by_feature(inverse, sets.items)
    operands["dx"] = to.new(dx, width=sets.features)
    _emit(to, "normalised_backward", sets, operands, ("dx",), u.size, ())


def _sets(to: Lowering, x: Value, axes: tuple[int, ...]) -> Sets:
    """The sets of rows (R, C), or of images (R, places, groups, C / groups)."""
    channels, known = x.n_features, to.width(x) if x.in_order else 0
    if x.ndim == 4 and axes == (1, 3):
        n, places, groups, width = x.shape
        return Sets(places * groups * width, n, groups, places, width, False)
    if x.ndim != 2 or axes not in ((0,), (1,)):
        raise NotCapturable(f"operation normalised has no form for axes {axes} of {x.shape}")
    features = known if known and known % channels == 0 else channels
    n, places = x.size // features, features // channels
    if axes == (0,):
        return Sets(features, n, channels, places, 1, True)
    return Sets(features, n, places, 1, channels, False)


def _emit(
    to: Lowering, name: str, sets: Sets, operands: dict[str, Any], written: tuple[str, ...],
    size: int, constants: tuple[float, ...],
) -> None:  # fmt: skip
    """The operation: an item's features are its own, and may lie in many places."""
    touched: dict[bool, list[Any]] = {False: [], True: []}
    for key, ref in operands.items():
        bytes_ = ref.buffer.size - ref.offset
        own = bytes_ // sets.items if key == "inverse" or sets.places == 1 else 0
        touched[key in written].append((ref, bytes_, own))
    work = 1.5 * size
    to.emit(
        name, sets.items, operands | sets.operands, touched[False], touched[True], work, constants
    )
