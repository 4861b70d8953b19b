"""What config.json may say: what `npvae train` writes, and what could have been typed."""

from __future__ import annotations

from typing import Any

from .train_options import SETTINGS

_NEEDED = ("data", "seed", "epochs", "batch_size", "lr", "objective")
"""Settings that no run is without; the others may be None, or from a later version."""


def wrong_in(config: Any) -> str:
    """What is wrong with the content of a config.json, or ""."""
    if not isinstance(config, dict):
        return "it is no object"
    for name in ("model", "training"):
        if not isinstance(config.get(name), dict):
            return f"{name!r} is missing, or no object"
    return _wrong_setting(config["training"]) or _wrong_form(config)


def _wrong_setting(training: dict[str, Any]) -> str:
    for name in _NEEDED:
        if training.get(name) is None:
            return f"the setting {name!r} is missing"
    for name, value in training.items():
        if name in SETTINGS and not SETTINGS[name].allows(value):
            return f"the setting {name!r} is {value!r:.60}"
    return ""


def _wrong_form(config: dict[str, Any]) -> str:
    """What is wrong with the columns' names or the images' shape."""
    columns, shape = config.get("columns"), config.get("image_shape")
    x_dim = config["model"].get("x_dim")
    if columns is not None and not (_is_list(columns, str) and len(columns) == x_dim):
        return f"'columns' has no name for each of {x_dim!r:.20} columns"
    sides = shape is None or (_is_list(shape, int) and len(shape) in (2, 3) and min(shape) > 0)
    return "" if sides else f"'image_shape' is {shape!r:.60}"


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)
