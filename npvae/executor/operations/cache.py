"""Numba's cache on disk, made so that nothing in it is worse than an empty one.

Numba keeps machine code in pickles and trusts them: one that is cut off raises at every later call,
a full disk raises when all is compiled, and a folder that others may write to runs their code.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import stat
import warnings
from pathlib import Path

from numba.core import caching, config

_DIGEST = hashlib.sha256().digest_size
_OTHERS, _WORLD = stat.S_IWGRP | stat.S_IWOTH, stat.S_IWOTH
_said: set[str] = set()


def cache_of(function):
    """A cache for the function's machine code; one that keeps nothing where none can be trusted."""
    _make_folders(function)
    try:
        cache = FunctionCache(function)
    except RuntimeError:  # no folder for one can be written
        return caching.NullCache()
    folder = cache.open_to_others()
    if folder is None:
        return cache
    _say_once(
        f"others may write to '{folder}', so the machine code in it may be theirs and none of it "
        f"is run: compiling takes its time in every process. Take their right away (chmod go-w), "
        "or set NUMBA_CACHE_DIR to a folder of your own.",
    )
    return caching.NullCache()


class FunctionCache(caching.FunctionCache):
    """A cache from which what is damaged is compiled anew, and without which all goes on."""

    def __init__(self, function):
        super().__init__(function)
        file = self._cache_file
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, file._source_stamp)
        # What stands among the sources is as safe as they are.
        beside_sources = isinstance(self._impl.locator, caching.InTreeCacheLocator)
        self._cache_file.is_checked = os.name == "posix" and not beside_sources

    def open_to_others(self):
        """The folder that others may write to, or may put in this one's place, if there is one."""
        if not self._cache_file.is_checked:
            return None
        folder = Path(os.path.realpath(self.cache_path))
        own = [folder] if not config.CACHE_DIR else [folder, folder.parent]
        bits = _OTHERS if config.CACHE_DIR else _WORLD  # at home a group is often one's own
        for path in own:
            if _is_open(path, bits):
                return path
        above = (path for path in own[-1].parents if _has_bits(path, _WORLD))
        return next((path for path in above if not path.stat().st_mode & stat.S_ISVTX), None)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # Numba's pickles raise nearly anything
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            _say_once(
                f"the machine code can't be kept in '{self.cache_path}' ({reason}), so every "
                "process compiles it; training goes on."
            )


class _Files(caching.IndexDataCacheFile):
    """The cache's files, the machine code with a digest behind it, which Numba does not read."""

    is_checked = False

    def _dump(self, obj):
        data = super()._dump(obj)
        return data + hashlib.sha256(data).digest()

    def _load_index(self):
        try:
            overloads = {} if self._is_others(self._index_path) else super()._load_index()
        except Exception:
            return {}
        return overloads if isinstance(overloads, dict) else {}

    def _load_data(self, name):
        path = self._data_path(name)
        content = Path(path).read_bytes()
        whole = hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]
        return super()._load_data(name) if whole and not self._is_others(path) else None

    def _is_others(self, path):
        return self.is_checked and _is_open(path, _OTHERS)


def _is_open(path, bits):
    """Whether another user has a file or folder, or may write to it; root may in any case."""
    return os.stat(path).st_uid not in (os.geteuid(), 0) or _has_bits(path, bits)


def _has_bits(path, bits):
    return bool(os.stat(path).st_mode & bits)


def _make_folders(function):
    """Make the folder that NUMBA_CACHE_DIR names for ourselves alone, whatever the umask."""
    if not config.CACHE_DIR:
        return
    of = caching.UserProvidedCacheLocator.get_suitable_cache_subpath(inspect.getfile(function))
    with contextlib.suppress(OSError):  # Numba will find that it has no folder
        for folder in (Path(config.CACHE_DIR), Path(config.CACHE_DIR, of)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _say_once(text):
    if text not in _said:
        _said.add(text)
        warnings.warn(text, stacklevel=2)
