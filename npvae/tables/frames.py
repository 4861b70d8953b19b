"""Data frames, of pandas and of polars, as tables and back.

Values become text, so that the rules for files decide what a column is, but where its type says
it: booleans are flags, categories have their labels and their order, dates are dates, and
durations are durations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any
from unicodedata import normalize

import numpy as np

from ..core.errors import DataError, MissingDependency
from ..datasets.numerals import is_plain
from ..datasets.rows import Layout
from .cells import Cells, Unfit, is_missing, refusal
from .column import Column, Constant
from .kinds import Said
from .labelled import Flag, flag_key
from .numeric import Count, Date, Duration, Number, NumericColumn
from .sheets import cell_text
from .sources import Found, names_of_their_own

Array = np.ndarray

LIBRARIES = ("pandas", "polars")
WHERE = "the data frame"
"""What one is called in errors."""
_PLACES = "row {} (counted from 0)"
_FIX = "Correct it, or give None where it is not known."


def library_of(x: Any) -> str | None:
    """Whose data frame x is; None if it is no data frame; raises `DataError` for a lazy one."""
    for cls in type(x).__mro__:
        library = cls.__module__.partition(".")[0]
        if cls.__name__ == "LazyFrame" and library == "polars":
            raise DataError("a LazyFrame has no rows until they are collected; pass x.collect().")
        if cls.__name__ == "DataFrame" and library in LIBRARIES:
            return library
    return None


def names_in(frame: Any) -> list[str]:
    """The columns' names as text, each once; of several levels with blanks between."""
    parts = (name if isinstance(name, tuple) else (name,) for name in frame.columns)
    return names_of_their_own([" ".join(filter(None, map(str, name))) for name in parts])


def series_of(frame: Any) -> dict[str, Any]:
    """The columns by their names."""
    if library_of(frame) == "polars":
        return dict(zip(frame.columns, frame.get_columns(), strict=True))
    return dict(zip(names_in(frame), (s for _, s in frame.items()), strict=True))


def cells_of(frame: Any) -> Found:
    """The cells of a data frame, and what the types of its columns say of their kinds.

    Raises
    ------
    DataError
        If it has no rows or no columns.
    """
    series = series_of(frame)
    if not series or not len(frame):
        raise DataError(f"{WHERE}: a table needs rows and columns; got shape {frame.shape}.")
    found = Found({}, [], Layout(), [])
    left_out = []
    for name, column in series.items():
        values = values_of(column)
        if any(isinstance(value, (list, tuple, dict, set, bytes, np.ndarray)) for value in values):
            left_out.append(name)
            continue
        cells = found.cells[name] = column_cells(values)
        said = _said(column)
        if said and len(cells.known()[0]) > 1:  # else it is constant or empty, whatever its type
            found.said[name] = said
    if left_out:
        found.notes.append(f"{', '.join(map(repr, left_out))} has lists or bytes and is left out")
    if not found.cells:
        raise DataError(f"{WHERE}: a table needs numbers or text; got lists and bytes alone.")
    return found


def column_cells(values: Sequence[Any]) -> Cells:
    """Python's values of a column as cells."""
    cells = Cells(_PLACES, _FIX)
    cells.extend([cell_text(value) for value in values], range(len(values)))
    return cells


def values_of(series: Any) -> list[Any]:
    """Python's values of a column, None where one is not known."""
    if not hasattr(series, "isna"):  # polars
        return _exact(series.to_list(), str(series.dtype) == "Float32")
    known = series.notna().tolist()
    values = series.astype(object).tolist()
    values = _exact(values, str(series.dtype).lower() in ("float32", "float16"))
    return [_to_microseconds(v) if yes else None for v, yes in zip(values, known, strict=True)]


def _exact(values: list[Any], short: bool) -> list[Any]:
    """Floats of few digits as they are written, 0.1 and not 0.10000000149."""
    if not short:
        return values
    return [v if v is None else float(str(np.float32(v))) for v in values]


def _to_microseconds(value: Any) -> Any:
    """Python's times have no nanoseconds, which those of pandas have."""
    return value.replace(nanosecond=0) if getattr(value, "nanosecond", 0) else value


def _said(series: Any) -> Said | None:
    """What a column's type says of its kind."""
    name = str(series.dtype).lower()
    if name.startswith("bool"):
        return Said(Flag.kind)
    if name.startswith(("date", "timestamp")) and not name.startswith("date_range"):
        return Said(Date.kind)
    if name.startswith(("timedelta", "duration")):
        return Said(Duration.kind)
    labels = categories(series.dtype)
    if not labels:
        return None
    ordered = bool(getattr(series.dtype, "ordered", False))
    if len(set(map(flag_key, labels) if ordered else labels)) < max(2, len(labels)):
        return None
    return Said("ordered" if ordered else "category", labels=tuple(labels))


def categories(dtype: Any) -> list[str]:
    """The labels of a categorical type as the cells of a table; none if it does not list them."""
    found: Any = getattr(dtype, "categories", None)
    if not hasattr(found, "__iter__"):
        return []
    return [cell_text(value).strip() for value in found]


def array_of(frame: Any, of: Iterable[Column], missing: Sequence[str] | None) -> Array:
    """The rows of a data frame as x (N, D), for the columns of a schema.

    Raises
    ------
    DataError
        If a column is missing or has a value that it can't have.
    """
    series = {normalize("NFC", name): column for name, column in series_of(frame).items()}
    columns = {normalize("NFC", c.name): c for c in of}
    lost = [name for name in columns if name not in series]
    if lost:
        raise DataError(
            f"{WHERE}: the model needs the columns that it was trained on; missing is "
            f"{', '.join(map(repr, lost[:8]))}. Add it, with missing values where it is not known."
        )
    x = np.empty((len(frame), len(columns)))
    for j, (name, column) in enumerate(columns.items()):
        x[:, j] = _numbers(column, values_of(series[name]), missing)
    return x


def _numbers(column: Column, values: list[Any], missing: Sequence[str] | None) -> Array:
    """The numbers (N,) of a column's values."""
    if isinstance(column, NumericColumn) and set(map(type, values)) <= {int, float, type(None)}:
        found = np.array(values, np.float64)
        if np.all(column.allows(found) | np.isnan(found)):
            return found
    numbers: dict[Any, float] = {None: np.nan}
    found = np.empty(len(values))
    for i, value in enumerate(values):
        key = value if type(value) in (str, float, int) else cell_text(value)
        number = numbers.get(key)
        if number is None:
            try:
                number = numbers[key] = _number(column, value, missing)
            except Unfit as unfit:
                where = f"{WHERE}, {_PLACES.format(i)}, column {column.name!r}"
                raise refusal(where, unfit, _FIX) from None
        found[i] = number
    return found


def _number(column: Column, value: Any, missing: Sequence[str] | None) -> float:
    if value is None or value != value:
        return np.nan
    text = cell_text(value).strip()
    if is_missing(text, missing) and text not in column.labels:
        return np.nan
    if isinstance(column, NumericColumn) and isinstance(value, (int, float, np.number)):
        return column.number(value)
    return column.parse(text)


def frame_of(columns: Sequence[Column], values: Array, like: Any = "pandas") -> Any:
    """Numbers (N, D) of these columns as a data frame.

    Parameters
    ----------
    like : "pandas", "polars" or a data frame
        One has the types and the labels of the columns of its names, and if it has as many rows its
        index too.

    Raises
    ------
    MissingDependency
        If the library is not installed.
    """
    library = like if isinstance(like, str) else library_of(like)
    module = library_named(library)
    given = {} if isinstance(like, str) else series_of(like)
    named = {
        c.name: series_for(module, c, values[:, j], given.get(c.name))
        for j, c in enumerate(columns)
    }
    if library == "polars":
        return module.DataFrame(list(named.values()))
    frame = module.DataFrame(named)
    if given:
        names = list(given)
        if given.keys() >= named.keys():  # whose own may be numbers, or of several levels
            frame.columns = like.columns[[names.index(name) for name in named]]
        if len(like) == len(frame):
            frame.index = like.index
    return frame


def of_library(library: str, frame: Any) -> Any:
    """The values of a data frame as one of this library, which chooses the types."""
    module = library_named(library)
    values = {name: values_of(series) for name, series in series_of(frame).items()}
    return module.DataFrame(values, **({"strict": False} if library == "polars" else {}))


def library_named(name: Any) -> Any:
    """The library of this name; raises `MissingDependency` or `DataError`."""
    if name not in LIBRARIES:
        raise DataError(f"a data frame is of pandas or polars; got {name!r:.60}.")
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependency(f"a data frame of {name} needs it: pip install {name}") from error


def series_for(module: Any, column: Column, numbers: Array, like: Any = None) -> Any:
    """A column's numbers (N,) as a series, NaN as missing; of the type of another if it can be."""
    known = ~np.isnan(numbers)
    distinct, places = np.unique(numbers[known], return_inverse=True)
    values = np.full(len(numbers), None, object)
    meant = np.empty(len(distinct), object)
    written = isinstance(column, (NumericColumn, Date, Duration)) and _is_text(like)
    meant[:] = [column.text(n) if written else _value(column, n) for n in distinct.tolist()]
    values[known] = meant[places]
    if module.__name__ == "polars":
        return _polars(module, column, values.tolist(), like)
    return _pandas(module, column, values, like)


def _is_text(like: Any) -> bool:
    """Whether a series is text, so that its numbers and dates are written as its table has them."""
    name = str(getattr(like, "dtype", "")).lower()
    if name != "object" or not hasattr(like, "notna"):
        return name.startswith(("str", "large_string"))
    return bool(like.notna().any()) and set(map(type, like.dropna())) == {str}


def _value(column: Column, number: float) -> Any:
    """A value as data frames have it: of flags that are true and false a bool."""
    if isinstance(column, Constant):
        return _plain(column.only)
    value = column.value(number)
    if isinstance(column, Flag) and tuple(map(flag_key, column.labels)) == ("false", "true"):
        return flag_key(value) == "true"
    if isinstance(column, Number) and column.decimals is None:
        return float(value)
    return value


def _plain(text: str) -> Any:
    """A constant's value: a number if its text is one."""
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    if not is_plain(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _pandas(pandas: Any, column: Column, values: Array, like: Any) -> Any:
    series = pandas.Series(values, dtype=object)
    dtype = getattr(like, "dtype", None)
    if labels := categories(dtype):
        place = {label: i for i, label in enumerate(labels)}
        codes = [-1 if v is None else place.get(cell_text(v).strip(), -1) for v in values]
        return pandas.Series(pandas.Categorical.from_codes(codes, dtype=dtype))
    if str(dtype) == "object":
        return series
    try:
        return _usual(pandas, column, series) if dtype is None else series.astype(dtype)
    except (TypeError, ValueError, OverflowError):  # no gaps fit in, or it is text by now
        return _usual(pandas, column, series)


def _usual(pandas: Any, column: Column, series: Any) -> Any:
    """A series of the type that pandas would read from a file; nullable where there are gaps."""
    gaps = bool(series.isna().any())
    whole = isinstance(column, Count) or (isinstance(column, Number) and column.decimals == 0)
    if isinstance(column, NumericColumn):
        return series.astype(("Int64" if gaps else "int64") if whole else "float64")
    if isinstance(column, Date):
        return pandas.to_datetime(series) if column.format.has_date else series
    if isinstance(column, Duration):
        return pandas.to_timedelta(series)
    if column.labels and not any(isinstance(value, bool) for value in series):
        ordered = column.kind == "ordered"
        return series.astype(pandas.CategoricalDtype(list(column.labels), ordered=ordered))
    return series.astype("boolean") if gaps and column.labels else series.infer_objects()


def _polars(polars: Any, column: Column, values: list[Any], like: Any) -> Any:
    whole = isinstance(column, Count) or (isinstance(column, Number) and column.decimals == 0)
    if isinstance(column, NumericColumn) and not _is_text(like):
        values = [None if v is None else int(v) if whole else float(v) for v in values]
    series = polars.Series(column.name, values, strict=False)
    dtype = getattr(like, "dtype", None)
    if dtype is None:
        is_text = column.labels and series.dtype == polars.String
        dtype = polars.Enum(list(column.labels)) if is_text else series.dtype
    try:
        return series.cast(dtype)
    except Exception:  # of polars' own kinds: a type that has no such values
        return series
