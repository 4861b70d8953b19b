"""What all models share: parameters in one flat vector, a config, checked input, the gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from .. import likelihoods, posteriors, priors  # noqa: F401  (their names get registered)
from ..core import Objective, Part, Terms, bind, clone, initialise, layout, n_parameters
from ..core.checks import row_weights
from ..core.errors import ConfigError, DataError, ModelFileError
from ..data.reader import Reader
from ..data.units import Units

Array = np.ndarray
AnyModel = TypeVar("AnyModel", bound="Model")

START_ROWS = 1000
"""How many rows a model can start from, besides their mean."""


class Model(Part, abstract=True):
    """Base of the models: a part that owns the memory of all parts in it.

    ``forward(x, eps, context, needs) -> Terms, cache`` and ``backward(cache, d_terms)``, which
    adds to the gradient views that `with_gradients` binds.

    Attributes
    ----------
    flat : (n_params,) array
        All parameters; every part's weights are views into it.
    scale : float or None
        What integer input is divided by; `fit` sets it.
    units : Units or None
        By which columns are standardised; `fit` finds them where ``standardise`` is True.
    missing : "mask" or None
        Whether NaN in x is an entry that is missing, or an error.
    """

    family = "model"
    not_in_config = ("parameters",)
    flat: Array
    x_dim: int
    z_dim: int
    context_dim: int
    scale: float | None
    likelihood: Any
    units: Units | None = None
    missing: str | None = None

    @abstractmethod
    def forward(
        self, x: Any, eps: Any, context: Any = None, needs: Collection[str] = ("log_px", "kl")
    ) -> tuple[Terms, Any]:
        """(terms, cache): what an objective needs of a batch."""

    @abstractmethod
    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to the views that `with_gradients` bound."""

    @abstractmethod
    def start_from(self, mean: Array, n: int, rows: Array, context: Array | None = None) -> None:
        """Begin training, unless it was trained before, from the mean (D,) of n rows.

        The mean is that of the entries that are known; `rows` are some of the rows, (at most
        `START_ROWS`, D), with their context.
        """

    @abstractmethod
    def draw_noise(self, batch: int, n_samples: int, rng: np.random.Generator) -> Any:
        """The standard normal noise that `forward` takes."""

    @abstractmethod
    def check_noise(self, eps: Any, batch: int) -> Any:
        """The user's noise as `forward` takes it, or `DataError`."""

    def _own(self, dtype: Any, seed: int, parameters: Mapping[str, Array] | None) -> None:
        """Take memory for the parameters; called last in a model's constructor."""
        dtype = _floating(dtype)
        if parameters is None:
            rng = np.random.default_rng(seed)
            try:
                self._hold(initialise(self, rng, dtype))
            except (MemoryError, ValueError, OverflowError) as error:
                raise ConfigError(
                    f"a model of {n_parameters(self):.3g} parameters is more than this machine's "
                    "memory holds; take fewer columns, or narrower hidden layers."
                ) from error
            return
        _check_parameters(self, parameters)
        slots = layout(self)
        flat = np.empty(sum(slot.size for slot in slots.values()), dtype)
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
    def standardise(self) -> Any:
        """Mean and scale of each column, as a dict, or whether `fit` is to find them."""
        return False

    @property
    def largest_row(self) -> int:
        """Numbers that the largest array of a forward has per sample and row, roughly."""
        return self.x_dim

    @property
    def n_params(self) -> int:
        """How many numbers all parameters hold together."""
        return self.flat.size

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON can hold them: ``type(model)(**model.config)``."""
        return self.arguments

    def __repr__(self) -> str:
        config = {n: v for n, v in self.config.items() if n not in ("dtype", "seed", "schema")}
        if self.units is not None:
            config["standardise"] = True  # not the numbers of every column
        arguments = ", ".join(f"{name}={value!r}" for name, value in config.items())
        return f"{type(self).__name__}({arguments}): {self.n_params:,} parameters, {self.dtype}"

    @property
    def dtype(self) -> str:
        return self.flat.dtype.name

    def astype(self: AnyModel, dtype: Any) -> AnyModel:
        """A copy of the model with its parameters in another type, float64 to prove gradients."""
        twin = clone(self)
        twin._hold(self.flat.astype(dtype))
        return twin

    def copy(self: AnyModel) -> AnyModel:
        """A model of the same parts and values that shares no memory with this one."""
        return self.astype(self.flat.dtype)

    def __deepcopy__(self: AnyModel, memo: Any) -> AnyModel:
        return self.copy()  # the general way would copy each view apart from the vector

    def with_gradients(self: AnyModel, d_flat: Array) -> AnyModel:
        """A twin on the same parameter memory whose backward adds into `d_flat`."""
        twin = clone(self)
        twin._hold(self.flat)
        bind(twin, d_flat, prefix="d")
        return twin

    def reader(self, x: Any, what: str = "x") -> Reader:
        """`x` as batches as this model takes them; raises `DataError` for a wrong form."""
        missing = self.missing is not None
        return Reader(x, self.x_dim, self.flat.real.dtype, self.scale, what, self.units, missing)

    def context_reader(self, context: Any, n: int) -> Reader | None:
        """The same for the context of n rows; None where the model takes none."""
        if context is None and self.context_dim == 0:
            return None
        if self.context_dim == 0:
            raise DataError(
                f"this model takes no context; got one of shape {np.shape(context)}. "
                "Build it with context_dim= to condition on something."
            )
        if context is None:
            raise DataError(
                f"this model needs a context of shape ({n}, {self.context_dim}); got none. "
                "Pass context=."
            )
        reader = Reader(context, self.context_dim, self.flat.real.dtype, what="context")
        if len(reader) != n:
            raise DataError(
                f"context needs one row for each of the {n} examples; got {len(reader)} rows."
            )
        return reader

    def batches(
        self, x: Any, context: Any, support: bool = True
    ) -> Iterator[tuple[Array, Array | None]]:
        """Checked batches that cover x in order, each with its context."""
        reader = self.reader(x)
        contexts = self.context_reader(context, len(reader.array))
        for rows in reader.chunks():
            batch = reader.batch(rows)
            if not (support and self.likelihood.clearly_supports(batch)):
                reader.check(batch, rows)
                if support:
                    self.likelihood.check(batch)
            yield batch, None if contexts is None else contexts.checked(rows)


def value_and_grad(
    model: Model,
    objective: Objective,
    x: Any,
    eps: Any,
    context: Any = None,
    weights: Any = None,
) -> tuple[float, dict[str, Array]]:
    """The loss of one batch and its gradient with respect to every parameter.

    Pure: the model is left as it is, and the gradients are copies.

    Parameters
    ----------
    model : Model
    objective : ELBO, IWAE, ...
        A schedule in it is taken at its end.
    x : (B, D) array
    eps : (K, B, Z) array
        The noise, as ``model.draw_noise(B, K, rng)`` gives it.
    context : (B, C) array, optional
    weights : (B,) array, optional
        What each row's loss is multiplied by, as they are: 0 or more, and not all 0.

    Returns
    -------
    loss : float
        Nats per example: the mean over the batch.
    gradients : dict
        ``{name: array}``, of the shapes of ``model.params``.
    """
    reader = model.reader(x)
    contexts = model.context_reader(context, len(reader))
    everything = slice(0, len(reader))
    eps = model.check_noise(eps, len(reader))
    gradient = np.zeros_like(model.flat)
    twin = model.with_gradients(gradient)
    terms, cache = twin.forward(
        reader.checked(everything),
        eps,
        None if contexts is None else contexts.checked(everything),
        needs=objective.needs,
    )
    if weights is not None:
        terms.weights = row_weights(weights, len(reader))
    losses, d_terms = objective(terms)
    twin.backward(cache, d_terms)
    return float(losses.loss), {n: s.view(gradient).copy() for n, s in layout(twin).items()}


def _floating(dtype: Any) -> np.dtype:
    try:
        resolved = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        resolved = np.dtype(object)
    if dtype is None or resolved not in (np.float32, np.float64):
        raise ConfigError(f"dtype is 'float32' or 'float64'; got {dtype!r}.")
    return resolved


def _check_parameters(model: Model, parameters: Mapping[str, Array]) -> None:
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
