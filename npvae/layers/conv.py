"""Convolutions of images, and their transposes."""

from __future__ import annotations

import math
from abc import abstractmethod
from itertools import product
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, resolve
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.image_shapes import Image, Two, by, image, two
from ..kernels.conv import conv_size
from .activation import Identity
from .init import initialiser, zeros
from .layer import Layer

Array = np.ndarray


class Window(Layer, abstract=True):
    """Base of the layers whose weight goes over an image.

    Parameters
    ----------
    in_shape : (height, width, channels) of the images that come in
    channels : int, of those that go out
    kernel, stride, padding, dilation : int or (int, int)
        For height and width: how many taps the weight has, how far apart the window's places are,
        how many zeros stand around the image, and how far apart the taps are.
    groups : int
        Into which the channels are divided; a group's outputs see its inputs alone. As many as
        there are channels: a depthwise convolution.
    activation : str or Activation
    init : str
        The weight's initialiser (see `init.py`). Biases start at 0.
    gain : float
        What the initial weights are multiplied by, besides the activation's own gain.
    bias : {"channel", "pixel"}
        Whether all pixels of a channel share a bias, or each has its own: where something stands
        in an image is then known from the start, as for an output that begins at the mean image.

    Raises
    ------
    ConfigError
        If a number is none of these, or the window does not fit in the image.
    """

    W: Array
    b: Array
    dW: Array
    db: Array
    in_shape: Image
    out_shape: Image

    def _describe(
        self,
        in_shape: Any,
        channels: Any,
        kernel: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: Any,
        activation: Any,
        init: str,
        gain: float,
        bias: str,
    ) -> None:
        self.in_shape = image(self._its("in_shape"), in_shape)
        self.channels = whole(self._its("channels"), channels)
        self.kernel = two(self._its("kernel"), kernel)
        self.stride = two(self._its("stride"), stride)
        self.padding = two(self._its("padding"), padding, least=0)
        self.dilation = two(self._its("dilation"), dilation)
        self.groups = whole(self._its("groups"), groups)
        if self.in_shape[2] % self.groups or self.channels % self.groups:
            raise ConfigError(
                f"{self._its('groups')} divide its channels in equal parts; got {self.groups} for "
                f"{self.in_shape[2]} channels in and {self.channels} out."
            )
        self.activation = resolve("activation", activation)
        self.init, self.gain = init, number(self._its("gain"), gain)
        self.bias = bias
        if bias not in ("channel", "pixel"):
            raise ConfigError(f"{self._its('bias')} is 'channel' or 'pixel'; got {bias!r}.")

    def _its(self, argument: str) -> str:
        return f"{type(self).__name__}'s {argument}"

    def _declare(self, n_out: int, n_in: int, fans: tuple[int, ...], spread: float = 1.0) -> None:
        """The weight (n_out, kernel, n_in / groups), drawn like one of the shape `fans`."""
        draw, shape = initialiser(self.init), (n_out, *self.kernel, n_in)
        gain = spread * self.gain * self.activation.gain
        turned = fans != shape

        def first(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
            values = gain * draw(rng, fans)
            return values.transpose(3, 1, 2, 0) if turned else values

        self.parameter("W", shape, first)
        own = self.channels if self.bias == "channel" else self.n_out
        self.parameter("b", (own,), zeros)

    @property
    def _axes(self) -> tuple[Two, Two, Two, Two, Two]:
        """For height and width: `conv_size`'s arguments."""
        return self.in_shape[:2], self.kernel, self.stride, self.padding, self.dilation

    @property
    def _window(self) -> tuple[Two, Two, Two, int]:
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def output_bias(self) -> Array | None:
        return self.b if isinstance(self.activation, Identity) else None

    @abstractmethod
    def _through(self, images: Array) -> Array:
        """a (R, *out_shape) of images (R, *in_shape)."""

    @abstractmethod
    def _weight_gradient(self, da: Array, images: Array) -> Array:
        """dW, summed over rows and places."""

    @abstractmethod
    def _back(self, da: Array) -> Array:
        """The gradient of the images."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        images = x.reshape(-1, *self.in_shape)
        a = self._through(images).reshape(-1, self.b.size)
        h, saved = self.activation.forward(a, self.b)
        return h.reshape(*x.shape[:-1], self.n_out), (images, saved, x.shape)

    def backward(self, cache: Any, dh: Array, wrt_input: bool = True) -> Array | None:
        images, saved, x_shape = cache
        da, db = self.activation.backward(saved, dh.reshape(-1, self.b.size))
        da = da.reshape(-1, *self.out_shape)
        self.dW += self._weight_gradient(da, images)
        self.db += db
        return self._back(da).reshape(x_shape) if wrt_input else None


class Conv2d(Window):
    """h = f(x * W + b): each output is the product of a weight and what a window sees of x.

    With a = x * W, of which a_yxo = Σ_ijc W_oijc x_{sy - p + di, sx - p + dj, c} where p zeros
    stand around the image, and da, db as the activation gives them (activation.py):

      (1) ∂a_yxo/∂W_oijc = x_{sy-p+di, sx-p+dj, c}
          ->  dW_oijc = Σ_yx da_yxo x_{sy-p+di, sx-p+dj, c}, summed over rows too
      (2) ∂a_yxo/∂x_uvc = Σ W_oijc over the taps with sy - p + di = u and sx - p + dj = v
          ->  dx_uvc = Σ_o Σ W_oijc da_yxo over the same taps and places: each da goes back to
              where its taps were. This is the convolution's transpose.
      (3) db_o = Σ_yx da_yxo, summed over rows too; of a pixel's own bias, over rows alone

    Shapes: x (..., H·W·C) and h (..., H'·W'·O), images with their channels last;
    W (O, kh, kw, C / groups), b (O,) or (H'·W'·O,); H' = ⌊(H + 2p - d (kh - 1) - 1) / s⌋ + 1.
    Source: LeCun et al. 1989; Dumoulin & Visin 2016 for the arithmetic of the sizes.
    """

    __doc__ = f"{__doc__}\n{Window.__doc__}"

    def __init__(
        self,
        in_shape: Any,
        channels: int,
        kernel: Any = 3,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        activation: Any = "identity",
        init: str = "glorot_uniform",
        gain: float = 1.0,
        bias: str = "channel",
    ) -> None:
        self._describe(
            in_shape, channels, kernel, stride, padding, dilation, groups, activation, init, gain,
            bias,
        )  # fmt: skip
        axes = zip(*self._axes, strict=True)
        height, width = (conv_size(*axis) for axis in axes)
        if min(height, width) < 1:
            padded = [n + 2 * p for n, _, _, p, _ in zip(*self._axes, strict=True)]
            spans = [d * (t - 1) + 1 for t, d in zip(self.kernel, self.dilation, strict=True)]
            raise ConfigError(
                f"{self._its('window')} lies inside the padded image; got one of {by(spans)} for "
                f"an image of {by(padded)}. Take a smaller kernel, or more padding."
            )
        self.out_shape = (height, width, self.channels)
        n_in = self.in_shape[2] // self.groups
        self._declare(self.channels, n_in, (self.channels, *self.kernel, n_in))

    def _through(self, images: Array) -> Array:
        return k.conv2d(images, self.W, *self._window)

    def _weight_gradient(self, da: Array, images: Array) -> Array:
        return k.conv2d_dw(da, images, self.kernel, *self._window)  # (1)

    def _back(self, da: Array) -> Array:
        return k.conv2d_dx(da, self.W, self.in_shape[:2], *self._window)  # (2)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((5, 4, 4), 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, "tanh")
        part.allocate(rng)
        part.b += rng.normal(size=6)
        return part, (rng.normal(size=(2, 3, part.n_in)),)


class ConvTranspose2d(Window):
    """h = f(x *ᵀ W + b): each input puts its multiple of a weight where a window stands.

    The transpose of the convolution with W that makes images like x of images like h. Write
    ⟨a, x * W⟩ as the form T(a, W, x) = Σ a_yxo W_oijc x_{sy-p+di, sx-p+dj, c} of `Conv2d`; here
    the first of its factors comes in, and a is ∂T/∂x:

      (1) a = ∂T(x, W, ·)         ->  x *ᵀ W, step (2) of Conv2d
      (2) ⟨da, a⟩ = T(x, W, da)   ->  dx = ∂T/∂x = da * W, the convolution
      (3)                         ->  dW = ∂T/∂W, step (1) of Conv2d, with x for the gradient there
                                      and da for the image
      (4) db_c = Σ da over rows and places; of a pixel's own bias, over rows alone

    Shapes: x (..., H·W·C) and h (..., H'·W'·O); W (C, kh, kw, O / groups), b (O,) or
    (H'·W'·O,); H' = s (H - 1) + d (kh - 1) + 1 - 2p + output padding.
    Source: Zeiler et al. 2010; Dumoulin & Visin 2016.
    """

    __doc__ = (
        f"{__doc__}\n{Window.__doc__}"
        """
    output_padding : int or (int, int)
        Lines that the output has below and on the right besides: below the stride, since as many
        sizes have a convolution of the same size.
    """
    )

    def __init__(
        self,
        in_shape: Any,
        channels: int,
        kernel: Any = 3,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        activation: Any = "identity",
        init: str = "glorot_uniform",
        gain: float = 1.0,
        bias: str = "channel",
    ) -> None:
        self._describe(
            in_shape, channels, kernel, stride, padding, dilation, groups, activation, init, gain,
            bias,
        )  # fmt: skip
        self.output_padding = two(self._its("output_padding"), output_padding, least=0)
        if any(o >= s for o, s in zip(self.output_padding, self.stride, strict=True)):
            raise ConfigError(
                f"{self._its('output_padding')} is smaller than its stride; got "
                f"{self.output_padding} for a stride of {self.stride}."
            )
        axes = zip(*self._axes, self.output_padding, strict=True)
        size = [s * (n - 1) + d * (t - 1) + 1 - 2 * p + o for n, t, s, p, d, o in axes]
        if min(size) < 1:
            raise ConfigError(
                f"{self._its('padding')} leaves something of the image; got {self.padding}, by "
                f"which it has {by(size)}. Take less of it."
            )
        self.out_shape = (size[0], size[1], self.channels)
        n_in, n_out = self.in_shape[2], self.channels // self.groups
        # Of the taps one in so many meets an output, whose variance is to be as with all of them.
        apart = math.sqrt(math.prod(self.stride))
        self._declare(n_in, n_out, (n_out, *self.kernel, n_in), apart)

    def hint(self, wanted: tuple[int, ...]) -> str:
        """Which output padding gives images of the wanted shape, or of as many numbers."""
        base = [n - o for n, o in zip(self.out_shape, self.output_padding, strict=False)]
        for more in product(*map(range, self.stride)):
            size = tuple(n + o for n, o in zip(base, more, strict=True))
            shape = (*size, self.channels)
            if wanted in (shape, (math.prod(shape),)):
                return f"output_padding={more} makes its ConvTranspose2d give {by(shape)}."
        return ""

    def _through(self, images: Array) -> Array:
        return k.conv2d_dx(images, self.W, self.out_shape[:2], *self._window)  # (1)

    def _weight_gradient(self, da: Array, images: Array) -> Array:
        return k.conv2d_dw(images, da, self.kernel, *self._window)  # (3)

    def _back(self, da: Array) -> Array:
        return k.conv2d(da, self.W, *self._window)  # (2)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((2, 3, 4), 2, (3, 2), (2, 1), (1, 0), (1, 0), (1, 2), 2, "tanh")
        part.allocate(rng)
        part.b += rng.normal(size=2)
        return part, (rng.normal(size=(2, 3, part.n_in)),)
