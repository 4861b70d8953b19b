"""What every public function does beside its work."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .aliases import explain

Function = TypeVar("Function", bound=Callable[..., Any])


def numpy_rules() -> np.errstate:
    """NumPy's own rules of floating point errors, but for overflows, which results show as inf."""
    return np.errstate(divide="warn", over="ignore", under="ignore", invalid="warn")


def public(function: Function) -> Function:
    """Compute by NumPy's rules of floating point errors, not the caller's, and explain keywords.

    Whoever has said ``np.seterr(all="raise")`` gets the results of all others; and a keyword that
    is another library's word is answered with npvae's.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with numpy_rules():
            try:
                return function(*args, **kwargs)
            except TypeError:
                explain(function, None, kwargs)
                raise

    return call  # type: ignore[return-value]


def constructor(function: Function) -> Function:
    """A constructor that explains keywords as `public` does."""

    @functools.wraps(function)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            function(self, *args, **kwargs)
        except TypeError:
            explain(function, self, kwargs)
            raise

    return construct  # type: ignore[return-value]
