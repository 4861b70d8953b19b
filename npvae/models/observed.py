"""What models of rows share: what their networks see of x and of a context."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import clone, initialise, resolve
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..data.conditions import Labels, as_condition
from ..data.units import Units
from ..layers import Concat, mlp
from ..layers.layer import as_layer
from .base import Model
from .owner import CALIBRATED, floating

Array = np.ndarray

OUT_GAIN = 0.1
"""What the decoder's last weights start multiplied by, so that it starts near the mean that its
bias gives, whatever z is. On MNIST that is worth 0.5 nats after ten epochs (docs/training.md)."""


class Observed(Model, abstract=True):
    """A model of rows x under a likelihood.

    Its constructor calls `_describe`, then `_observe`, and in the end `_build_or_wait`, which calls
    the model's own `_build` as soon as x_dim is known. That begins with `_build_input` and ends
    with `_own`.

    Attributes
    ----------
    condition : Condition or None
        What a context is, if it is more than rows of context_dim numbers.
    inputs : Units or None
        By which the encoder's inputs are standardised.
    """

    inputs: Units | None
    encoder: Any
    decoder: Any
    later = dict.fromkeys(("inputs", "condition", *CALIBRATED))

    def _describe(
        self,
        x_dim: int | None,
        hidden: Sequence[int],
        activation: Any,
        *,
        dtype: Any,
        seed: int,
        context_dim: int,
        init: str,
        scale: float | None,
        standardise: Any,
        schema: Any,
        condition: Any = None,
    ) -> None:
        """Check and keep what says nothing of the latent."""
        self.schema = None if schema is None else _schema(schema)
        self.x_dim: Any = _x_dim(x_dim, self.schema)
        self.hidden = tuple(whole("each width in hidden", width) for width in _widths(hidden))
        self.condition = None if condition is None else _condition(condition)
        self.context_dim = _context_dim(context_dim, self.condition)
        self.seed = whole("seed", seed, least=0)
        self.init = init
        self.scale = None if scale is None else number("scale", scale, above=0)
        self.activation = resolve("activation", activation)
        self._dtype = floating(dtype)
        self._standardise = standardise
        self.units = self.inputs = None

    def _observe(self, likelihood: Any, missing: str | None) -> None:
        self.likelihood = clone(resolve("likelihood", likelihood))
        self.missing = _missing(missing, self.likelihood)

    def _build_or_wait(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        """Build, unless the first fit is to find x_dim."""
        if self.x_dim is not None:
            self._build(inputs, parameters)
        elif isinstance(self._standardise, dict) or inputs is not None or parameters is not None:
            raise ConfigError(
                "units and parameters belong to columns; give x_dim too, or leave them to fit."
            )

    @abstractmethod
    def _build(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        """Make all that depends on x_dim, in the end the parameters."""

    def _build_input(self, inputs: Any) -> int:
        """Make what lies between x and the first network; how many numbers a row of it has."""
        self.likelihood.declare(self.x_dim)
        self._standardise, self.units = _units(self._standardise, self.likelihood, self.x_dim)
        self.join = Concat()
        n_own = self.likelihood.n_features(self.x_dim) + (self.x_dim if self.missing else 0)
        self.inputs = None if inputs is None else Units.given(inputs, n_own, "inputs")
        return n_own + self.context_dim

    def _take_networks(self, encoder: Any, decoder: Any) -> None:
        """Copies of those that are given; hidden, activation and init describe the others."""
        for name, network in (("encoder", encoder), ("decoder", decoder)):
            if network is None:
                self.not_in_config = (*self.not_in_config, name)
            else:
                setattr(self, name, clone(as_layer(network)))

    def _network(
        self, what: str, n_in: int, n_out: int, hidden: Sequence[int], gain: float = 1.0
    ) -> Any:
        """The network that was given, if its sizes are right; else one of the model's kind."""
        if what in self.not_in_config:
            return self._usual_network(what, n_in, n_out, hidden, gain)
        network = getattr(self, what)
        free = network.in_shape is None
        if n_in != n_out if free else (network.n_in, network.n_out) != (n_in, n_out):
            came = "any size to the same" if free else f"{network.n_in} to {network.n_out}"
            hint = network.hint((n_out,)) or "Change its first or its last layer."
            raise ConfigError(
                f"the {what} of this model maps rows of {n_in} numbers to rows of {n_out}; got "
                f"a network from {came}. {hint}"
            )
        return network

    def _usual_network(
        self, what: str, n_in: int, n_out: int, hidden: Sequence[int], gain: float
    ) -> Any:
        """The network that the model has where none was given: here, of dense layers."""
        return self._mlp(n_in, n_out, hidden, gain, self._heard(n_in))

    def _mlp(
        self, n_in: int, n_out: int, hidden: Sequence[int], gain: float = 1.0, in_gain: Any = 1.0
    ) -> Any:
        return mlp(n_in, hidden, n_out, self.activation, self.init, gain, in_gain)

    def _heard(self, n_in: int) -> Any:
        """The gain of first weights, or (n_in,) of them, a context's last: labels start loud.

        A label is one 1 among zeros, and x or z beside it are many numbers: with weights drawn
        alike little is heard of it. Then z tells the class too, and a z drawn from p(z) contradicts
        the label. So a label starts as loud as all n numbers beside it: √n (docs/training.md).
        """
        if not isinstance(self.condition, Labels):
            return 1.0
        gain, beside = np.ones(n_in), n_in - self.context_dim
        gain[beside:] = math.sqrt(beside)
        return gain

    def _log_px(self, theta: Array, x: Array) -> tuple[Array, Any]:
        return log_px_in(self.units, self.likelihood, theta, x)

    def start_from(self, mean: Array, n: int, rows: Array, context: Array | None = None) -> None:
        """Set the output's bias and what else starts from data, unless it was trained before.

        And what the encoder's inputs are standardised by, where it can't take them as they are.
        """
        bias = self.decoder.output_bias
        untrained = self._is_as_initialised() if bias is None else not bias.any()
        if untrained and self.inputs is None:
            self.inputs = self._input_units(self._inputs(rows))
        self._start_latent(self._encoder_input(rows, context))
        if not untrained:
            return
        self.likelihood.start_from(rows)
        start = self.likelihood.output_bias(mean, n)
        if start is not None and bias is not None:
            bias[...] = start.reshape(-1, bias.size).mean(0)

    def _input_units(self, inputs: Array) -> Units | None:
        """By which these features, with the mask if there is one, are standardised."""
        usual = self.likelihood.usual(self.x_dim)
        mask = np.full(inputs.shape[1] - len(usual), np.inf)
        return Units.of_inputs(inputs, np.concatenate([usual, mask]))

    def _is_as_initialised(self) -> bool:
        """Whether all parameters are those that the seed gives."""
        rng = np.random.default_rng(self.seed)
        return np.array_equal(self.flat, initialise(self, rng, self.flat.dtype))

    def _start_latent(self, inputs: Array) -> None:
        """Begin training from some rows of the encoder's input, unless trained before."""
        return

    def theta(self, z: Array, context: Array | None) -> Array:
        theta: Array = self.decoder.forward(self._joined(z, context))[0]
        return theta

    @property
    def standardise(self) -> Any:
        return self._standardise if self.units is None else self.units.config

    def _encoder_input(self, x: Array, context: Array | None) -> Array:
        """The features of x, with a mask of what is known where some may be missing, and c."""
        inputs = self._inputs(x)
        if self.inputs is not None:
            inputs = k.standardised(inputs, self.inputs.mean, self.inputs.scale)
        return self._joined(k.filled(inputs) if self.missing else inputs, context)

    def _inputs(self, x: Array) -> Array:
        """The features, NaN where x is missing, and the mask."""
        features = self.likelihood.features(x)
        return k.concat(features, k.known(x)) if self.missing else features

    def _joined(self, a: Array, context: Array | None) -> Array:
        return a if context is None else self.join.forward(a, context)[0]


def log_px_in(units: Units | None, likelihood: Any, theta: Array, x: Array) -> tuple[Array, Any]:
    """log p(x given theta), (K, B), in the units of x, and the likelihood's cache."""
    log_px, cache = likelihood.forward(theta, x)
    return in_units(units, log_px, x), cache


def in_units(units: Units | None, log_px: Array, x: Array) -> Array:
    """log p of standardised x, (K, B), as that of x: a shift, on which no gradient depends."""
    return log_px if units is None else k.in_units(log_px, x, units.log_scale)


def _missing(missing: Any, likelihood: Any) -> str | None:
    if missing not in (None, "mask"):
        raise ConfigError(f"missing is None or 'mask'; got {missing!r}.")
    if missing and not likelihood.takes_missing:
        raise ConfigError(
            f"missing='mask' needs a likelihood that leaves NaN out; {likelihood.name!r} does not "
            "say that it does. Set takes_missing = True in its class, once its log p and gradients "
            "are 0 where x is NaN."
        )
    return missing


def _units(standardise: Any, likelihood: Any, x_dim: int) -> tuple[bool, Units | None]:
    """Whether `fit` is to find the units, and those that were given."""
    if not isinstance(standardise, (bool, np.bool_)):
        return False, Units.given(standardise, x_dim)
    if standardise and not likelihood.real_columns(x_dim).any():
        raise ConfigError(
            f"standardise=True needs columns of real numbers; {likelihood.name} has none. "
            "Leave it out, or take a likelihood such as GaussianColumnScale()."
        )
    return bool(standardise), None


def _schema(schema: Any) -> Any:
    from ..tables import Schema  # here, since most models have none

    return Schema.of(schema)


def _condition(condition: Any) -> Any:
    if isinstance(condition, dict):
        from .. import tables  # noqa: F401  (whose conditions get registered)

    return as_condition(condition)


def _x_dim(x_dim: Any, schema: Any) -> int | None:
    """The number of columns, if it is given or a schema says it."""
    found = None if schema is None else len(schema.modelled)
    if x_dim is None:
        return found
    if found not in (None, whole("x_dim", x_dim)):
        raise ConfigError(
            f"the model of a table needs {found} columns, as many as its schema; got x_dim {x_dim}."
        )
    return whole("x_dim", x_dim)


def _widths(hidden: Any) -> list[Any]:
    if isinstance(hidden, (str, bytes)) or not isinstance(hidden, Iterable):
        raise ConfigError(f"hidden is a sequence of widths such as (400,); got {hidden!r}.")
    return list(hidden)


def _context_dim(context_dim: Any, condition: Any) -> int:
    width = whole("context_dim", context_dim, least=0)
    if condition is None:
        return width
    if width not in (0, condition.width):
        raise ConfigError(
            f"{condition!r} has {condition.width} numbers for each example, and context_dim says "
            f"{width}; leave context_dim out."
        )
    return int(condition.width)
