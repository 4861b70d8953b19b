"""Encoding and decoding a few rows at a time by compiled code: one call for a whole network."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from ..core.numerics import all_finite
from ..core.public import numpy_rules
from ..core.threads import usable_cores
from ..data.reader import Reader
from ..models import Model
from ..models.blocks import Batches
from ..optim import Adam
from .describe import why_eager
from .graph import NotCapturable
from .rehearsal import named_parts

if TYPE_CHECKING:
    from .forward import BlockedForward, Forward

Array = np.ndarray

_FLOAT = np.dtype(np.float32)
"""To look whether an array's type is this very object takes a fifth of comparing it."""


def compiled(model: Model, rows: int = 1, threads: int | None = None) -> CompiledModel:
    """A model's `encode` and `decode` as machine code, for so many rows at a time.

    For whoever asks for one row after the other, of a small network, where calls of NumPy take
    longer than arithmetic, or for many rows over and over. Needs Numba or its machine code on disk,
    as training does.

    Parameters
    ----------
    model : Model, in float32 and without a context
        Trained before: what training changes besides weights, such as units, is taken as it is now.
        The weights are shared, not copied.
    rows : int
    threads : int, optional
        The most threads to use, where rows are many; by default all usable cores.

    Returns
    -------
    CompiledModel

    Raises
    ------
    ConfigError
        If the model can't be compiled; what keeps it from that is said.
    """
    rows = whole("rows", rows)
    threads = usable_cores() if threads is None else whole("threads", threads)
    reason = why_eager(model, Adam()) or _why_not(model)
    try:
        if reason is None:
            return CompiledModel(model, rows, threads)
    except NotCapturable as found:
        reason = str(found)
    raise ConfigError(
        f"this model's inference can't be compiled: {reason}. Call encode and decode of the model."
    )


def _why_not(model: Model) -> str | None:
    """What keeps a model's inference from being compiled, if that is known without a try."""
    own = [p for p in named_parts(model).values() if not type(p).__module__.startswith("npvae.")]
    if own:
        return f"{type(own[0]).__name__} is a part of your own, of which Python runs every call"
    if model.context_dim:
        return "it takes a context"
    if type(model).encode is not Model.encode:
        return f"{type(model).__name__} encodes rows in a way of its own"
    return None


class CompiledModel:
    """What `compiled` gives: `encode` and `decode` as the model has them, to rounding.

    Both may be called from several threads, of which one at a time computes.

    Attributes
    ----------
    model : Model
    rows : int
    """

    def __init__(self, model: Model, rows: int, threads: int = 1) -> None:
        from .forward import forward  # which needs what Numba brings

        self.model, self.rows = model, rows
        self._posteriors = forward(_posteriors, model, (rows, model.x_dim), threads)
        self._theta = forward(_theta, model, (rows, model.z_dim), threads)
        self._mean: Forward | BlockedForward | None = None
        if model.units is None:
            with contextlib.suppress(NotCapturable):  # then it is made of theta, by NumPy
                self._mean = forward(_mean, model, (rows, model.z_dim), threads)
        ends = np.cumsum([len(level) for level in self._posteriors.form]).tolist()
        self._levels = [
            (level.posterior.encoded, slice(start, end))
            for level, start, end in zip(model.levels, [0, *ends], ends, strict=False)
        ]

    def encode(self, x: Any) -> Any:
        """What `Model.encode` gives, such as mean and log-variance of q(z given x); x (rows, D)."""
        found = tuple(self._posteriors(self._checked(x)))
        levels = [encoded(found[its]) for encoded, its in self._levels]
        return levels[0] if len(levels) == 1 else levels

    def decode(self, z: Any, take: str = "mean", seed: int = 0) -> Array:
        """The mean of p(x given z), a draw or the mode, as `Model.decode`; z (rows, Z)."""
        z = self._checked_z(z)
        if take == "mean" and self._mean is not None:
            return self._mean(z)[0]
        with numpy_rules():
            return self.model._output(take, seed)(self._theta(z)[0])

    def _checked(self, x: Any) -> Array:
        """x as the encoder takes it; a quick look does for most."""
        model = self.model
        if (
            type(x) is Array
            and x.dtype is _FLOAT
            and x.shape == self._posteriors.shape
            and model.units is None
            and model.likelihood.clearly_supports(x)
        ):
            return x
        with numpy_rules():
            read = Batches(model, x, None)
            return read(self._all_of(len(read), "x"))[0]

    def _checked_z(self, z: Any) -> Array:
        if (
            type(z) is Array
            and z.dtype is _FLOAT
            and z.shape == self._theta.shape
            and all_finite(z)
        ):
            return z
        with numpy_rules():
            reader = Reader(z, self.model.z_dim, np.float32, what="z")
            return reader.checked(self._all_of(len(reader), "z"))

    def _all_of(self, n: int, what: str) -> slice:
        if n != self.rows:
            raise DataError(
                f"this model is compiled for {self.rows} rows at a time; got {what} of {n}. "
                f"Compile it for as many, nv.compiled(model, rows={n}), or call the model itself."
            )
        return slice(0, n)


def _posteriors(model: Any, x: Any) -> Any:
    return model.posteriors(x, None)


def _theta(model: Any, z: Any) -> Any:
    return model.theta(z, None)


def _mean(model: Any, z: Any) -> Any:
    return model.likelihood.mean(model.theta(z, None))
