"""Sizes of images, as arguments say them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .checks import whole
from .errors import ConfigError

Two = tuple[int, int]
Image = tuple[int, int, int]


def two(what: str, value: Any, least: int = 1) -> Two:
    """A whole number for height and width each, of one or two."""
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2:
        raise ConfigError(f"{what} is a whole number or two, for height and width; got {value!r}.")
    height, width = (whole(what, one, least) for one in pair)
    return height, width


def image(what: str, value: Any, may_be_grey: bool = False) -> Image:
    """(height, width, channels), as whole numbers; of grey images the channels may be left out."""
    if may_be_grey and isinstance(value, (list, tuple)) and len(value) == 2:
        value = (*value, 1)
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ConfigError(f"{what} is (height, width, channels); got {value!r}.")
    height, width, channels = (whole(what, one) for one in value)
    return height, width, channels


def by(size: Iterable[int]) -> str:
    """Sizes as people write them."""
    return " × ".join(map(str, size))
