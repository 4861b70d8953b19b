"""Parameters in one flat vector, owned by the part at the root of a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..core import Part, bind, clone, initialise, layout, n_parameters
from ..core.aliases import call_meant
from ..core.errors import ConfigError, ModelFileError, NotFitted
from ..core.memory import NARROWER
from ..core.parameters import flat_vector

Array = np.ndarray
AnyOwner = TypeVar("AnyOwner", bound="Owner")

CALIBRATED = ("tilt", "linear", "neighbours", "functions", "widths", "redraws")
"""Entries of a model's config that `calibrate` finds."""


class Owner(Part, abstract=True):
    """A part that owns the memory of all parts in it.

    Attributes
    ----------
    flat : (n_params,) array
        All parameters; every part's weights are views into it.
    """

    not_in_config: tuple[str, ...] = ("parameters",)
    not_in_text = ("schema", "inputs", "condition", *CALIBRATED, "parameters")
    flat: Array
    _dtype: np.dtype
    _awaited: tuple[str, ...] = ("flat", "_params")
    """Attributes that a model has from the time on when it is built."""

    @property
    def is_built(self) -> bool:
        """Whether there are parameters: not before the first fit if that is to find their sizes."""
        return "flat" in vars(self)

    if not TYPE_CHECKING:  # mypy would take every attribute for one that there is

        def __getattr__(self, name: str) -> Any:
            cls = type(self)
            given = name in cls._awaited or isinstance(getattr(cls, name, None), property)
            if given and not self.is_built:
                raise NotFitted(
                    f"this {cls.__name__} finds x_dim, and with it its parameters, at its first "
                    "fit; fit it before, or give x_dim when you build it."
                )
            hint = call_meant(name)
            raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}{hint}")

    def _own(self, dtype: Any, seed: int, parameters: Mapping[str, Array] | None) -> None:
        """Take memory for the parameters; called last in a model's constructor."""
        dtype = floating(dtype)
        if parameters is None:
            rng = np.random.default_rng(seed)
            try:
                self._hold(initialise(self, rng, dtype))
            except ConfigError:
                raise
            except (MemoryError, ValueError, OverflowError) as error:
                raise ConfigError(
                    f"a model of {n_parameters(self):.3g} parameters takes more memory than there "
                    f"is; {NARROWER}."
                ) from error
            return
        _check_parameters(self, parameters)
        slots = layout(self)
        flat = flat_vector(sum(slot.size for slot in slots.values()), dtype)
        for name, slot in slots.items():
            slot.view(flat)[...] = parameters[name]
        self._hold(flat)

    def _hold(self, flat: Array) -> None:
        self.flat = flat
        self._params = bind(self, flat)

    @property
    def params(self) -> dict[str, Array]:
        """Every parameter by its name: views, so writing to one changes the model."""
        return dict(self._params)

    @property
    def n_params(self) -> int:
        """How many numbers all parameters hold together."""
        return self.flat.size

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON can hold them: ``type(model)(**model.config)``."""
        return self.arguments

    @property
    def dtype(self) -> str:
        return (self.flat.dtype if self.is_built else self._dtype).name

    def astype(self: AnyOwner, dtype: Any) -> AnyOwner:
        """A copy of the model with its parameters in another type, float64 to prove gradients."""
        if not self.is_built:
            return _rebuilt(type(self), {**self.config, "dtype": dtype}, None)
        twin = clone(self)
        flat = flat_vector(self.n_params, dtype)
        flat[...] = self.flat
        twin._hold(flat)
        return twin

    def copy(self: AnyOwner) -> AnyOwner:
        """A model of the same parts and values that shares no memory with this one."""
        return self.astype(self.dtype)

    # Views into the vector would be copied apart from it in the general ways of doing these.
    def __deepcopy__(self: AnyOwner, memo: Any) -> AnyOwner:
        return self.copy()

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.config, self.params if self.is_built else None)

    def with_gradients(self: AnyOwner, d_flat: Array) -> AnyOwner:
        """A twin on the same parameter memory whose backward adds into `d_flat`."""
        twin = clone(self)
        twin._hold(self.flat)
        bind(twin, d_flat, prefix="d")
        return twin


def _rebuilt(cls: type[Owner], config: dict[str, Any], parameters: Any) -> Any:
    make: Any = cls  # Owner itself has no constructor
    return make(**config, parameters=parameters)


def floating(dtype: Any) -> np.dtype:
    """The type of parameters; raises `ConfigError` for others than the two."""
    try:
        resolved = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        resolved = np.dtype(object)
    if dtype is None or resolved not in (np.float32, np.float64):
        raise ConfigError(f"dtype is 'float32' or 'float64'; got {dtype!r}.")
    return resolved


def _check_parameters(model: Owner, parameters: Mapping[str, Array]) -> None:
    slots = layout(model)
    for name, slot in slots.items():
        if name not in parameters:
            raise ModelFileError(f"this model has a parameter {name!r}, which was not given.")
        if parameters[name].shape != slot.shape:
            raise ModelFileError(
                f"parameter {name!r} needs shape {slot.shape}; got {parameters[name].shape}."
            )
    unknown = sorted(set(parameters) - set(slots))
    if unknown:
        raise ModelFileError(f"this model has no parameter {unknown[0]!r}, which was given.")
