"""A VAE with several latent levels, each the prior of the one beneath."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..core import LevelTerms, Part, Terms
from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from .inference import INFERENCES, Chain, Seen
from .observed import OUT_GAIN, Observed

Array = np.ndarray

MOST_LEVELS = 100
"""Each has networks of its own; a few words of a model file could ask for more."""


class HierarchicalVAE(Observed):
    """p(x, z) = p(z_L) p(z_{L-1} given z_L) ... p(z_1 given z_2) p(x given z_1).

    Level 1 is next to x. Each p(z_l given z_{l+1}) is a Gaussian whose mean and log-variance a
    network makes of z_{l+1}; p(z_L) is standard normal.

    Parameters
    ----------
    x_dim : int
    z_dims : sequence of int
        Dimensions of each level, the one next to x first.
    hidden : sequence of int
        Widths of the hidden layers of each network; those that go down have them mirrored.
    inference : {"top_down", "bottom_up", "chain"}
        How q is made. "bottom_up": q(z_l given x) for each level by itself, from layers that are
        stacked over each other. "top_down": the same, but each is merged with p(z_l given z_{l+1})
        at the sample z_{l+1}, weighted by precision (the ladder VAE). "chain":
        q(z_1 given x) q(z_2 given z_1) ..., each from the sample beneath; its KL has no closed form
        but at the top.
    encoder, decoder : Layer, optional
        Networks of your own, of convolutions for instance. An encoder maps rows of features of x,
        with the mask and the context beside them where there are any, to as many numbers as it
        likes, on which the hidden layers of level 1 stand. A decoder maps z_1, with the context
        beside it, to what the likelihood takes.
    activation, likelihood, dtype, seed, context_dim, condition, init, scale, missing, standardise,
    schema, inputs, parameters
        As in `VAE`. The context goes to the first network and to the decoder.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, a name is unknown, or a network does not fit.

    Source: Sønderby, Raiko, Maaløe, Sønderby & Winther 2016 ("top_down"); Burda, Grosse &
    Salakhutdinov 2016, section 4 ("chain").
    """

    name = "hierarchical"

    def __init__(
        self,
        x_dim: int | None = None,
        z_dims: Sequence[int] = (32, 16),
        *,
        hidden: Sequence[int] = (400,),
        inference: str = "top_down",
        activation: Any = "relu",
        likelihood: Any = "bernoulli",
        dtype: Any = "float32",
        seed: int = 0,
        context_dim: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        schema: Any = None,
        encoder: Any = None,
        decoder: Any = None,
        inputs: Any = None,
        condition: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.z_dims = _z_dims(z_dims)
        self.z_dim = self.z_dims[0]
        if inference not in INFERENCES:
            raise ConfigError(f"inference is one of {', '.join(INFERENCES)}; got {inference!r}.")
        self.inference = inference
        self._describe(
            x_dim, hidden, activation, dtype=dtype, seed=seed, context_dim=context_dim, init=init,
            scale=scale, standardise=standardise, schema=schema, condition=condition,
        )  # fmt: skip
        self._observe(likelihood, missing)
        self._take_networks(encoder, decoder)
        self._build_or_wait(inputs, parameters)

    def _build(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        n_inputs, back = self._build_input(inputs), self.hidden[::-1]
        self.chain = Chain([self._mlp(above, 2 * z, back) for z, above in pairwise(self.z_dims)])
        first, seen = self._first(n_inputs)
        make = INFERENCES[self.inference]
        self.posterior = make(seen, self.z_dims, self.hidden, self.activation, self.init, first)
        self.levels = self.posterior.levels
        n_theta = self.likelihood.n_outputs(self.x_dim)
        n_z = self.z_dim + self.context_dim
        self.decoder = self._network("decoder", n_z, n_theta, back, OUT_GAIN)
        self._own(self._dtype, self.seed, parameters)

    def _first(self, n_inputs: int) -> tuple[Any, Seen]:
        """The encoder that was given, if it takes what there is, and what comes after it."""
        if "encoder" in self.not_in_config:
            return None, (n_inputs, self._heard(n_inputs))
        if self.encoder.in_shape is None:
            return self.encoder, (n_inputs, self._heard(n_inputs))
        if self.encoder.n_in != n_inputs:
            raise ConfigError(
                f"the encoder of this model maps rows of {n_inputs} numbers; got a network from "
                f"{self.encoder.n_in}. Change its first layer."
            )
        return self.encoder, (self.encoder.n_out, 1.0)

    @property
    def z_widths(self) -> Sequence[int]:
        return self.z_dims

    def forward(
        self,
        x: Array,
        eps: Any,
        context: Array | None = None,
        needs: Collection[str] = ("log_px", "kl"),
    ) -> tuple[Terms, Any]:
        """What an objective needs of a batch; eps is a list of (K, B, Z_l), level 1's first."""
        eps = [eps] if len(self.z_dims) == 1 else eps
        inputs = self._encoder_input(x, context)
        (z, levels), c_levels = self.posterior.forward(inputs, eps, needs, self.chain)
        theta, c_decoder = self.decoder.forward(self._joined(z, context))
        log_px, c_likelihood = self._log_px(theta, x)
        return Terms(log_px, levels), (c_levels, c_decoder, c_likelihood)

    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to their views: the forward's lines, from the last up."""
        c_levels, c_decoder, c_likelihood = cache
        d_levels = d_terms.levels or [LevelTerms() for _ in self.z_dims]
        dtheta, _ = self.likelihood.backward(c_likelihood, d_terms.log_px)
        dz = self.decoder.backward(c_decoder, dtheta)
        if self.context_dim:
            dz = dz[..., : self.z_dim]
        self.posterior.backward(c_levels, dz, d_levels, self.chain)

    @property
    def largest_row(self) -> int:
        return max(self.x_dim, *self.z_dims)

    def posteriors(self, x: Array, context: Array | None) -> list[tuple[Array, ...]]:
        """Each level's q, at the centre of that which it depends on."""
        params: list[tuple[Array, ...]] = self.posterior.centred(
            self._encoder_input(x, context), self.chain
        )
        return params

    def draw_z(self, n: int, rng: np.random.Generator, context: Array | None) -> Array:
        return self._down(n, rng, {})

    def sample(
        self,
        n: int,
        seed: int = 0,
        context: Any = None,
        take: str = "mean",
        fixed: Mapping[int, Any] | None = None,
    ) -> Array:
        """New examples, (n, D): each level drawn given the one above, then `decode`.

        ``fixed={2: z}`` holds level 2, counted from 1 next to x, at z, (Z,) or (n, Z): what then
        varies is what the levels beneath hold. Otherwise as `VAE.sample`.
        """
        if not fixed:
            return super().sample(n, seed, context, take)
        if not isinstance(fixed, Mapping):
            raise DataError(
                f"fixed has a z for each level that is held, as {{2: z}}; got {fixed!r}."
            )
        n, rng = whole("n", n), np.random.default_rng(whole("seed", seed, least=0))
        z = self._down(n, rng, {level: self._fixed(level, z, n) for level, z in fixed.items()})
        return self.decode(z, self._context_of(n, context), take, seed)

    def _fixed(self, level: int, z: Any, n: int) -> Array:
        known = range(1, len(self.z_dims) + 1)
        if level not in known:
            raise DataError(f"levels count from 1, next to x, to {known[-1]}; got {level!r}.")
        z, z_dim = np.atleast_2d(as_array(z, "z")), self.z_dims[level - 1]
        if z.ndim != 2 or z.shape[1] != z_dim or len(z) not in (1, n):
            raise DataError(
                f"level {level} is held at z of shape ({z_dim},) or ({n}, {z_dim}); got {z.shape}."
            )
        return np.repeat(z, n, axis=0) if len(z) < n else z

    def _down(self, n: int, rng: np.random.Generator, fixed: Mapping[int, Array]) -> Array:
        """z_1 (n, Z_1), from the top; every level takes its draws, whether it is held or not."""
        z: Any = None
        for i in reversed(range(len(self.z_dims))):
            inputs = () if z is None else self.chain.forward(i, z)[0]
            drawn = self.levels[i].prior.sample(n, self.z_dims[i], rng, *inputs)
            z = np.asarray(fixed.get(i + 1, drawn), self.flat.dtype)
        return np.asarray(z)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(6, (3, 2), hidden=(5,), activation="tanh", dtype="float64", context_dim=2)
        model.flat += 0.1 * rng.normal(size=model.n_params)
        context = rng.normal(size=(3, 2))
        return model, (rng.random((3, 6)), model.draw_noise(3, 2, rng), context)


def _z_dims(z_dims: Any) -> tuple[int, ...]:
    if isinstance(z_dims, (str, bytes)) or not isinstance(z_dims, (Sequence, np.ndarray)):
        raise ConfigError(
            f"z_dims are the dimensions of each level, such as (32, 16); got {z_dims!r}."
        )
    if not 0 < len(z_dims) <= MOST_LEVELS:
        raise ConfigError(f"a model has 1 to {MOST_LEVELS} levels; got {len(z_dims)}.")
    return tuple(whole("each width in z_dims", z) for z in z_dims)
