"""From bytes to text: which encoding a file has, and where it breaks."""

from __future__ import annotations

import codecs
import contextlib
import re
from pathlib import Path
from unicodedata import name

from ..core.errors import ConfigError, DataError
from .latin import codecs_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_UNDEFINED = frozenset(b"\x81\x8d\x8f\x90\x9d")
"""Bytes that stand for nothing in Windows' Western code page."""
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_ENOUGH = 8
"""Bytes that are not ASCII, from which on they say something of their script."""
_SCRIPTS = {
    "cp1251": ("CYRILLIC",),
    "cp1253": ("GREEK",),
    "cp1255": ("HEBREW",),
    "cp1256": ("ARABIC",),
    "cp932": ("HIRAGANA", "KATAKANA", "CJK"),
    "gb18030": ("CJK",),
    "big5": ("CJK",),
    "cp949": ("HANGUL",),
}
"""The usual codecs of other letters, and how Unicode's names of these begin."""
_NAMES = {
    "cp1252": "Windows' code page 1252",
    "cp1250": "Windows' code page 1250, of Central Europe",
    "cp1257": "Windows' code page 1257, of the Baltic states",
    "iso-8859-2": "Latin-2, of Central Europe",
    "latin-1": "Latin-1",
}


def encoding_of(
    path: Path, where: str, given: str | None = None, likely: str | None = None
) -> tuple[str, str]:
    """The codec that a text file is read with, and what the user should know of it, or "".

    A byte order mark decides; without one it is UTF-16 where every other byte is 0, UTF-8 where the
    whole file is that, Windows' code page 1250 or the like where words give that away, and else
    Latin-1, or Windows' code page 1252 where that has a sign for a byte that Latin-1 has none for.

    Parameters
    ----------
    path : Path
    where : what the file is called in errors
    given : the codec, where the user says it
    likely : that of a file like this one, which goes before Latin-1

    Raises
    ------
    DataError
        With line and column of the byte that the encoding does not have.
    ConfigError
        If Python knows no codec of the given name.
    """
    if given is not None and not is_codec(given):
        raise ConfigError(
            f"encoding is one that Python knows, such as utf-8 or cp1252; got {given!r}."
        )
    codec = given or _marked(path)
    error = _first_error(path, codec or "utf-8")
    if error is None:
        return codec or "utf-8", ""
    if codec is None and likely and _first_error(path, likely) is None:
        return likely, ""
    data = path.read_bytes()
    undefined = bool(_UNDEFINED & set(data))
    if codec is None and not _is_damaged_utf8(data):
        foreign = undefined and sum(byte >= 0x80 for byte in data) >= _ENOUGH
        other = _of_other_letters(data) if foreign or not _is_western(data) else ""
        elsewhere, sure = codecs_of(data)
        meant = next(iter(elsewhere), "")
        if sure and (not other or _is_western(data)):
            return meant, _said_of(data, meant)
        choices = ", ".join(filter(None, (other, _options(elsewhere))))
        if choices:
            raise DataError(
                f"{where}: text is UTF-8, or in Western letters, and this looks like neither. "
                f"Name its encoding: {choices}; in Python it is encoding=."
            )
    if codec is None and not _is_damaged_utf8(data) and not undefined:
        codec = "cp1252" if any(0x80 <= byte < 0xA0 for byte in set(data)) else "latin-1"
        return codec, _said_of(data, codec)
    raise _undecodable(data, error, codec or "utf-8", where)


def _said_of(data: bytes, codec: str) -> str:
    """What the user should know: how the text was read, with a word that shows it."""
    word = re.search(r"\w*[^\W\x00-\x7f]\w*", data.decode(codec))
    like = f", such as {word[0][:20]!r}" if word else ""
    return f"the text is no UTF-8, and was read as {_NAMES[codec]} (encoding {codec!r}){like}"


def is_codec(name: str) -> bool:
    """Whether Python writes text in an encoding of this name; it has others, such as base64."""
    try:
        return "1,2\n".encode(name).decode(name) == "1,2\n"
    except (LookupError, UnicodeError, ValueError, TypeError):
        return False


def _marked(path: Path) -> str | None:
    """The codec that the first bytes name or betray."""
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return codec
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        if start[first::2].count(0) > 0.3 * len(start):  # of half of the bytes
            return codec
    return None


def _first_error(path: Path, codec: str) -> int | None:
    """The position of the first byte that the codec can't read; None where it reads all."""
    # utf-8-sig counts positions from after its mark.
    decoder = codecs.getincrementaldecoder("utf-8" if codec == "utf-8-sig" else codec)()
    before = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return before - pending + error.start
            except UnicodeError:  # UTF-16 without its mark
                return before
            if not chunk:
                return None
            before += len(chunk)


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether most of what is not ASCII is UTF-8: a few bytes are lost, and the rest is not."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return sum(not char.isascii() for char in text) - bad > bad


def _is_western(data: bytes) -> bool:
    """Whether letters that are not ASCII are few, or alone or in pairs, as in Latin script."""
    runs = [len(run) for run in _FOREIGN.findall(data)]
    return sum(runs) < _ENOUGH or 2 * sum(n for n in runs if n > 2) <= sum(runs)


def _of_other_letters(data: bytes) -> str:
    """The options of the codecs that can be meant, each with what it makes of a word."""
    read: dict[str, tuple[float, str]] = {}
    for codec, scripts in _SCRIPTS.items():
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode(codec)
            signs = [c for c in text if not c.isascii()]
            letters = [c for c in signs if c.isalpha()]
            own = [c for c in letters if name(c, "").startswith(scripts)]
            if letters and len(own) >= 0.9 * len(letters):
                word = re.search(r"[^\W\d_a-zA-Z]+", text)
                read[codec] = len(own) / len(signs), word[0] if word else ""
    likely = sorted(read, key=lambda codec: -read[codec][0])
    return _options({codec: read[codec][1] for codec in likely})


def _options(words: dict[str, str]) -> str:
    """How to say each codec, with what it makes of a word."""
    return ", ".join(f"--encoding {c} (which reads {word[:12]!r})" for c, word in words.items())


def _undecodable(data: bytes, at: int, codec: str, where: str) -> DataError:
    before = data[:at].decode(codec, "replace").replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    byte = f"the byte 0x{data[at]:02x}" if at < len(data) else "the end of the file"
    fix = "Save the file as UTF-8, or name its encoding: --encoding cp1250 (in Python "
    fix += "encoding='cp1250')."
    signs = [c for c in data.decode(codec, "replace") if not c.isascii()]
    if codec == "utf-8" and 2 * signs.count("\ufffd") < len(signs):
        fix = "The file is UTF-8 elsewhere: write this cell anew; another --encoding garbles it."
    return DataError(
        f"{where}, line {line}, column {column}: text that is read as {codec} must be that "
        f"throughout; got {byte}. {fix}"
    )
