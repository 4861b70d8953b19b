"""The autoencoder: a code for each row, and no distribution of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, Terms
from ..core.arrays import constant
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.public import public
from .observed import OUT_GAIN, Observed

Array = np.ndarray

_STILL = -200.0
"""A log-variance whose noise is lost beside any number."""


class Autoencoder(Observed):
    """x -> encoder -> z -> decoder -> p(x given z), trained to reconstruct.

    The loss is -log p(x given z), its KL 0. Nothing says how z is distributed: `sample` decodes
    draws of a standard normal, which need not lie where the codes of data do.

    Parameters
    ----------
    x_dim, z_dim : int
        Columns of the data, and numbers in a code.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder has them mirrored.
    noise : float
        Above 0 it is a denoising autoencoder: in training, normal noise of this standard deviation
        is added to what the encoder gets (features of x, standardised where the model does that),
        and what is reconstructed is x without it.
    activation, likelihood, dtype, seed, context_dim, condition, init, scale, missing, standardise,
    schema, inputs, parameters
        As in `VAE`.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, or a name is unknown.

    Source: Vincent, Larochelle, Bengio & Manzagol 2008 (the noise).
    """

    name = "autoencoder"
    has_density = False
    has_kl = False

    def __init__(
        self,
        x_dim: int | None = None,
        z_dim: int | None = None,
        *,
        hidden: Sequence[int] = (400,),
        activation: Any = "relu",
        likelihood: Any = "bernoulli",
        noise: float = 0.0,
        dtype: Any = "float32",
        seed: int = 0,
        context_dim: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        schema: Any = None,
        inputs: Any = None,
        condition: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.z_dim = whole("z_dim", z_dim)
        self.noise = number("noise", noise, least=0)
        self._describe(
            x_dim, hidden, activation, dtype=dtype, seed=seed, context_dim=context_dim, init=init,
            scale=scale, standardise=standardise, schema=schema, condition=condition,
        )  # fmt: skip
        self._observe(likelihood, missing)
        self._build_or_wait(inputs, parameters)

    def _build(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        self._n_inputs = self._build_input(inputs)
        heard = self._heard(self._n_inputs)
        self.encoder = self._mlp(self._n_inputs, self.z_dim, self.hidden, in_gain=heard)
        n_theta = self.likelihood.n_outputs(self.x_dim)
        n_z = self.z_dim + self.context_dim
        self.decoder = self._mlp(n_z, n_theta, self.hidden[::-1], OUT_GAIN, self._heard(n_z))
        self.levels = []
        self._own(self._dtype, self.seed, parameters)

    @property
    def noise_widths(self) -> Sequence[int]:
        """What is drawn is the noise of the encoder's input."""
        return (self._n_inputs if self.noise else 0,)

    def forward(
        self,
        x: Array,
        eps: Array,
        context: Array | None = None,
        needs: Collection[str] = ("log_px", "kl"),
    ) -> tuple[Terms, Any]:
        """What an objective needs of a batch; eps (K, B, I) is noise of the encoder's input."""
        asked = sorted({*needs} - {"log_px", "kl"})
        if asked:
            raise ConfigError(
                f"an autoencoder's code is a point, which has no density; got an objective or a "
                f"measure that asks for {', '.join(asked)}. Take nv.ELBO(), or a nv.VAE."
            )
        z, c_encoder = self.encoder.forward(self._noisy(self._encoder_input(x, context), eps))
        theta, c_decoder = self.decoder.forward(self._joined(z, context))
        log_px, c_likelihood = self._log_px(theta, x)
        return Terms(log_px), (c_encoder, c_decoder, c_likelihood)

    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to their views: the forward's lines, from the last up."""
        c_encoder, c_decoder, c_likelihood = cache
        dtheta, _ = self.likelihood.backward(c_likelihood, d_terms.log_px)
        dz = self.decoder.backward(c_decoder, dtheta)
        if self.context_dim:
            dz = dz[..., : self.z_dim]
        self.encoder.backward(c_encoder, dz, wrt_input=False)

    def _noisy(self, inputs: Array, eps: Array) -> Array:
        """The features with noise, (K, B, I); mask and context stay as they are."""
        if not self.noise:
            return inputs.reshape(1, *inputs.shape)
        logvar = np.full(inputs.shape, _STILL, inputs.dtype)
        logvar[..., : self.likelihood.n_features(self.x_dim)] = 2 * math.log(self.noise)
        noisy, _ = k.reparameterise(inputs, constant(logvar), eps)
        return noisy

    @public
    def encode(self, x: Any, context: Any = None) -> Array:
        """The code of each row, without noise, (N, Z)."""
        return self.centres(x, context)[0]

    @public
    def centres(self, x: Any, context: Any = None) -> list[Array]:
        """The codes, (N, Z), in a list of one."""
        return [code for (code,) in self._encoded(x, context)]

    def posteriors(self, x: Array, context: Array | None) -> list[tuple[Array, ...]]:
        """The codes, which have no distribution."""
        return [(self.encoder.forward(self._encoder_input(x, context))[0],)]

    def drawn_theta(self, x: Array, eps: Any, context: Array | None) -> Array:
        """At the codes, which are no draws, (1, B, ...)."""
        return self.theta(self.posteriors(x, context)[0][0][None], context)

    def draw_z(self, n: int, rng: np.random.Generator, context: Array | None) -> Array:
        return rng.standard_normal((n, self.z_dim)).astype(self.flat.dtype)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(6, 2, hidden=(5,), activation="tanh", noise=0.3, dtype="float64")
        model.flat += 0.1 * rng.normal(size=model.n_params)
        return model, (rng.random((3, 6)), model.draw_noise(3, 2, rng))
