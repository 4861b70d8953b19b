"""Arrays from whatever holds numbers: lists, data frames, other libraries' arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DataError

Array = np.ndarray


def as_array(x: Any, what: str) -> Array:
    """x as a plain array; a memory-mapped file stays on disk, subclasses lose their own rules.

    Data frames and series of numbers and booleans become arrays of the type that holds all of
    them, with NaN where a value is missing.

    Raises
    ------
    DataError
        If x is sparse, has masked gaps, has columns that are no numbers, or is no array at all;
        `what` is what the error calls it.
    """
    if type(x) is np.ndarray:
        return x
    if hasattr(x, "toarray") or hasattr(x, "todense"):
        call = "toarray" if hasattr(x, "toarray") else "todense"
        raise DataError(f"{what} can't be sparse; got a {type(x).__name__}. Pass {what}.{call}().")
    if np.ma.is_masked(x) or (isinstance(x, (list, tuple)) and any(map(np.ma.is_masked, x))):
        fix = "Drop such rows or fill them in; with NaN, if the model has missing='mask'."
        if what == "weights":
            fix = "Fill them in: weights.filled(0) leaves such rows out."
        raise DataError(f"{what} can't have gaps; got a masked array with gaps. {fix}")
    try:
        array = np.asarray(x)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{what} needs rows of one length; got a list that has others.") from error
    except (TypeError, RuntimeError) as error:  # of torch: its sentence says what to call
        raise DataError(f"{what} can't be read as an array: {error}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        fix = f"Pass {what}.collect()." if hasattr(x, "collect") else "Pass an array of numbers."
        raise DataError(f"{what} needs numbers; got a {type(x).__name__} object. {fix}")
    if array.dtype.kind not in "fuib" and hasattr(x, "to_numpy"):
        return _from_frame(x, array, what)
    return array


def constant(array: Array) -> Array:
    """The array, which nobody can write to from now on: a recorded step holds it as it is."""
    array.flags.writeable = False
    return array


def _from_frame(frame: Any, array: Array, what: str) -> Array:
    """The numbers of a data frame or series that NumPy makes objects of, or dates."""
    dtypes = [frame.dtype] if hasattr(frame, "dtype") else list(frame.dtypes)
    others = [i for i, dtype in enumerate(dtypes) if not _is_numeric(dtype)]
    if others:
        names = [repr(c) for c in getattr(frame, "columns", [getattr(frame, "name", None)])]
        shown = ", ".join(f"{names[i]} ({dtypes[i]})" for i in others[:5])
        more = " and more" if len(others) > 5 else ""
        cast = "astype" if hasattr(frame, "isna") else "cast"
        raise DataError(
            f"{what} can hold numbers alone; got columns of other types: {shown}{more}. If they "
            f"are numbers, pass {what}.{cast}(float). Text, labels and dates are for a table's "
            f"model: table = nv.tables.read({what}); nv.VAE(z_dim=4, **table.schema.options())."
        )
    if not hasattr(frame, "isna"):  # polars, where what is missing is None
        return array.astype(np.float64)
    common = np.result_type(*(getattr(dtype, "numpy_dtype", dtype) for dtype in dtypes))
    if common.kind != "f" and np.any(frame.isna()):
        common = np.dtype(np.float64)
    missing = {"na_value": np.nan} if common.kind == "f" else {}
    return np.asarray(frame.to_numpy(dtype=common, **missing))


def _is_numeric(dtype: Any) -> bool:
    """Whether a column's type, of pandas or of polars, is one of numbers or booleans."""
    if hasattr(dtype, "is_numeric"):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "fuib"


def check_numbers(array: Array, what: str) -> None:
    """Raise `DataError`, with what to do, unless the array's type is one of real numbers."""
    kind = array.dtype.kind
    if kind in "fuib":
        return
    fix = {
        "M": f"Count from a day, such as ({what} - {what}.min()) / np.timedelta64(1, 'D').",
        "m": f"Say in which unit, such as {what} / np.timedelta64(1, 'D').",
        "c": f"Pass {what}.real, or real and imaginary parts as columns of their own.",
        "V": "Pass numpy.lib.recfunctions.structured_to_unstructured of it.",
        "O": f"If they are numbers, pass {what}.astype(float). ",
    }.get(kind, "")
    if kind in "OUST":
        fix += "Turn categories and text into numbers first."
    raise DataError(f"{what} needs numbers; got an array of {array.dtype}. {fix}")
