"""Whether `fit` captures its steps for compiled code, or runs kernel after kernel on NumPy."""

from __future__ import annotations

from importlib import import_module, util

from ..core import interrupts
from ..core.errors import ConfigError, MissingDependency, nearest

_NAMES = ("numba", "numpy")

_chosen: str | None = None


def numba_installed() -> bool:
    return util.find_spec("numba") is not None


def use_kernels(name: str | None) -> None:
    """Choose what `fit` trains on.

    Everything else, inference and gradient checks, is NumPy's in any case.

    Parameters
    ----------
    name : {"numba", "numpy"} or None
        "numba" captures the training step once and replays it in compiled code, where that can be
        done (float32, npvae's Adam); "numpy" calls kernel after kernel. None goes back to the
        default: "numba" where it is installed.

    Raises
    ------
    ConfigError
        If there is no such kernel set.
    MissingDependency
        If numba is asked for and not installed, or can't be imported.
    """
    global _chosen
    if name is not None and name not in _NAMES:
        raise ConfigError(f"there is no kernel set {name!r}{nearest(name, _NAMES)}")
    if name == "numba":
        _check_numba()
    _chosen = name


def kernels_in_use() -> str:
    """What `fit` trains on: "numpy" or "numba"."""
    return _chosen or ("numba" if numba_installed() else "numpy")


def _check_numba() -> None:
    if not numba_installed():
        raise MissingDependency(
            "captured training steps need numba, which is not installed; "
            "install it with: pip install numba"
        )
    try:
        with interrupts.held_back():
            import_module("numba")
    except ImportError as error:
        raise MissingDependency(
            f"numba is installed but can't be imported ({error}); install a version that suits "
            "this NumPy, or train on NumPy with npvae.use_kernels('numpy')"
        ) from error
