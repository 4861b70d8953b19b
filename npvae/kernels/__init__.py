"""The seam: which kernel set runs an operation.

Parts say ``from .. import kernels as k`` and call ``k.bias_relu(a, b)``. Eager code runs the NumPy
reference, so that inference needs NumPy alone and gives the same bits everywhere; `fit` runs the
compiled twin where numba is installed; `use_kernels` overrides both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from importlib import import_module, util
from types import ModuleType
from typing import Any

from ..errors import ConfigError, MissingDependency, nearest
from . import reference

_MODULES = {"numpy": ".reference", "numba": ".compiled"}

_override: str | None = None
# A context variable, so that a thread that trains leaves eager calls in other threads alone.
_active: ContextVar[ModuleType] = ContextVar("npvae_kernels", default=reference)
_recorder: ContextVar[Any] = ContextVar("npvae_recorder", default=None)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # the import system's own questions
        raise AttributeError(name)
    recorder = _recorder.get()
    if recorder is not None:
        return getattr(recorder, name)
    return getattr(_active.get() if _override is None else _module(_override), name)


def _module(name: str) -> ModuleType:
    if name not in _MODULES:
        raise ConfigError(f"there is no kernel set {name!r}. {nearest(name, _MODULES)}")
    if name == "numba" and not numba_installed():
        raise MissingDependency(
            "the compiled kernels need numba, which is not installed; "
            "install it with: pip install 'npvae[fast]'"
        )
    try:
        return import_module(_MODULES[name], __name__)
    except ImportError as error:
        raise MissingDependency(
            f"numba is installed but can't be imported ({error}); install a version that suits "
            "this NumPy, or train on NumPy with npvae.use_kernels('numpy')"
        ) from error


def numba_installed() -> bool:
    return util.find_spec("numba") is not None


def use_kernels(name: str | None) -> None:
    """Run everything, eager calls and `fit`, on one kernel set.

    Parameters
    ----------
    name : {"numpy", "numba"} or None
        None goes back to the default: eager calls on NumPy, `fit` on numba where it is installed.

    Raises
    ------
    ConfigError
        If there is no such kernel set.
    MissingDependency
        If numba is asked for and not installed.
    """
    global _override
    if name is not None:
        _module(name)
    _override = name


def kernels_in_use() -> str:
    """The kernel set that `fit` trains on: "numpy" or "numba"."""
    return _override or ("numba" if numba_installed() else "numpy")


def eager() -> str:
    """The kernel set that eager calls run on: "numpy", unless `use_kernels` overrides it."""
    return _override or "numpy"


@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Run the block, in this thread, on a kernel set (unless `use_kernels` overrides it)."""
    token = _active.set(_module(name))
    try:
        yield
    finally:
        _active.reset(token)


@contextlib.contextmanager
def recording(recorder: Any) -> Iterator[None]:
    """Send the block's kernel calls, in this thread, to a recorder (or, for None, to no more)."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
