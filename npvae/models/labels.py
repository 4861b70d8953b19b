"""Labels that a model predicts, as `fit` and `value_and_grad` take them."""

from __future__ import annotations

from typing import Any

from ..core.errors import ConfigError


def labels_or_context(model: Any, y: Any, context: Any) -> Any:
    """The context that labels y are; raises `ConfigError` where the model predicts none."""
    if y is None:
        return context
    if not model.predicts:
        raise ConfigError(
            f"y are labels for a model that predicts them; {type(model).__name__} predicts none. "
            "Take nv.SemiSupervisedVAE, or condition=nv.Labels(...) and context=y."
        )
    if context is not None:
        raise ConfigError("y and context are the labels of one model twice; give one of the two.")
    return y
