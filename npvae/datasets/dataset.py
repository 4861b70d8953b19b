"""What a reader returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


# eq=False: comparing arrays field by field would raise.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, and what their file says about them.

    Attributes
    ----------
    x : array (N, D)
        One example per row, images flattened, in the file's own number type: uint8 stays uint8,
        and a ``.npy`` file stays a read-only memory map.
    y : array (N,) or None
        One label per row, where the file has labels.
    image_shape : (H, W), (H, W, 3) or None
        The shape of a row as a grey image or a colour image.
    columns : list of D str, or None
        The names of the columns.
    context : (N, C) or (N,) array, or None
        What a conditional model is given of each row; no reader fills it.
    """

    x: Array
    y: Array | None = None
    image_shape: tuple[int, int] | tuple[int, int, int] | None = None
    columns: list[str] | None = None
    context: Array | None = None
