"""Models on disk: one .npz of plain arrays, a JSON header and a format version; never pickle.

A file holds ``npvae.json`` (format, model name, config, and what a caller adds) and one array per
parameter, ``params/<name>.npy``, stored and not compressed. So no header can make `load` take more
memory than the file has bytes, and ``np.load`` reads the arrays without npvae.

The config is that of `core.registry`: parts in parts by family and name. `load` builds what is
registered and nothing else; a class of your own is known once its module is imported.

Formats:

* 2: a config may hold networks, and any part the parts that it is made of.
* 1: only likelihoods of groups of columns hold parts. It is read as format 2 is.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import IO, Any

import numpy as np

from ..core import registered
from ..core.errors import ConfigError, ModelFileError, nearest
from ..core.files import replacing, sweep_beside
from ..core.numerics import all_finite
from ..core.public import public
from . import Model
from .owner import CALIBRATED

Array = np.ndarray

FORMAT = 2
MODEL = "model.npz"
"""The model's file in a run folder."""
HEADER = "npvae.json"

_LONGEST_CONFIG = 10_000, 200
"""Characters, and characters more for each array in the file, as networks have arrays. Far more
than any model's has, and little enough that building it takes neither long nor much memory."""

_LEAST_BOUND = 1000
"""A model may have so many columns, however few numbers its file holds."""

_BY_COLUMN = ("standardise", "inputs", "schema", "likelihood", *CALIBRATED)
"""Entries of a config that may be dicts, which grow with the table and are as quick to use."""


@public
def save(model: Model, path: Any) -> None:
    """Write a model to `path`: to a temporary file beside it, flushed to disk, then renamed.

    Equal models give equal bytes.

    Parameters
    ----------
    model : Model
    path : str, path, or a binary file that is open for writing

    Raises
    ------
    WriteError
        If the folder is missing or can't be written; what was at `path` is then untouched.
    ConfigError
        If a weight is NaN or infinite, or the model's config is longer than `load` takes.
    """
    write(path, model, {}, {})
    if not hasattr(path, "write"):
        sweep_beside(path)


@public
def load(source: Any) -> Any:
    """Read a model from a path, from bytes or from a binary file object.

    The path is that of the file, or of a folder that holds a ``model.npz``, as a run folder does.

    Parameters
    ----------
    source : str, path, bytes or binary file

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If it is no file, no npvae model, is cut short or altered, or is of a newer format.
    """
    source = _model_in(source)
    header, arrays = read(source)
    return build(header, arrays, _label(source))


def _model_in(source: Any) -> Any:
    """The model's file for a folder, anything else as it is."""
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return source
    file = os.path.join(source, MODEL)
    if not os.path.exists(file):
        raise ModelFileError(
            f"'{os.fspath(source)}' holds no {MODEL}; give a folder that `npvae train` wrote, or "
            "the path of a model file."
        )
    return file


def write(
    path: Any, model: Model, extra: Mapping[str, Any], extra_arrays: Mapping[str, Array]
) -> None:
    """`save`, with more JSON in the header and more arrays beside the parameters."""
    header = {"format": FORMAT, "model": model.name, "config": model.config, **extra}
    arrays = {f"params/{name}": value for name, value in model.params.items()}
    arrays.update(extra_arrays)
    if _is_too_long(model.config, len(arrays)):
        raise ConfigError(
            "this model's config is longer than `load` takes, so it can't be saved; give its parts "
            "fewer or shorter arguments."
        )
    if wrong := _not_finite(model):
        raise ConfigError(
            f"a model is saved with finite weights; {wrong!r} has some that are NaN or infinite. "
            "Train it anew, with a smaller lr or rescaled data."
        )
    target: Any = nullcontext(path) if hasattr(path, "write") else replacing(path)
    with target as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_member(archive, HEADER, _json(header).encode())
        for name, array in arrays.items():
            buffer = io.BytesIO()
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            np.lib.format.write_array(buffer, little, allow_pickle=False)
            _write_member(archive, f"{name}.npy", buffer.getvalue())


def _json(value: Any) -> str:
    """JSON, with a line for each of the dicts in a list, such as the records of a history.

    Training writes the records of all epochs after each one. Encoded anew each time, those of
    10,000 epochs would take 125 ms an epoch, which is more than training a small model does.
    """
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        items = [f"{json.dumps(key)}: {_json(item)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + "\n}"
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(map(_json_line, value)) + "\n]"
    return _dumps(value)


def _json_line(record: dict[Any, Any]) -> str:
    values = tuple(record.values())
    try:
        # The types too, since 1, 1.0 and True are equal.
        return _remembered_json(tuple(record), values, tuple(map(type, values)))
    except TypeError:  # a value that is no key, such as a list
        return _dumps(record)


@lru_cache(maxsize=1 << 16)
def _remembered_json(keys: tuple[Any, ...], values: tuple[Any, ...], types: Any) -> str:
    return _dumps(dict(zip(keys, values, strict=True)))


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_as_python)


def _as_python(value: Any) -> Any:
    """What a callback may have put into a record: numbers and arrays of NumPy's."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise ConfigError(
        f"a checkpoint keeps numbers, text, lists and dicts; got {type(value).__name__} in a "
        "record or in a callback's state. Keep it elsewhere."
    )


def _write_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data)  # ZipInfo's own date is fixed: 1980-01-01


def read(source: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and all arrays of a model file; raises `ModelFileError` for anything else."""
    label = _label(source)
    try:
        file, size = _open(source)
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a closed file, a path with a null
        raise ModelFileError(
            f"{label} can't be read: {(getattr(error, 'strerror', None) or str(error)).lower()}; "
            "give the path of a model.npz that `nv.save` or `npvae train` wrote."
        ) from error
    try:
        with file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ModelFileError(
                    f"{label} is no npvae model: its members are compressed, and npvae's are not."
                )
            if sum(member.file_size for member in members) > size:
                raise ModelFileError(f"{label} is altered: it claims to be larger than it is.")
            data = {member.filename: archive.read(member) for member in members}
    except ModelFileError:
        raise
    except Exception as error:  # zipfile raises a dozen types on damaged archives
        raise ModelFileError(
            f"{label} is no npvae model, or was cut short or altered ({_reason(error)}); "
            "restore it from a copy, or write it again: nv.save does, and nv.fit a checkpoint."
        ) from error
    if HEADER not in data:
        raise ModelFileError(
            f"{label} is no npvae model: it has no {HEADER!r}; give a file that nv.save wrote."
        )
    header = _header(data.pop(HEADER), label, len(data))
    arrays = {_stem(name): _array(content, name, label) for name, content in data.items()}
    return header, arrays


def build(header: Mapping[str, Any], arrays: Mapping[str, Array], label: str) -> Any:
    """The model that a header and its arrays describe."""
    known = registered("model")
    name = header.get("model")
    if not isinstance(name, str) or name not in known:
        raise ModelFileError(
            f"{label} holds a model {name!r} that this npvae does not know"
            f"{nearest(str(name), known)}"
        )
    prefix = "params/"
    parameters = {n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)}
    cls: Any = known[name]
    try:
        _check_size(header["config"], parameters)
        with np.errstate(over="ignore"):  # numbers that the model's type can't hold
            model = cls(**header["config"], parameters=parameters)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError,
            MemoryError) as error:  # fmt: skip
        raise ModelFileError(f"{label} holds no usable model: {_reason(error)}") from error
    if wrong := _not_finite(model):
        raise ModelFileError(
            f"{label} holds no usable model: {wrong!r} has weights that are NaN or infinite; take "
            "an earlier file, or train anew."
        )
    return model


def _check_size(config: Mapping[str, Any], parameters: Mapping[str, Array]) -> None:
    """Raise ModelFileError where a config speaks of more columns than the file has numbers.

    What parts take memory for when they are made then grows with the file and no further.
    """
    x_dim, held = config.get("x_dim"), sum(array.size for array in parameters.values())
    if isinstance(x_dim, int) and x_dim > max(held, _LEAST_BOUND):
        raise ModelFileError(
            f"a model of {x_dim:,} columns has as many weights or more; the file holds {held:,}. "
            "It is altered, or not whole."
        )


def _not_finite(model: Model) -> str | None:
    """The name of a parameter that is NaN or infinite somewhere, if there is one."""
    return next((name for name, array in model.params.items() if not all_finite(array)), None)


def _label(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return f"'{os.fspath(source)}'"
    in_memory = isinstance(source, (bytes, bytearray, memoryview))
    return "the given data" if in_memory else "the given file"


def _open(source: Any) -> tuple[IO[bytes], int]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source), len(source)
    if hasattr(source, "read"):
        content = source.read()  # not every file object can seek, and the caller's stays open
        if isinstance(content, str):
            raise ModelFileError("a model is read from a binary file; open it with mode 'rb'.")
        return io.BytesIO(content), len(content)
    if not isinstance(source, (str, os.PathLike)):
        raise ModelFileError(
            f"a model is loaded from a path, bytes or a file object; got {type(source).__name__}."
        )
    if not stat.S_ISREG(os.stat(source).st_mode):  # a pipe might never end, or never begin
        raise ModelFileError(
            f"'{os.fspath(source)}' is a folder, a pipe or a device; a model is read from a file. "
            "Copy it to one, or give what open() returns."
        )
    file = open(source, "rb")  # noqa: SIM115  (the caller closes it)
    return file, os.fstat(file.fileno()).st_size


def _header(content: bytes, label: str, n_arrays: int) -> dict[str, Any]:
    try:
        header = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{label} is altered: its header is no JSON ({error}).") from error
    if not isinstance(header, dict) or type(header.get("format")) is not int:
        raise ModelFileError(f"{label} is no npvae model: its header gives no format.")
    if header["format"] < 1:
        raise ModelFileError(f"{label} is altered: formats count from 1; got {header['format']}.")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"{label} has format {header['format']!r:.12}, and this npvae reads up to {FORMAT}; "
            "upgrade npvae."
        )
    if not isinstance(header.get("config"), dict):
        raise ModelFileError(f"{label} is no npvae model: its header gives no config.")
    if _is_too_long(header["config"], n_arrays):
        raise ModelFileError(f"{label} is altered: its config is longer than any model's.")
    return header


def _is_too_long(config: dict[str, Any], n_arrays: int) -> bool:
    settings = {n: v for n, v in config.items() if n not in _BY_COLUMN or not isinstance(v, dict)}
    least, by_array = _LONGEST_CONFIG
    return len(json.dumps(settings)) > least + by_array * n_arrays


def _stem(name: str) -> str:
    return name[: -len(".npy")] if name.endswith(".npy") else name


def _array(content: bytes, name: str, label: str) -> Array:
    """An array of the .npy format, its header checked against its length before it is built."""
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("it is not of .npy version 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        start = stream.tell()
        if dtype.kind not in "fiu" or fortran or any(n < 0 for n in shape):
            raise ValueError(f"it holds {dtype} of shape {shape}")
        if math.prod(shape) * dtype.itemsize != len(content) - start:
            raise ValueError(f"its header says {shape} {dtype}, its length says otherwise")
        array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    except Exception as error:  # NumPy parses the header as Python, which can fail in many ways
        raise ModelFileError(
            f"{label} is altered: {name!r} can't be read ({_reason(error)})."
        ) from error
    return array.astype(dtype.newbyteorder("="))


def _reason(error: Exception) -> str:
    """The first line of an error's text, for a message of one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
