"""The convolutional variational autoencoder, of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core import Part
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.image_shapes import Image, by, image, two
from ..data.units import Units
from ..layers import Beside, Conv2d, ConvTranspose2d, Dense, Sequential, Stacked, Unstacked
from ..likelihoods import Mixed
from .vae import VAE

Array = np.ndarray


class ConvVAE(VAE):
    """A VAE whose encoder and decoder are convolutional.

    The encoder halves height and width once for each number in `channels`, which is how many
    channels the image then has, and ends in dense layers; the decoder is its mirror image. An odd
    height comes back by an output padding of the decoder's. Rows are images, height · width ·
    channels numbers in this order; all else is as in `VAE`, of which this is one with the networks
    ``encoder`` and ``decoder`` made for images.

    Parameters
    ----------
    image_shape : (height, width, channels), or (height, width) of grey images
    z_dim : int
    channels : sequence of int
        Of the image after each convolution.
    kernel : int or (int, int)
        Height and width of the convolutions' weights: even numbers, 4 or so.
    hidden : sequence of int
        Widths of dense layers between the image and z; the decoder has them mirrored.
    activation, likelihood, posterior, prior, dtype, seed, context_dim, init, scale, missing,
    standardise, inputs, condition, tilt, parameters
        As in `VAE`. A context comes in beside what the convolutions make of the image, and beside
        z; a mask as channels of the image.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, if the image is too small to be halved so often,
        or if pixels do not have the same likelihood.

    Source: Kingma & Welling 2014; Radford, Metz & Chintala 2016 for the networks.
    """

    name = "conv"

    def __init__(
        self,
        image_shape: Any,
        z_dim: int | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        kernel: Any = 4,
        hidden: Sequence[int] = (),
        activation: Any = "relu",
        likelihood: Any = "bernoulli",
        posterior: Any = "gaussian",
        prior: Any = None,
        dtype: Any = "float32",
        seed: int = 0,
        context_dim: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        inputs: Any = None,
        condition: Any = None,
        tilt: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.image_shape = image("ConvVAE's image_shape", image_shape, may_be_grey=True)
        self.channels = _channels(channels, self.image_shape)
        self.kernel = two("ConvVAE's kernel", kernel, least=2)
        if any(taps % 2 for taps in self.kernel):
            raise ConfigError(
                f"ConvVAE's kernel is even, so that it halves an image; got {by(self.kernel)}."
            )
        image_size = self.image_shape[:2]
        if any(taps > 2 * n for taps, n in zip(self.kernel, image_size, strict=True)):
            raise ConfigError(
                f"ConvVAE's kernel is at most twice as large as the image; got {by(self.kernel)} "
                f"for one of {by(image_size)}."
            )
        super().__init__(
            math.prod(self.image_shape), z_dim, hidden=hidden, activation=activation,
            likelihood=likelihood, posterior=posterior, prior=prior, dtype=dtype, seed=seed,
            context_dim=context_dim, init=init, scale=scale, missing=missing,
            standardise=standardise, inputs=inputs, condition=condition, tilt=tilt,
            parameters=parameters,
        )  # fmt: skip

    def _usual_network(
        self, what: str, n_in: int, n_out: int, hidden: Sequence[int], gain: float
    ) -> Any:
        if what == "encoder":
            return self._encoder(n_out)
        # A logit has far to go from the mean image's: with small weights MNIST's digits stay there
        # for hundreds of steps, or for good. In units of real pixels small ones generalise better.
        return self._decoder(n_in, n_out, 1.0 if self.likelihood.unit_interval else gain)

    def _encoder(self, n_out: int) -> Sequential:
        if isinstance(self.likelihood, Mixed):
            raise ConfigError(
                "a convolution treats all pixels alike, and 'mixed' has a likelihood for each "
                "group of them. Take one for all."
            )
        size, first = self.image_shape[:2], self._planes(self.likelihood.n_features(self.x_dim))
        masked = (first, self.image_shape[2]) if self.missing else (first,)
        layers: list[Any] = [Stacked(size, masked)] if self.missing else []
        shape: Image = (*size, sum(masked))
        for channels in self.channels:
            layers.append(Conv2d(shape, channels, activation=self.activation, **self._halving))
            shape = layers[-1].out_shape
        n_in = math.prod(shape) + self.context_dim
        if self.context_dim:
            layers = [Beside(Sequential(layers), self.context_dim)]
        return Sequential(
            [*layers, *self._mlp(n_in, n_out, self.hidden, 1.0, self._heard(n_in)).layers]
        )

    def _decoder(self, n_in: int, n_out: int, gain: float) -> Sequential:
        """Through the encoder's shapes, from the last to the image's."""
        shapes, given = self._shapes(), self._planes(n_out)
        layers: list[Any] = []
        heard: Any = self._heard(n_in)
        for width in (*self.hidden[::-1], math.prod(shapes[-1])):
            layers.append(Dense(n_in, width, self.activation, self.init, heard))
            n_in, heard = width, 1.0
        for i in reversed(range(1, len(shapes))):
            height, width, channels = shapes[i - 1]
            inner = dict(channels=channels, activation=self.activation)
            how = inner if i > 1 else dict(channels=given, gain=gain, bias="pixel")
            how |= dict(output_padding=(height % 2, width % 2), **self._halving)
            layers.append(ConvTranspose2d(shapes[i], **how))
        channels = self.image_shape[2]
        if given > channels and not self.likelihood.side_by_side:
            layers.append(Unstacked(self.image_shape[:2], (channels,) * (given // channels)))
        return Sequential(layers)

    def _shapes(self) -> list[Image]:
        """The image's, and that after each convolution."""
        shapes = [self.image_shape]
        for channels in self.channels:
            height, width, _ = shapes[-1]
            shapes.append((height // 2, width // 2, channels))
        return shapes

    @property
    def _halving(self) -> dict[str, Any]:
        """How a convolution halves an image: of height H it makes ⌊H / 2⌋."""
        padding = self.kernel[0] // 2 - 1, self.kernel[1] // 2 - 1
        return dict(kernel=self.kernel, stride=2, padding=padding, init=self.init)

    def _planes(self, numbers: int) -> int:
        """The channels of an image of so many numbers."""
        pixels = self.image_shape[0] * self.image_shape[1]
        if numbers % self.x_dim:
            raise ConfigError(
                f"a convolution treats all pixels alike, and {self.likelihood.name!r} has "
                f"{numbers} numbers for {pixels} of them. Take one that is the same for each."
            )
        return numbers // pixels

    def _input_units(self, inputs: Array) -> Units | None:
        """One mean and one scale for all pixels, where they are large.

        How many there are does not matter here, since a window sees few of them.
        """
        usual = self.likelihood.usual(self.x_dim)
        features = np.asarray(inputs[:, : len(usual)], np.float64)
        if np.sqrt(np.nanmean(np.square(features))) <= usual.min():
            return None
        mean, scale = np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])
        mean[: len(usual)] = np.nanmean(features)
        scale[: len(usual)] = np.nanstd(features) or 1.0
        return Units(mean, scale)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(
            (5, 4, 1), 2, channels=(2, 2), kernel=(4, 2), activation="tanh", dtype="float64",
            context_dim=1,
        )  # fmt: skip
        model.flat += 0.1 * rng.normal(size=model.n_params)  # biases too
        context = rng.normal(size=(3, 1))
        return model, (rng.random((3, 20)), model.draw_noise(3, 2, rng), context)


def _channels(given: Any, shape: Image) -> tuple[int, ...]:
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(f"ConvVAE's channels are numbers such as (32, 64); got {given!r}.")
    most = min(shape[:2]).bit_length() - 1
    if len(given) > most:
        raise ConfigError(
            f"ConvVAE halves an image once for each of its channels, and one of {by(shape[:2])} "
            f"can be halved {most} times; got channels {tuple(given)}. Take fewer."
        )
    return tuple(whole("each of ConvVAE's channels", one) for one in given)
