"""The house style: colours, sizes, and files that are the same bytes every time."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..core.errors import DataError, MissingDependency
from ..core.files import replacing
from ..core.public import numpy_rules
from ..core.wording import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Shape = tuple[int, int] | tuple[int, int, int] | None
Range = tuple[float, float] | None
Formats = Sequence[Callable[[float], str] | None]
"""For each column how a number is written along an axis, a date say; None for plain numbers."""

DPI = 128  # a power of two: then whole pixels are exact in inches
INK, PALE, BLUE, ORANGE = "#333333", "#BBBBBB", "#0072B2", "#D55E00"
# Ten picked by a search that kept the closest two well apart, for normal and for colour-blind
# eyes of all three kinds. No twenty are safe: the others are the ten, darker or lighter.
_TEN = "#3F90DA #228833 #E69F00 #7A3E00 #88CCEE #DDCC77 #AA3377 #832DB6 #332288 #CC6677"
_MORE = "#234F78 #90C399 #7F5700 #BC9E80 #4B7083 #A8A03A #D499BB #C196DB #9990C3 #703841"
PALETTE = [*_TEN.split(), *_MORE.split()]
STYLE: dict[str, Any] = {
    "figure.dpi": DPI,
    "figure.constrained_layout.h_pad": 0.08,
    "image.aspect": "auto",
    "image.interpolation": "nearest",
    "svg.hashsalt": "npvae",
    "font.size": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#E6E6E6",
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
}
# What a file must not say, since it changes with version and date.
METADATA = {"png": "Software", "svg": "Creator Date", "pdf": "Creator Producer CreationDate"}
_FALLBACKS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Source Han Sans", "Hiragino Sans",
    "PingFang SC", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "WenQuanYi Zen Hei",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai",
    "Nirmala UI", "Arial Unicode MS", "Unifont",
)  # fmt: skip
MOST_COLUMNS = 60
"""That can be told apart side by side."""
_STYLE_LOCK = threading.RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style whatever the caller's settings, and leave those as they were."""
    try:
        from matplotlib import style
    except ImportError as error:
        raise MissingDependency("pictures need matplotlib: pip install matplotlib") from error
    # Matplotlib's settings are one global dict: two threads inside would restore each other's.
    chosen = STYLE | {"font.family": _families()}
    with _STYLE_LOCK, numpy_rules(), style.context(chosen, after_reset=True):
        yield


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a .png, .svg or .pdf, whole or not at all, and always the same bytes.

    Parameters
    ----------
    figure : Figure
    path : str or path
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind not in METADATA:
        raise DataError(f"a picture is a .png, .svg or .pdf; got {path}. Try {path.stem}.png.")
    with replacing(path) as file:
        write(figure, file, kind)


@house_style()
def write(figure: Figure, file: Any, kind: str) -> None:
    """Write a figure in one of the kinds of `METADATA` to an open file."""
    with _one_note_of_letters():
        figure.savefig(file, format=kind, metadata=dict.fromkeys(METADATA[kind].split()))


@contextmanager
def _one_note_of_letters() -> Iterator[None]:
    """Say once what Matplotlib says of each letter that no font has."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    letters = [w for w in caught if str(w.message).startswith("Glyph ")]
    for other in caught:
        if other not in letters:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if letters:
        _note_of_letters()


@lru_cache  # so that it is said once, however many pictures there are
def _note_of_letters() -> None:
    warnings.warn(
        "no font has some letters of the names and labels, which are drawn as boxes; install one "
        "that has them, such as Noto Sans CJK",
        stacklevel=6,
    )


@lru_cache
def _families() -> list[str]:
    """The usual font, and for letters that it lacks those of `_FALLBACKS` that are installed."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)]


def new_figure(width: float, height: float, layout: Any = "constrained") -> Figure:
    """An empty figure of this size in inches, which a notebook shows.

    Parameters
    ----------
    width, height : float
    layout : str or None
        As matplotlib's.

    Returns
    -------
    Figure
    """
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height), layout=layout)
    figure._repr_png_ = partial(_png, figure)  # pyplot's figures alone are shown without
    return figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    write(figure, file, "png")
    return file.getvalue()


def check_names(names: Sequence[str] | None, d: int) -> None:
    """Raise `DataError` unless there is a name for each of d columns, or none at all."""
    if names is not None and len(names) != d:
        raise DataError(f"names must be one for each of the {d} columns; got {len(names)}.")


def each_called(called: Sequence[str] | None, n: int, kind: str) -> list[str]:
    """What each of n is called, "row 1" and so on by its kind where nobody says.

    Raises `DataError` for another number of names.
    """
    if called is None:
        return [f"{kind} {i + 1}" for i in range(n)]
    if len(called) != n:
        raise DataError(f"called must have a name for each of {n} {kind}s; got {len(called)}.")
    return [str(name) for name in called]


def lettering(text: object, most: int = 24) -> str:
    """A name or a label as pictures have it: short, and a $ in it begins no formula."""
    return short(str(text), most).replace("$", r"\$")


def head(figure: Figure, title: str) -> None:
    """The title of a figure of several panels."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")


def label_columns(axes: Axes, d: int, names: Sequence[str] | None) -> None:
    """Name the d columns along the x axis, or number them where that is all there is room for."""
    from matplotlib.ticker import MaxNLocator

    if names is None or d > MOST_COLUMNS:
        axes.set_xlabel("feature")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    shown = [lettering(name) for name in names]
    upright = d > 8 or max(map(len, shown)) > 60 / d  # as many as fit side by side
    axes.set_xticks(range(d), shown, rotation=90 if upright else 0, fontsize=7 if upright else 8)
