"""Callbacks: called after each epoch as ``callback(model, record)``; returning True stops.

A callback may have more methods. ``begin()`` is called before the first epoch, ``saving(model)``
and ``saved()`` before and after a checkpoint is written, and ``finish(model)`` when training ends.
What ``state()`` gives, a dict of numbers and arrays, the checkpoint keeps; a resumed run hands it
to ``restore(state)``. ``done()`` is asked before the first epoch, since a resumed run may have
ended.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.public import constructor


def call(callback: Any, method: str, *arguments: Any) -> Any:
    """Call a method that a callback may have; gives None if it has not."""
    function = getattr(callback, method, None)
    return function(*arguments) if function is not None else None


class EarlyStopping:
    """Stop when the validation loss has not improved for `patience` epochs; keep the best weights.

    A run that stopped goes on only if it is resumed with a greater `patience`.

    Parameters
    ----------
    patience : int
        Epochs without an improvement to wait.
    min_delta : float
        Nats by which the loss must fall to count as an improvement.

    Attributes
    ----------
    best_loss, best_epoch : the loss and the epoch whose weights the model has after training.
    """

    @constructor
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience = whole("patience", patience)
        self.min_delta = number("min_delta", min_delta, least=0)
        self.begin()

    def begin(self) -> None:
        """Forget an earlier run."""
        self.best_loss = math.inf
        self.best_epoch = 0
        self._waited = 0
        self._weights: np.ndarray | None = None

    def __call__(self, model: Any, record: dict[str, Any]) -> bool:
        loss = record["valid_loss"]
        if loss is None:
            raise ConfigError("EarlyStopping watches the validation loss; pass valid= to fit.")
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch = loss, record["epoch"]
            self._weights = model.flat.copy()
        self._waited = record["epoch"] - self.best_epoch
        return self.done()

    def done(self) -> bool:
        return self._waited >= self.patience

    def finish(self, model: Any) -> None:
        if self._weights is not None:
            model.flat[...] = self._weights

    def state(self) -> dict[str, Any]:
        if self._weights is None:
            return {"waited": self._waited}
        return {
            "waited": self._waited,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "weights": self._weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._waited = whole("epochs waited", state.get("waited", 0), least=0)
        if "weights" in state:
            self.best_loss = number("best_loss", state["best_loss"])
            self.best_epoch = whole("best_epoch", state["best_epoch"])
            self._weights = state["weights"]
