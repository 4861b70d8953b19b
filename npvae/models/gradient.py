"""The loss of a batch and its gradient, as a function of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import layout
from ..core.checks import row_weights
from ..core.public import public
from ..layers.mode import relaxing
from .base import Model
from .labels import labels_or_context

Array = np.ndarray


@public
def value_and_grad(
    model: Model,
    objective: Any,
    x: Any,
    eps: Any,
    context: Any = None,
    weights: Any = None,
    y: Any = None,
) -> tuple[float, dict[str, Array]]:
    """The loss of one batch and its gradient with respect to every parameter.

    Pure: the model is left as it is, and the gradients are copies. Latent codes are relaxed, as in
    training.

    Parameters
    ----------
    model : Model
    objective : Objective, str or dict
        ``ELBO(beta=2)``, say, or ``"elbo:beta=2"``. A schedule in it is taken at its end.
    x : (B, D) array
    eps : (K, B, Z) array
        The noise, as ``model.draw_noise(B, K, rng)`` gives it.
    context : (B, C) array, optional
    weights : (B,) array, optional
        Each row's loss is multiplied by its weight: 0 or more, and not all 0.
    y : (B,) array, optional
        Labels for a model that predicts them, -1 where one is not known.

    Returns
    -------
    loss : float
        Nats per example: the mean over the batch.
    gradients : dict
        ``{name: array}``, of the shapes of ``model.params``.

    Raises
    ------
    DataError
        If x, eps, a context, weights or labels have another form than the model takes.
    ConfigError
        If the objective and the model do not fit.
    """
    from ..core.objective import names_of, values_of  # which inference does without
    from ..objectives import as_objective

    objective = as_objective(objective)
    context = labels_or_context(model, y, context)
    reader = model.reader(x)
    contexts = model.context_reader(context, len(reader))
    everything = slice(0, len(reader))
    eps = model.check_noise(eps, len(reader))
    gradient = np.zeros_like(model.flat)
    twin = model.with_gradients(gradient)
    with relaxing():
        terms, cache = twin.forward(
            reader.checked(everything),
            eps,
            None if contexts is None else contexts.checked(everything),
            needs=objective.needs,
        )
    if weights is not None:
        terms.weights = row_weights(weights, len(reader))
    losses, d_terms = objective(terms)
    twin.backward(cache, d_terms)
    loss = values_of(objective, losses, names_of(objective))[0]
    return float(loss), {n: s.view(gradient).copy() for n, s in layout(twin).items()}
