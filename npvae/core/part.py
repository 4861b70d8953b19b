"""The contract of a part, and the registry of parts."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .errors import ConfigError, nearest

Array = np.ndarray
# Quoted: NumPy loads its generators when they are named, and a trained model needs none.
Init: TypeAlias = "Callable[[np.random.Generator, tuple[int, ...]], Array]"

_registry: dict[str, dict[str, type[Part]]] = {}


class Part(ABC):
    """A piece of a model with a hand-written forward and backward.

    The contract::

        forward(*inputs)            -> outputs, cache   # what backward needs goes in the cache
        backward(cache, *d_outputs) -> d_inputs         # parameter gradients are added
        example(rng)                -> part, inputs     # a small instance in float64, for the tests

    * A parameter declared as ``W`` is the view ``self.W``, and its gradient is ``self.dW``.
    * Forward arguments named in ``data_inputs`` are data or constants: backward returns ``None``
      for them.
    * A part whose forward can't take complex arrays says why in ``not_analytic``, and is left out
      of complex-step checks.
    * A constructor's arguments are kept as attributes of the same names, so that `config` can
      read them back.

    A concrete subclass registers itself under its family and name, and is thereby found by the
    gradient tests and by ``npvae verify``. Bases that are no part themselves say ``abstract=True``.
    """

    family: ClassVar[str] = ""
    name: ClassVar[str] = ""
    data_inputs: ClassVar[tuple[str, ...]] = ()
    not_analytic: ClassVar[str] = ""

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if not any("example" in vars(base) for base in cls.__mro__ if base is not Part):
            raise TypeError(
                f"a part needs example(rng) -> (part, inputs), so that its gradient can be proven; "
                f"{cls.__name__} has none. Add the classmethod, or say abstract=True for a base."
            )
        known = _registry.setdefault(cls.family, {})
        other = known.get(cls.name)
        if other is not None and _origin(other) != _origin(cls):
            raise TypeError(
                f"{cls.family or 'part'} names are unique; {cls.name!r} is taken by "
                f"{other.__module__}.{other.__qualname__}. Give {cls.__name__} another `name`."
            )
        known[cls.name] = cls

    @abstractmethod
    def forward(self, *inputs: Any) -> tuple[Any, Any]:
        """(outputs, cache) of the inputs."""

    @abstractmethod
    def backward(self, cache: Any, *d_outputs: Any) -> Any:
        """The gradients of the inputs, given those of the outputs."""

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        """A small instance and float64 inputs for it, away from kinks."""
        raise ConfigError(f"{cls.__name__} has no example; pass a part and its inputs.")

    def parameter(self, name: str, shape: tuple[int, ...], init: Init) -> None:
        """Declare a parameter; `allocate` or the model that owns this part gives it memory."""
        declared = self.__dict__.get("_declared", {})  # a clone's until then
        self.__dict__["_declared"] = {**declared, name: (shape, init)}

    def allocate(self, rng: np.random.Generator, dtype: Any = np.float64) -> Part:
        """Give this part, with all parts inside it, initialised parameters of its own."""
        from .parameters import bind, initialise  # which is about parts

        bind(self, initialise(self, rng, dtype))
        return self

    @property
    def config(self) -> str | dict[str, Any]:
        """What `resolve` rebuilds this part from: its name, with its arguments where it has any."""
        arguments = {p: getattr(self, p) for p in inspect.signature(type(self)).parameters}
        arguments = {p: list(v) if isinstance(v, tuple) else v for p, v in arguments.items()}
        return {"name": self.name, **arguments} if arguments else self.name

    def __repr__(self) -> str:
        arguments = inspect.signature(type(self)).parameters
        return f"{type(self).__name__}({', '.join(f'{a}={getattr(self, a)!r}' for a in arguments)})"


def _origin(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def registered(family: str | None = None) -> dict[str, type[Part]]:
    """All registered parts by ``family.name``, or one family's by name."""
    if family is not None:
        return dict(_registry.get(family, {}))
    return {f"{f}.{n}": cls for f, parts in sorted(_registry.items()) for n, cls in parts.items()}


def resolve(family: str, choice: Any) -> Any:
    """Turn a registered name, a config or a part of that family into a part.

    Raises
    ------
    ConfigError
        If the name is unknown (the nearest known ones are given) or `choice` is something else.
    """
    known = registered(family)
    if isinstance(choice, Part) and choice.family == family:
        return choice
    if isinstance(choice, str):
        choice = {"name": choice}
    if not isinstance(choice, dict) or not isinstance(choice.get("name"), str):
        raise ConfigError(
            f"{family} takes a name or an object of that family; got {choice!r}. "
            f"{nearest('', known)}"
        )
    arguments = dict(choice)
    name = arguments.pop("name")
    if name not in known:
        raise ConfigError(
            f"{family} must be a registered name; got {name!r}. {nearest(name, known)} "
            "(A part of your own is known once the module that defines it is imported.)"
        )
    try:
        return known[name](**arguments)
    except TypeError as error:
        raise ConfigError(f"{family} {name!r} can't be built from {arguments}: {error}.") from error
