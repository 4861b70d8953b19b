"""The seam: which kernel set runs an operation.

Parts say ``from .. import kernels as k`` and call ``k.bias_relu(a, b)``. Eager code runs the NumPy
reference, so that inference needs NumPy alone and gives the same bits everywhere; `fit` runs the
compiled twin where numba is installed; `use_kernels` overrides both.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from importlib import import_module, util
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, MissingDependency, nearest
from . import reference

_MODULES = {"numpy": ".reference", "numba": ".compiled"}

_override: ModuleType | None = None
# A context variable, so that a thread that trains leaves eager calls in other threads alone.
_active: ContextVar[ModuleType] = ContextVar("npvae_kernels", default=reference)
_recorder: ContextVar[Any] = ContextVar("npvae_recorder", default=None)


class _Seam(ModuleType):
    """This module's class: each kernel is a property, whose value is what runs it here and now.

    ``__getattr__`` would do as well, but Python asks it only after a search that failed: for a
    single row a model would then spend twice the time of its matrix products on finding them.
    """


def _chosen(name: str) -> property:
    return property(lambda seam: getattr(_recorder.get() or _override or _active.get(), name))


for _name, _value in vars(reference).items():
    if isinstance(_value, FunctionType) and _value.__module__.startswith(reference.__name__):
        setattr(_Seam, _name, _chosen(_name))
sys.modules[__name__].__class__ = _Seam

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


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
    _override = None if name is None else _module(name)


def kernels_in_use() -> str:
    """The kernel set that `fit` trains on: "numpy" or "numba"."""
    if _override is None:
        return "numba" if numba_installed() else "numpy"
    return eager()


def eager() -> str:
    """The kernel set that eager calls run on: "numpy", unless `use_kernels` overrides it."""
    return "numpy" if _override in (None, reference) else "numba"


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
