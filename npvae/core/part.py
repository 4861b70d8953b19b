"""The contract of a part."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .errors import ConfigError
from .memory import NARROWER, check_memory
from .registry import Registered, registered

Array = np.ndarray
# Quoted: NumPy loads its generators when they are named, and a trained model needs none.
Init: TypeAlias = "Callable[..., Array]"  # of a generator, a shape, and what it is `given`


class Part(Registered, ABC, abstract=True):
    """A piece of a model with a hand-written forward and backward.

    The contract::

        forward(*inputs)            -> outputs, cache   # what backward needs goes in the cache
        backward(cache, *d_outputs) -> d_inputs         # parameter gradients are added
        example(rng)                -> part, inputs     # a small instance in float64, for the tests

    * A parameter declared as ``W`` is the view ``self.W``, and its gradient is ``self.dW``.
    * The parts that it is made of are attributes, or stand in lists or tuples that are.
    * Forward arguments named in ``data_inputs`` are data or constants: backward returns ``None``
      for them.
    * A part whose forward can't take complex arrays says why in ``not_analytic``. Complex-step
      checks leave it out.

    It is registered (see `Registered`), and thereby found by the gradient tests and by
    ``npvae verify``.
    """

    data_inputs: ClassVar[tuple[str, ...]] = ()
    not_analytic: ClassVar[str] = ""

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        if not abstract and not any("example" in vars(b) for b in cls.__mro__ if b is not Part):
            raise TypeError(
                f"a part needs example(rng) -> (part, inputs), so that its gradient can be proven; "
                f"{cls.__name__} has none. Add the classmethod, or say abstract=True for a base."
            )
        super().__init_subclass__(abstract, **kwargs)

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

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Init, given: tuple[str, ...] = ()
    ) -> None:
        """Declare a parameter; `allocate` or the model that owns this part gives it memory.

        ``init(rng, shape)`` draws its initial value. With `given`, names of parameters that were
        declared before, the initial values of these follow as arguments.
        """
        n = math.prod(shape)
        check_memory(f"one of the parts, {self.name}, of {n:.3g} parameters", 4 * n, NARROWER)
        declared = self.__dict__.get("_declared", {})  # a clone's until then
        self.__dict__["_declared"] = {**declared, name: (shape, init, given)}

    def allocate(self, rng: np.random.Generator, dtype: Any = np.float64) -> Part:
        """Give this part, with all parts inside it, initialised parameters of its own."""
        from .parameters import bind, initialise  # which is about parts

        bind(self, initialise(self, rng, dtype))
        return self


def registered_parts() -> dict[str, type[Part]]:
    """All registered parts by ``family.name``: what has a gradient that can be proven."""
    return {name: cls for name, cls in registered().items() if issubclass(cls, Part)}
