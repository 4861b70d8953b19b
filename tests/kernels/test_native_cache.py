"""Where machine code is kept: found again, never stale, and not needed."""

from __future__ import annotations

import importlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import npvae
from npvae.executor import operations as native
from npvae.executor.operations import cache, machine
from npvae.executor.operations.options import Compiled

CODE = """
import warnings
warnings.simplefilter("error")
from npvae.executor.operations import cache
print(cache.__file__)
print(cache.Cache().folder)
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
    home, folder = done.stdout.splitlines()
    assert Path(home).is_relative_to(tmp_path)
    assert folder == "None"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where these tests keep what they compile, each as if it were a process of its own."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_said", set())
    return tmp_path / "cache"


MADE = b"machine code of an operation " * 20


def compiled(monkeypatch):
    """Compile an operation, or find it; whether it was found."""
    made = []

    def compile_(names):
        made.extend(names)
        return dict.fromkeys(names, MADE)

    monkeypatch.setattr(machine, "made_apart", compile_)
    assert machine.code_of(["add"]) == {"add": MADE}
    return not made


def leaf(folder):
    (found,) = folder.iterdir()
    return found


def file_in(folder):
    (found,) = leaf(folder).iterdir()
    return found


def test_what_was_compiled_is_found_again(folder, monkeypatch):
    assert not compiled(monkeypatch)
    assert compiled(monkeypatch)


DAMAGE = {
    "empty": lambda content: b"",
    "cut off at the start": lambda content: content[:3],
    "cut off in the middle": lambda content: content[: len(content) // 2],
    "cut off at the end": lambda content: content[:-1],
    "altered": lambda content: content[:-200] + bytes([content[-200] ^ 1]) + content[-199:],
    "of other sources": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "of something else": lambda content: b"\x80\x04N.",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_or_stale_is_compiled_anew(folder, monkeypatch, damage):
    compiled(monkeypatch)
    file = file_in(folder)
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert not compiled(monkeypatch)
    assert compiled(monkeypatch)
    assert file_in(folder) == file  # in its place


def test_a_folder_in_place_of_the_file_is_no_cache(folder, monkeypatch):
    compiled(monkeypatch)
    file = file_in(folder)
    file.unlink()
    file.mkdir()
    with pytest.warns(UserWarning, match="can't be kept in"):
        assert not compiled(monkeypatch)
    assert file_in(folder) == file  # nothing is left beside it


def test_a_full_disk_is_said_once_and_training_goes_on(folder, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_replace", full)
    message = rf"can't be kept in '{folder}/.*' \(no space left on device\)"
    with pytest.warns(UserWarning, match=message):
        assert not compiled(monkeypatch)
    assert not compiled(monkeypatch)  # a warning would be an error here


if os.name == "posix":
    OPEN = {
        "the folder, to all": (lambda folder: folder, 0o777),
        "the folder, to its group": (lambda folder: folder, 0o775),
        "the folder, to all, sticky": (lambda folder: folder, 0o1777),
        "the folder in it": (leaf, 0o777),
        "the folder above": (lambda folder: folder.parent, 0o777),
    }

    @pytest.mark.parametrize("where", OPEN)
    def test_a_cache_that_others_may_write_is_not_run(folder, monkeypatch, where):
        compiled(monkeypatch)
        path, mode = OPEN[where]
        path(folder).chmod(mode)
        with pytest.warns(UserWarning, match=f"others may write to '{path(folder)}'"):
            assert not compiled(monkeypatch)
        assert not compiled(monkeypatch)

    def test_files_that_others_may_write_are_not_run(folder, monkeypatch):
        compiled(monkeypatch)
        file_in(folder).chmod(0o666)
        assert not compiled(monkeypatch)
        assert compiled(monkeypatch)  # in its place now stands one's own

    def test_a_folder_of_another_user_is_not_run(folder, monkeypatch):
        compiled(monkeypatch)
        me = os.geteuid()
        seen = os.stat

        def of_another(path, *arguments, **options):
            found = seen(path, *arguments, **options)
            return SimpleNamespace(st_uid=me + 1, st_mode=found.st_mode)

        monkeypatch.setattr(cache.os, "stat", of_another)
        assert cache._is_open(folder, 0)
        monkeypatch.setattr(cache.os, "geteuid", lambda: me + 1)
        assert not cache._is_open(folder, 0)

    def test_a_folder_above_in_which_nobody_removes_what_is_anothers_is_no_danger(
        folder, monkeypatch
    ):
        compiled(monkeypatch)
        folder.parent.chmod(0o1777)
        assert compiled(monkeypatch)

    def test_what_is_new_is_ones_own_whatever_the_umask(folder, monkeypatch):
        before = os.umask(0)
        try:
            assert not compiled(monkeypatch)
        finally:
            os.umask(before)
        modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder, leaf(folder), file_in(folder))]
        assert modes == [0o700, 0o700, 0o600]

    WAITS = """
import os, signal, threading, time
from npvae.executor.operations import machine

began = threading.Event()

def slow(names):
    began.set()
    time.sleep(0.5)
    print("compiled", flush=True)
    return {}

machine.code_of, machine._load = slow, lambda code: None
thread = threading.Thread(target=machine.addresses, args=(["add"],))
thread.start()
began.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)  # if it waits for the lock for ever
    machine.code_of = lambda names: {}
    machine.addresses(["add"])
    print("and so has the child", flush=True)
    os._exit(0)
thread.join()
machine.addresses([])
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

    def test_a_fork_waits_for_the_compiler_and_leaves_the_child_its_lock():
        done = subprocess.run(
            [sys.executable, "-c", WAITS], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "compiled\nand so has the child\n"), (
            done.stderr
        )


# What code is made from


def test_the_cache_is_keyed_by_every_file_that_is_compiled(monkeypatch, tmp_path):
    home, keys = Path(cache.__file__).parent, {cache.key()}
    monkeypatch.setattr(cache, "_HERE", tmp_path)
    for path in home.glob("*.py"):
        shutil.copy(path, tmp_path)
    assert cache.key.__wrapped__() in keys
    for path in sorted(tmp_path.glob("*.py")):
        path.write_text(path.read_text() + "\n")
        keys.add(cache.key.__wrapped__())
    assert len(keys) == 1 + len(list(home.glob("*.py")))


@pytest.mark.parametrize("name", ["NUMBA_CPU_NAME", "NUMBA_OPT"])
def test_the_cache_is_keyed_by_what_numba_is_told(monkeypatch, folder, name):
    compiled(monkeypatch)
    monkeypatch.setenv(name, "1")
    assert not compiled(monkeypatch)


def test_the_cache_is_not_keyed_by_what_changes_no_code(monkeypatch, folder):
    compiled(monkeypatch)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert compiled(monkeypatch)


def test_every_function_is_merged_into_its_callers():
    """Else it would have machine code of its own, optimised apart."""
    names = [path.stem for path in Path(native.__file__).parent.glob("*.py")]
    modules = [importlib.import_module(f"{native.__name__}.{name}") for name in names]
    functions = {f for m in modules for f in vars(m).values() if isinstance(f, Compiled)}
    assert len(functions) > 100
    for function in functions:
        options = getattr(function.made, "targetoptions", None)  # an instruction has none
        assert options is None or options["forceinline"], function.__qualname__
