"""The state of a training run on disk: a model file with all that a resumed run needs beside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from ..core import interrupts
from ..core.errors import ConfigError, ModelFileError
from ..core.losses import LOSSES
from ..core.registry import text
from ..models import Model, storage
from ..optim import AdamState
from .callbacks import call
from .history import History
from .rows import Rows
from .settings import Settings
from .state import check_moments, check_vector, checked

Array = np.ndarray
_Kept: TypeAlias = "tuple[Array, dict[str, Array], dict[str, Any]]"

SMALL = 8 * 2**20
"""Bytes of a checkpoint below which it is written after each epoch, however long that takes."""
SHARE = 10
"""A larger one is written after so many times as long as the last one took."""


class Checkpoint:
    """The file that a run can be resumed from; does nothing for a run that has none.

    A small one is written after each epoch. A large one may take longer to write than an epoch to
    train: it is written where that adds a tenth to the time of training, and when training ends.
    What an epoch left is kept until then, for an end that comes in the middle of the next one.
    """

    def __init__(
        self, model: Model, settings: Settings, rows: Rows, history: History, state: AdamState
    ) -> None:
        self._model, self._settings, self._rows = model, settings, rows
        self._history, self._state = history, state
        self._waiting: _Kept | None = None
        self._written, self._took = 0.0, 0.0

    def keep(self, last: bool) -> None:
        """Keep the run as an epoch left it: on disk, if that was the last or it is time."""
        if self._settings.checkpoint is None:
            return
        arrays, training = self._now()
        size = self._model.flat.nbytes + sum(array.nbytes for array in arrays.values())
        wait = 0.0 if size < SMALL else SHARE * self._took
        if last or time.perf_counter() - self._written >= wait:
            self._waiting = None
            self._write(arrays, training)
        else:
            copies = {name: array.copy() for name, array in arrays.items()}
            self._waiting = self._model.flat.copy(), copies, training

    def close(self) -> None:
        """Write what waits; the model stays as it is."""
        if self._waiting is None:
            return
        (flat, arrays, training), self._waiting = self._waiting, None
        with interrupts.held_back():
            now = self._model.flat.copy()
            self._model.flat[...] = flat
            try:
                self._write(arrays, training)
            finally:
                self._model.flat[...] = now

    def _now(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The arrays beside the model's own, and what the header has of training."""
        arrays = {"training/m": self._state.m, "training/v": self._state.v}
        callbacks = []
        for i, callback in enumerate(self._settings.callbacks):
            kept = dict(call(callback, "state") or {})
            for name in [n for n, value in kept.items() if isinstance(value, np.ndarray)]:
                arrays[f"training/callbacks/{i}/{name}"] = kept.pop(name)
            callbacks.append(kept)
        return arrays, {
            "settings": _shared(self._settings, self._rows),
            "t": self._state.t,
            "records": list(self._history.records),
            "callbacks": callbacks,
        }

    def _write(self, arrays: dict[str, Array], training: dict[str, Any]) -> None:
        began = time.perf_counter()
        for callback in self._settings.callbacks:
            call(callback, "saving", self._model)
        storage.write(self._settings.checkpoint, self._model, {"training": training}, arrays)
        for callback in self._settings.callbacks:
            call(callback, "saved")
        self._written = time.perf_counter()
        self._took = self._written - began


def restore(
    model: Model, settings: Settings, rows: Rows, history: History, state: AdamState
) -> None:
    """Take model, optimiser, history and callbacks to where the checkpoint left them.

    Raises
    ------
    ConfigError
        If it is the checkpoint of another run.
    ModelFileError
        If it can't be read.
    """
    path = settings.checkpoint
    header, arrays = storage.read(path)
    saved = storage.build(header, arrays, f"'{path}'")
    training = header.get("training")
    if not isinstance(training, dict):
        raise ConfigError(
            f"'{path}' holds a model but no state of training; "
            "start anew, or give the file that fit(checkpoint=...) wrote."
        )
    if saved.config != {**model.config, "scale": saved.scale, "seed": saved.seed}:
        raise ConfigError(
            f"'{path}' holds another model than the one to train; build it with "
            "the same arguments, or use another checkpoint."
        )
    training = checked(training, f"'{path}'")
    _check_same(training["settings"], _shared(settings, rows))
    with _altered_where_it_fails(path):
        check_moments(arrays["training/m"], arrays["training/v"], model.n_params)
        state.m[...], state.v[...] = arrays["training/m"], arrays["training/v"]
        state.t = training["t"]
        steps = len(training["records"]) * -(-len(rows) // settings.batch_size)
        if state.t != steps:
            raise ValueError(f"its epochs have {steps} steps, and it counts {state.t}")
        history.records.extend(training["records"])
        for i, (callback, kept) in enumerate(
            zip(settings.callbacks, training["callbacks"], strict=False)
        ):
            prefix = f"training/callbacks/{i}/"
            found = {n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)}
            if "weights" in found:
                check_vector("the best weights", found["weights"], model.n_params)
            call(callback, "restore", {**kept, **found})
    model.flat[...] = saved.flat
    model.scale = saved.scale


def _shared(settings: Settings, rows: Rows) -> dict[str, Any]:
    """What a resumed run must share with the one that it goes on from."""
    return {
        "rows": len(rows),
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "binarise": bool(settings.binarise),
        "losses": list(settings.losses),
        **settings.configs,
        "data": rows.digest,
    }


def _check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    unknown = {name: now[name] for name in ("data", "objective", "optimiser")}
    before = {"binarise": False, "losses": list(LOSSES), **unknown, **before}
    for name, value in now.items():
        if before.get(name) != value:
            one, other = _different(before.get(name), value)
            came = "got others" if name == "data" else f"{one}; got {other}"
            raise ConfigError(
                f"a resumed run needs the same {name} as before, {came}. Start anew to change it."
            )


def _different(before: Any, now: Any) -> list[str]:
    """What differs in two settings, as text: of one object's arguments those alone."""
    pair = [before, now]
    if all(isinstance(v, dict) for v in pair) and before.get("name") == now.get("name"):
        changed = [key for key in now if key not in before or before[key] != now[key]]
        told = [", ".join(f"{k}={text(v[k])}" for k in changed if k in v) for v in pair]
        return [arguments or "one without such arguments" for arguments in told]
    return [_in_words(value) for value in pair]


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value) if isinstance(value, bool) else text(value)


@contextlib.contextmanager
def _altered_where_it_fails(path: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelFileError(
            f"'{path}' is altered: its state of training can't be used ({error}); start anew, or "
            "take another file."
        ) from error
