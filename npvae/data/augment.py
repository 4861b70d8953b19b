"""Images turned into others like them, at each visit of a row: ``nv.fit(batch_transform=...)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.checks import whole
from ..core.image_shapes import image

Array = np.ndarray


class Flip:
    """Every image is its mirror image, left to right, with probability ½.

    Parameters
    ----------
    image_shape : (height, width) or (height, width, channels), of the rows
    """

    def __init__(self, image_shape: Any) -> None:
        self.image_shape = image("Flip's image_shape", image_shape, may_be_grey=True)

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        images = x.reshape(-1, *self.image_shape)
        turned = rng.random(len(images)) < 0.5
        flipped: Array = np.where(turned[:, None, None, None], images[:, :, ::-1], images)
        return flipped.reshape(x.shape)


class Shift:
    """Every image is shifted by whole pixels, down and across; its edge is repeated behind it.

    Parameters
    ----------
    image_shape : (height, width) or (height, width, channels), of the rows
    most : int
        The most pixels along each axis; every number up to it is as likely.
    """

    def __init__(self, image_shape: Any, most: int = 2) -> None:
        self.image_shape = image("Shift's image_shape", image_shape, may_be_grey=True)
        self.most = whole("Shift's most", most)

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        height, width, _ = self.image_shape
        images = x.reshape(-1, *self.image_shape)
        down, across = rng.integers(-self.most, self.most + 1, (2, len(images), 1))
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - across, 0, width - 1)
        n = np.arange(len(images))[:, None, None]
        shifted: Array = images[n, rows[:, :, None], columns[:, None, :]]
        return shifted.reshape(x.shape)
