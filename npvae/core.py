"""The contract of a part, the registry of parts, the flat parameter vector, and Terms."""

from __future__ import annotations

import copy
import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import numpy as np

from .errors import ConfigError, nearest
from .numerics import wide

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


class Slot(NamedTuple):
    """Where one parameter lives: in which part, under which attribute, where in the vector."""

    part: Part
    attribute: str
    start: int
    shape: tuple[int, ...]
    init: Init

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def view(self, flat: Array) -> Array:
        return flat[self.start : self.start + self.size].reshape(self.shape)


def children(part: Part) -> Iterator[tuple[str, Part]]:
    """The parts that `part` holds, in the order in which its attributes were set."""
    for attribute, value in vars(part).items():
        if isinstance(value, Part):
            yield attribute, value
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if isinstance(item, Part):
                    yield f"{attribute}.{i}", item


def layout(root: Part) -> dict[str, Slot]:
    """Every parameter under `root`: ``{"encoder.layers.0.W": slot}``, in the vector's order.

    A part that is held in several places is one part, named by the first of them.
    """
    slots: dict[str, Slot] = {}
    seen: set[int] = set()

    def visit(part: Part, prefix: str, start: int) -> int:
        if id(part) in seen:
            return start
        seen.add(id(part))
        for name, (shape, init) in getattr(part, "_declared", {}).items():
            slot = slots[prefix + name] = Slot(part, name, start, shape, init)
            start += slot.size
        for name, child in children(part):
            start = visit(child, f"{prefix}{name}.", start)
        return start

    visit(root, "", 0)
    return slots


def n_parameters(root: Part) -> int:
    """How many numbers the parameters under `root` hold; nothing is allocated for the answer."""
    return sum(slot.size for slot in layout(root).values())


def initialise(root: Part, rng: np.random.Generator, dtype: Any) -> Array:
    """A new flat vector with every parameter's initial value, drawn in float64 in layout order."""
    slots = layout(root).values()
    flat = np.empty(sum(slot.size for slot in slots), dtype)
    for slot in slots:
        slot.view(flat)[...] = slot.init(rng, slot.shape)
    return flat


def bind(root: Part, flat: Array, prefix: str = "") -> dict[str, Array]:
    """Set every parameter's attribute, ``prefix + name``, to its view into `flat`.

    With ``prefix="d"`` and a vector of gradients it is ``part.dW`` that is set. Returns the views
    by their full names.
    """
    views = {}
    for name, slot in layout(root).items():
        views[name] = slot.view(flat)
        setattr(slot.part, prefix + slot.attribute, views[name])
    return views


def clone(part: Any, _done: dict[int, Any] | None = None) -> Any:
    """A copy of the tree of parts, to be bound to other vectors than the original."""
    done = {} if _done is None else _done
    if id(part) in done:
        return done[id(part)]
    twin = done[id(part)] = copy.copy(part)
    for attribute, value in vars(part).items():
        if isinstance(value, Part):
            setattr(twin, attribute, clone(value, done))
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Part) for item in value):
            items = [clone(item, done) if isinstance(item, Part) else item for item in value]
            setattr(twin, attribute, type(value)(items))
    return twin


@dataclass
class Terms:
    """What a model says of a batch, or (as ``d_terms``) the gradient with respect to that.

    Nats. B batch, K samples, Z latent; the lists have one entry per latent level. A model fills
    what the objective's ``needs`` name, an objective gives the gradients of what was filled. For
    "kl", a model whose prior has no closed form of it fills log_pz and log_qz instead, of which it
    is the mean difference.

    Attributes
    ----------
    log_px : (K, B), log p(x given z)
    kl : list of (K or 1, B, Z), closed-form KL(q(z given x) ‖ p(z)) per latent dimension
    log_pz, log_qz : lists of (K, B), the densities of the sampled z
    z : list of (K, B, Z)
    posterior : list of tuples, the posterior's parameters, each (B, Z)
    weights : (B,) or None, how much each row counts in the losses; whoever has the batch sets it
    """

    log_px: Any = None
    kl: list[Any] = field(default_factory=list)
    log_pz: list[Any] = field(default_factory=list)
    log_qz: list[Any] = field(default_factory=list)
    z: list[Any] = field(default_factory=list)
    posterior: list[Any] = field(default_factory=list)
    weights: Any = None

    @property
    def kl_per_row(self) -> Any:
        """KL(q(z given x) ‖ p(z)) of each row, (K or 1, B): log_qz - log_pz where it is sampled."""
        if self.kl:
            return sum(level.sum(-1, dtype=wide(level.dtype)) for level in self.kl)
        return sum(self.log_qz) - sum(self.log_pz)


class Objective(Protocol):
    """What training needs of an objective; see `objectives.py`."""

    needs: tuple[str, ...]
    n_samples: int
    beta: Callable[[float], float]

    def __call__(self, terms: Terms, epoch: float = ...) -> tuple[Any, Terms]: ...
