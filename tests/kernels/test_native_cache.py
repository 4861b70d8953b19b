"""Where the executor's machine code is kept: found again, never stale, and not needed."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

import npvae
from npvae.executor import operations as native
from npvae.executor.operations import libraries
from npvae.executor.operations import loop as executor

CODE = """
import warnings
warnings.simplefilter("error")
from npvae.executor.operations import loop as executor
print(executor.__file__)
print(type(executor.execute._cache).__name__)
"""


def test_no_folder_for_a_cache(tmp_path):
    """A file stands where each of its folders would go, which stops root as well."""
    package = tmp_path / "npvae"
    shutil.copytree(
        Path(npvae.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in ("executor/operations", "executor"):
        (package / folder / "__pycache__").touch()
    nowhere = tmp_path / "a file"
    nowhere.touch()
    names = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA")
    blocked = dict.fromkeys(names, str(nowhere / "folder"))
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=tmp_path,
        env={**os.environ, **blocked, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    home, cache = done.stdout.splitlines()
    assert Path(home).is_relative_to(tmp_path)
    assert sys.platform == "win32" or cache == "NullCache"


def test_a_refused_cache_means_compiling_without():
    asked = []

    def njit(cache=False, **options):
        def decorate(function):
            asked.append(cache)
            if cache:
                raise RuntimeError(f"cannot cache function {function.__name__!r}: no locator")
            return function

        return decorate

    assert libraries.cached(njit, len) is len
    assert asked == [True, False]


def test_the_cache_is_keyed_by_every_file_that_is_compiled(monkeypatch, tmp_path):
    """Numba itself looks at the executor's own file alone, and at what its closure holds."""
    assert type(executor.execute._cache).__name__ == "FunctionCache"
    (cell,) = executor.execute.py_func.__closure__
    assert cell.cell_contents == libraries.digest()
    home = Path(executor.__file__).parent
    monkeypatch.setattr(libraries, "__file__", str(tmp_path / "libraries.py"))
    digests = {cell.cell_contents}
    for path in home.glob("*.py"):
        shutil.copy(path, tmp_path)
    assert libraries.digest() in digests
    for path in sorted(tmp_path.glob("*.py")):
        path.write_text(path.read_text() + "\n")
        digests.add(libraries.digest())
    assert len(digests) == 1 + len(list(home.glob("*.py")))
    assert all(0 <= digest < 2**63 for digest in digests)


def test_every_function_is_merged_into_its_callers():
    """Else it is another copy's machine code that runs where it was compiled in this process than
    where its caller came from the cache, and the two round differently."""
    names = [path.stem for path in Path(native.__file__).parent.glob("*.py")]
    modules = [importlib.import_module(f"{native.__name__}.{name}") for name in names]
    functions = {f for m in modules for f in vars(m).values() if isinstance(f, Dispatcher)} - {
        executor.execute
    }
    assert len(functions) > 100
    for function in functions:
        assert function.targetoptions.get("forceinline"), function.py_func.__qualname__
