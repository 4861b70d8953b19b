"""A file that is written is whole and new, or the old one untouched, and nothing else is left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import numpy as np
import pytest

import npvae as nv
from npvae import History
from npvae.core import locks
from npvae.core.files import (
    WriteError,
    check_folder,
    make_folder,
    replacing,
    sweep,
    writable_folder,
)


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def model():
    return nv.VAE(4, 2, hidden=(3,))


def refuse(function, *fragments):
    with pytest.raises(WriteError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message, message
    assert isinstance(caught.value, nv.NpvaeError)
    assert isinstance(caught.value, OSError)


WRITERS = {
    "replacing": write,
    "save": lambda path: nv.save(model(), path),
    "to_csv": lambda path: History().to_csv(path),
    "checkpoint": lambda path: nv.fit(model(), np.full((3, 4), 0.5), epochs=1, checkpoint=path),
}


@pytest.fixture(params=list(WRITERS))
def writer(request):
    return WRITERS[request.param]


def test_a_file_is_made_and_replaced(tmp_path, writer):
    path = tmp_path / "file"
    writer(path)
    assert path.stat().st_size > 0
    path.write_bytes(b"old")
    writer(str(path))
    assert path.read_bytes() != b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace", "chmod"])
def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, writer, name):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, name, fail)
    refuse(lambda: writer(path), str(path), "no space left on device")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as file:
            file.write(b"half of the new")
            raise error

    with pytest.raises(type(error)) as caught:
        interrupted()
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_new_file_is_on_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    """What is under the name at any time is complete, for a reader and after a power cut."""
    path, calls = tmp_path / "file", []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor):
        calls.append(("fsync", os.fstat(descriptor).st_size, path.exists()))
        fsync(descriptor)

    def spy_replace(source, target):
        calls.append(("replace", os.stat(source).st_size, path.exists()))
        assert os.path.dirname(source) == str(tmp_path)  # a rename on one file system is atomic
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    write(path, b"x" * 1000)
    assert calls == [("fsync", 1000, False), ("replace", 1000, False)]


def test_places_that_can_not_be_written(tmp_path, writer):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    refuse(lambda: writer(tmp_path / "missing" / "f"), "missing", "no such file or directory")
    refuse(lambda: writer(tmp_path / "file" / "f"), "not a directory")
    refuse(lambda: writer(tmp_path / "folder"), "directory")
    refuse(lambda: writer(tmp_path / ("n" * 300)), "too long")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_takes_files_is_left_as_it_is(tmp_path, monkeypatch):
    check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    refuse(lambda: check_folder(tmp_path / "none"), "no such file", "choose another folder")


def test_make_folder(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert make_folder(str(folder)) == folder == writable_folder(folder)
    (tmp_path / "file").write_bytes(b"")
    refuse(lambda: make_folder(tmp_path / "file"), "file")
    refuse(lambda: make_folder(tmp_path / "file" / "b"), "not a directory")


FULL = """
import resource, sys
import npvae as nv
from npvae.core.files import WriteError
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    nv.save(nv.VAE(50, 2, hidden=(40,)), sys.argv[1])
except WriteError as error:
    print(error)
"""

if os.name == "posix":  # Windows has neither such limits nor such permissions

    def test_a_disk_that_fills_up_while_writing(tmp_path):
        path = tmp_path / "model.npz"
        path.write_bytes(b"old")
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
        )
        assert "can't be written: file too large" in done.stdout
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]

    def test_permissions_are_those_of_the_old_file_or_of_any_new_one(tmp_path):
        path, plain = tmp_path / "file", tmp_path / "plain"
        write(path)
        plain.write_bytes(b"")
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
        for mode in (0o600, 0o664):
            path.chmod(mode)
            write(path)
            assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_a_new_file_has_the_rights_that_the_umask_leaves_and_nobody_sets_that(
        tmp_path, monkeypatch
    ):
        before = os.umask(0o027)  # a folder's own default may be stricter, a file's mode is not
        try:
            with monkeypatch.context() as patch:
                patch.setattr(os, "umask", None)
                write(tmp_path / "file")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640

    def test_a_file_of_its_owner_alone_is_never_open_to_others(tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"old")
        path.chmod(0o600)
        with replacing(path) as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600

    def test_a_link_is_followed(tmp_path, writer):
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "new").write_bytes(b"old")
        for name, leads_to in (("link", "disk/new"), ("chain", "link"), ("nowhere", "disk/none")):
            (tmp_path / name).symlink_to(leads_to)
            writer(tmp_path / name)
            assert (tmp_path / name).is_symlink()
            assert (tmp_path / name).read_bytes() != b"old"
        assert {p.name for p in (tmp_path / "disk").iterdir()} == {"new", "none"}

    def test_a_link_that_leads_to_itself_is_refused(tmp_path, writer):
        (tmp_path / "loop").symlink_to("loop")
        refuse(lambda: writer(tmp_path / "loop"), "loop", "symbolic links")

    def test_pipes_and_devices_are_left_as_they_are(tmp_path, writer):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "null").symlink_to(os.devnull)
        before = os.stat(os.devnull)
        for name in ("pipe", "null"):
            refuse(lambda name=name: writer(tmp_path / name), "is a pipe or a device")
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
        assert os.stat(os.devnull).st_ino == before.st_ino

    def test_leftovers_are_swept_and_what_is_being_written_is_not(tmp_path):
        for name in (".a.1b2c3d4e", ".a.swp", ".b.1b2c3d4e", "a.1b2c3d4e"):
            (tmp_path / name).write_bytes(b"")
        (tmp_path / ".a.aaaaaaaa").mkdir()
        with replacing(tmp_path / "a") as file:
            mine = os.fstat(file.fileno())
            (held,) = [p.name for p in tmp_path.iterdir() if os.path.samestat(p.stat(), mine)]
            sweep(tmp_path, ["a"])
            assert {p.name for p in tmp_path.iterdir()} == {
                ".a.swp", ".b.1b2c3d4e", "a.1b2c3d4e", ".a.aaaaaaaa", held
            }  # fmt: skip
        assert (tmp_path / "a").exists()
        sweep(tmp_path / "none", ["a"])

    def test_a_file_that_was_swept_before_it_was_held_is_made_again(tmp_path, monkeypatch):
        take, removed = locks.take, []

        def late(descriptor):
            if not removed:
                removed.extend(tmp_path.iterdir())
                removed[0].unlink()
            return take(descriptor)

        monkeypatch.setattr(locks, "take", late)
        write(tmp_path / "file")
        assert [p.name for p in tmp_path.iterdir()] == ["file"]

    KILLED = """
import os, signal, sys
import numpy as np
import npvae as nv
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
nv.use_kernels("numpy")
nv.fit(nv.VAE(4, 2, hidden=(3,)), np.full((3, 4), 0.5), epochs=1, checkpoint=sys.argv[1])
"""

    def test_what_a_killed_fit_leaves_the_next_one_sweeps(tmp_path):
        path = tmp_path / "run.npz"
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        lock, half = sorted(tmp_path.iterdir(), key=lambda left: left.name != ".run.npz.lock")
        assert lock.name == ".run.npz.lock"
        assert half.name.startswith(".run.npz.")
        WRITERS["checkpoint"](path)
        assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
