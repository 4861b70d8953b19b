"""Where the executor's machine code is kept: found again, never stale, and not needed."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pickle
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest
from numba.core import caching
from numba.core.dispatcher import Dispatcher

import npvae
from npvae.executor import operations as native
from npvae.executor.operations import cache, libraries
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


def tripled(x):
    return 3 * x


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where Numba keeps what these tests compile."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_said", set())
    return tmp_path / "cache"


def compiled():
    """Compile a function, or find it; whether it was found."""
    function = libraries.cached(tripled)
    assert function(7) == 21
    return bool(sum(function.stats.cache_hits.values()))


def files(folder, suffix):
    return list(folder.glob(f"*/*.{suffix}"))


def test_what_was_compiled_is_found_again(folder):
    assert not compiled()
    assert compiled()


DAMAGE = {
    "empty": lambda content: b"",
    "cut off at the start": lambda content: content[:3],
    "cut off in the middle": lambda content: content[: len(content) // 2],
    "cut off at the end": lambda content: content[:-1],
    "altered": lambda content: content[:-200] + bytes([content[-200] ^ 1]) + content[-199:],
    "of something else": lambda content: b"\x80\x04N.",
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_compiled_anew(folder, suffix, damage):
    compiled()
    (file,) = files(folder, suffix)
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    found = compiled()
    assert not found or suffix == "nbi"  # an index may have lost nothing that counts
    assert compiled()


def test_folders_in_place_of_files_are_no_cache(folder):
    compiled()
    for file in (*files(folder, "nbi"), *files(folder, "nbc")):
        file.unlink()
        file.mkdir()
    with pytest.warns(UserWarning, match="can't be kept in"):
        assert not compiled()


def test_a_full_disk_is_said_once_and_training_goes_on(folder, monkeypatch):
    @contextlib.contextmanager
    def full(self, path):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", full)
    message = rf"can't be kept in '{folder}/.*' \(no space left on device\)"
    with pytest.warns(UserWarning, match=message):
        assert not compiled()
    assert not compiled()  # a warning would be an error here


class Planted:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def plant(folder):
    """Pickles that make a folder when they are read, in the place of the cache's."""
    mark = folder.parent / "was run"
    for file in (*files(folder, "nbi"), *files(folder, "nbc")):
        mode = file.stat().st_mode
        data = pickle.dumps(Planted(str(mark)))
        digest = hashlib.sha256(data).digest()
        file.write_bytes(
            (pickle.dumps(numba.__version__) if file.suffix == ".nbi" else b"") + data + digest
        )
        file.chmod(mode)
    return mark


if os.name == "posix":

    def leaf(folder):
        (found,) = folder.iterdir()
        return found

    OPEN = {
        "the folder, to all": (lambda folder: folder, 0o777),
        "the folder, to its group": (lambda folder: folder, 0o775),
        "the folder, to all, sticky": (lambda folder: folder, 0o1777),
        "the folder in it": (leaf, 0o777),
        "the folder above": (lambda folder: folder.parent, 0o777),
    }

    @pytest.mark.parametrize("where", OPEN)
    def test_a_cache_that_others_may_write_is_not_run(folder, where):
        compiled()
        path, mode = OPEN[where]
        path(folder).chmod(mode)
        mark = plant(folder)
        with pytest.warns(UserWarning, match=f"others may write to '{path(folder)}'"):
            assert not compiled()
        assert not compiled()
        assert not mark.exists()

    def test_what_is_planted_would_run(folder):
        """Else the tests above would see nothing."""
        compiled()
        mark = plant(folder)
        compiled()
        assert mark.exists()

    def test_files_that_others_may_write_are_not_run(folder):
        compiled()
        for file in (*files(folder, "nbi"), *files(folder, "nbc")):
            file.chmod(0o666)
        mark = plant(folder)
        assert not compiled()
        assert not mark.exists()

    def test_a_folder_of_another_user_is_not_run(folder, monkeypatch):
        compiled()
        me = os.geteuid()
        seen = os.stat

        def of_another(path, *arguments, **options):
            found = seen(path, *arguments, **options)
            return SimpleNamespace(st_uid=me + 1, st_mode=found.st_mode)

        monkeypatch.setattr(cache.os, "stat", of_another)
        assert cache._is_open(folder, 0)
        monkeypatch.setattr(cache.os, "geteuid", lambda: me + 1)
        assert not cache._is_open(folder, 0)

    def test_a_folder_above_in_which_nobody_removes_what_is_anothers_is_no_danger(folder):
        compiled()
        folder.parent.chmod(0o1777)
        assert compiled()

    def test_a_new_folder_is_ones_own_whatever_the_umask(folder):
        before = os.umask(0)
        try:
            assert not compiled()
        finally:
            os.umask(before)
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, leaf(folder))] == [0o700] * 2

    WAITS = """
import os, signal, threading, time
from npvae.executor.operations import cache, libraries

began = threading.Event()

def compile():
    with libraries.compiling():
        began.set()
        time.sleep(0.5)
        print("compiled", flush=True)

thread = threading.Thread(target=compile)
thread.start()
began.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)  # if it waits for the lock for ever
    with libraries.compiling():
        print("and so has the child", flush=True)
    os._exit(0)
thread.join()
with libraries.compiling():
    pass
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

    def test_a_fork_waits_for_the_compiler_and_leaves_the_child_its_lock():
        done = subprocess.run(
            [sys.executable, "-c", WAITS], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "compiled\nand so has the child\n"), (
            done.stderr
        )


def test_an_interrupt_waits_until_all_is_compiled():
    done = []

    @libraries.compiling()
    def compile():
        signal.raise_signal(signal.SIGINT)
        done.append(1)

    with pytest.raises(KeyboardInterrupt):
        compile()
    assert done == [1]


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
