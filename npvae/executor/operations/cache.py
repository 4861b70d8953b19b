"""Machine code kept on disk, so that nothing there is worse than nothing.

A file has two digests in front of its code: of all that the code was made from and for, by which
what is stale is known, and of itself, by which what is damaged is. What others may have written is
not run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
import warnings
from importlib import util
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

_HERE = Path(__file__).parent
_DIGEST = hashlib.sha256().digest_size
_OTHERS, _WORLD = stat.S_IWGRP | stat.S_IWOTH, stat.S_IWOTH
_NOT_FOR_CODE = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS"}
_said: set[str] = set()


class Cache:
    """The files of this processor; nothing is kept where no folder can be trusted.

    Attributes
    ----------
    folder : Path or None
    """

    def __init__(self) -> None:
        self.folder = _folder()
        self._processor = hashlib.sha256(processor().encode()).hexdigest()[:12]
        # What stands among the sources is as safe as they are.
        self._is_checked = os.name == "posix" and self.folder != _beside_sources()
        opened = self.folder and self._is_checked and _open_to_others(self.folder)
        if opened:
            self.folder = None
            _say_once(
                f"others may write to '{opened}', so the machine code in it may be theirs and none "
                "of it is run: compiling takes its time in every process. Take their right away "
                "(chmod go-w), or set NUMBA_CACHE_DIR to a folder of your own.",
            )

    def read(self, name: str) -> bytes | None:
        """A function's code, if it is there, whole, and of these sources and this processor."""
        if self.folder is None:
            return None
        path = self._path(name)
        try:
            if self._is_checked and _is_open(path, _OTHERS):
                return None
            content = path.read_bytes()
        except OSError:
            return None
        head, code = content[: 2 * _DIGEST], content[2 * _DIGEST :]
        whole = head == key() + hashlib.sha256(code).digest()
        return code if whole else None

    def write(self, made: dict[str, bytes]) -> None:
        """Keep functions' code, in place of older code of theirs; say so if it can't be done."""
        if self.folder is None:
            return
        try:
            for name, code in made.items():
                _replace(self._path(name), key() + hashlib.sha256(code).digest() + code)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            _say_once(
                f"the machine code can't be kept in '{self.folder}' ({reason}), so every process "
                "compiles it; training goes on."
            )

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}-{self._processor}.code"


def processor() -> str:
    """What code is made for: a processor, and Numba's settings."""
    features = ""
    with contextlib.suppress(RuntimeError):  # not known on this system
        features = llvm.get_host_cpu_features().flatten()
    told = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    settings = sorted((name, told[name]) for name in told.keys() - _NOT_FOR_CODE)
    return repr((llvm.get_process_triple(), llvm.get_host_cpu_name(), features, settings))


@functools.cache
def key() -> bytes:
    """A digest of all that code depends on: its sources, what compiles them, and for what."""
    digest = hashlib.sha256(processor().encode())
    digest.update(repr((llvmlite.__version__, _version_of_numba(), sys.byteorder)).encode())
    for path in sorted(_HERE.glob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _version_of_numba() -> str:
    """Its files' time: importing it, or the reader of package data, takes longer than all else."""
    spec = util.find_spec("numba")
    if spec is None or spec.origin is None:
        return ""
    return f"{spec.origin} {os.stat(spec.origin).st_mtime_ns}"


def _beside_sources() -> Path:
    return _HERE / "__pycache__"


def _folder() -> Path | None:
    """Where NUMBA_CACHE_DIR says, else beside the sources, else in the user's own cache."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(named)] if named else [_beside_sources(), _users()]
    for place in places:
        if place != _beside_sources():
            # Each copy of npvae has its own: newer code takes the place of older.
            place /= f"npvae_{hashlib.sha256(str(_HERE).encode()).hexdigest()[:12]}"
        with contextlib.suppress(OSError):
            for folder in (place.parent, place):  # for ourselves alone, whatever the umask
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.access(place, os.W_OK | os.X_OK):
                return place
    return None


def _users() -> Path:
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"), "npvae")
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "npvae"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache", "npvae")


def _open_to_others(folder: Path) -> Path | None:
    """The folder that others may write to, or may put in this one's place, if there is one."""
    named = "NUMBA_CACHE_DIR" in os.environ
    real = Path(os.path.realpath(folder))
    own = [real, real.parent] if named else [real]
    bits = _OTHERS if named else _WORLD  # at home a group is often one's own
    for path in own:
        if _is_open(path, bits):
            return path
    above = (path for path in own[-1].parents if _has_bits(path, _WORLD))
    return next((path for path in above if not path.stat().st_mode & stat.S_ISVTX), None)


def _is_open(path: Path, bits: int) -> bool:
    """Whether another user has a file or folder, or may write to it; root may in any case."""
    return os.stat(path).st_uid not in (os.geteuid(), 0) or _has_bits(path, bits)


def _has_bits(path: Path, bits: int) -> bool:
    return bool(os.stat(path).st_mode & bits)


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time."""
    number, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
    try:
        with open(number, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(name)
        raise


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        warnings.warn(text, stacklevel=2)
