"""A run's folder: what is kept in it, what is never touched, and two runs that want the same."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time

import numpy as np
import pytest
from folders import config, names

import npvae as nv
from npvae.cli import folder as folders
from npvae.cli import takeover
from npvae.core import run_lock
from npvae.core.files import WriteError
from npvae.training import fit

HERE = run_lock.platform.node()


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def run(small_train, tmp_path):
    """A run of three epochs with a picture beside it."""
    folder = tmp_path / "run"
    assert small_train(folder).code == 0
    (folder / "loss.png").write_bytes(b"of this run")
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another run, whole after its first epoch."""
    from npvae.cli import main

    folder = tmp_path_factory.mktemp("other")
    line = "train --quiet --epochs 1 --hidden 4 --z-dim 2 --seed 5 --no-plots --out"
    assert main([*line.split(), str(folder)]) == 0
    (folder / "history.csv").unlink()
    return folder


def test_while_a_run_has_no_epoch_the_earlier_one_is_the_folders(small_train, run, monkeypatch):
    before, seen = contents(run), []

    def look(*arguments, **options):
        seen.append((contents(run), names(run)))
        raise KeyboardInterrupt

    monkeypatch.setattr(fit._Run, "_epoch", look)
    assert small_train(run, "--seed", 5).code == 130
    ((during, there),) = seen
    locks = {takeover.LOCK, f".{takeover.CHECKPOINT}.lock"}
    assert {n: c for n, c in during.items() if n not in locks} == before
    assert there == {*before, *locks, takeover.NEW}
    assert contents(run) == before
    assert names(run) == set(before)


def partly_moved(run, other, moved):
    """The folder of a new run that was killed after so many steps of taking the other's place."""
    new = run / takeover.NEW
    shutil.copytree(other, new)
    steps = [
        lambda: os.replace(new / "model.npz", run / "model.npz"),
        lambda: (run / "history.csv").unlink(),
        lambda: (run / "loss.png").unlink(),
        lambda: os.replace(new / "rows.npy", run / "rows.npy"),
        lambda: os.replace(new / "config.json", run / "config.json"),
        lambda: os.replace(new / "checkpoint.npz", run / "checkpoint.npz"),
    ]
    for step in steps[:moved]:
        step()


@pytest.mark.smoke(2)
@pytest.mark.parametrize("moved", range(7))
def test_a_run_that_was_killed_while_it_took_the_place_is_whole(npvae, run, other, moved):
    before = contents(run)
    partly_moved(run, other, moved)
    kept = before if moved == 0 else contents(other)
    assert (run / "model.npz").read_bytes() == kept["model.npz"]  # before anybody mends it
    assert npvae("info", run).code == 0
    assert contents(run) == kept
    assert names(run) == set(kept)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("moved", [0, 1, 5])
def test_what_is_resumed_is_what_the_folder_holds(npvae, small_train, run, other, moved):
    partly_moved(run, other, moved)
    assert npvae("train --no-plots --resume --epochs 4 --out", run).code == 0
    assert config(run)["training"]["seed"] == (5 if moved else 0)
    whole = {"model.npz", "config.json", "checkpoint.npz", "history.csv", "rows.npy"}
    assert names(run) == whole | (set() if moved else {"loss.png"})


def test_a_new_run_without_a_model_yet_is_swept(npvae, run, other):
    before = contents(run)
    for there in ([], ["config.json"], ["config.json", "model.npz"]):
        (run / takeover.NEW).mkdir()
        for name in there:
            shutil.copy(other / name, run / takeover.NEW)
        assert npvae("info", run).code == 0
        assert contents(run) == before
        assert names(run) == set(before)


def test_what_cannot_be_mended_is_read_as_it_is(npvae, run, other, monkeypatch):
    partly_moved(run, other, 2)
    monkeypatch.setattr(takeover, "locked", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(takeover, "put", lambda *paths: (_ for _ in ()).throw(OSError(30, "ro")))
    assert npvae("info", run).code == 0
    assert nv.load(run).config["hidden"] == [4]


def holder(folder, **said):
    said = {"process": 4321, "host": HERE, "since": "2024-01-02 03:04:05", **said}
    (folder / takeover.LOCK).write_text(json.dumps(said))


def test_of_two_runs_in_a_folder_the_second_is_refused(refused, run):
    before = contents(run)
    with takeover.locked_folder(run):
        for more in ([], ["--resume", "--epochs", 9]):
            line = refused("train", *more, "--out", run)
            assert f"'{run}' is in use: process {os.getpid()} on {HERE}" in line
        assert takeover.LOCK in names(run)
    assert contents(run) == before


def test_a_folder_that_is_in_use_can_be_read(npvae, run):
    with takeover.locked_folder(run):
        assert npvae("info", run).code == 0


def test_the_lock_of_a_dead_process_means_nothing(small_train, run):
    for left in (None, "", "{", "[1]", '{"process": 1}'):
        if left is None:
            holder(run, process=os.getpid())  # the number may have been given to another since
        else:
            (run / takeover.LOCK).write_text(left)
        assert small_train(run, "--epochs", 1).code == 0
        assert takeover.LOCK not in names(run)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(run_lock, "BEAT", 0.05)
    monkeypatch.setattr(run_lock, "WATCHED", 0.4)


def test_the_lock_of_another_machine_is_watched(small_train, refused, run, quick):
    holder(run, host="elsewhere")
    ended = threading.Event()
    with (run / takeover.LOCK).open("rb") as file:
        beating = threading.Thread(target=run_lock._beat, args=(file.fileno(), ended))
        beating.start()
        try:
            line = refused("train", "--out", run)
            assert "4321 on elsewhere has been training there since 2024-01-02 03:04:05" in line
        finally:
            ended.set()
            beating.join()
    assert small_train(run, "--epochs", 1).code == 0


def test_where_files_have_no_locks_a_run_is_known_by_its_touch(run, quick, monkeypatch):
    monkeypatch.setattr(run_lock.locks, "take", lambda descriptor: None)
    with (
        takeover.locked_folder(run),
        pytest.raises(WriteError, match="is in use"),
        takeover.locked_folder(run),
    ):
        pass
    holder(run)
    with takeover.locked_folder(run):
        pass


def test_a_lock_that_is_removed_while_it_is_asked_for_is_made_anew(tmp_path, monkeypatch):
    ask, asked = run_lock.locks.take, []

    def removed(descriptor):
        taken = ask(descriptor)
        if not asked:
            (tmp_path / takeover.LOCK).unlink()
        asked.append(taken)
        return taken

    monkeypatch.setattr(run_lock.locks, "take", removed)
    with takeover.locked_folder(tmp_path):
        assert asked == [True, True]
        assert json.loads((tmp_path / takeover.LOCK).read_text())["process"] == os.getpid()


def test_a_run_that_comes_first_while_the_data_are_read_is_kept(refused, tmp_path, monkeypatch):
    make = folders.RunFolder.make

    def late(self):
        tmp_path.joinpath("run").mkdir()
        nv.save(nv.VAE(4, 2, hidden=(3,)), tmp_path / "run" / "model.npz")
        make(self)

    monkeypatch.setattr(folders.RunFolder, "make", late)
    line = refused("train --hidden 4 --out", tmp_path / "run")
    assert "another process has written a run" in line
    assert names(tmp_path / "run") == {"model.npz"}


@pytest.mark.parametrize("name", ["model.npz", "checkpoint.npz", "config.json", "samples.png"])
def test_files_of_others_are_not_replaced(refused, tmp_path, name):
    file = tmp_path / name
    if name.endswith(".npz"):
        np.savez(file, w=np.ones(3))
    else:
        file.write_text('{"training": "mine"}')
    before = file.read_bytes()
    line = refused("train --epochs 1 --hidden 4 --out", tmp_path)
    assert f"'{file}' would be replaced, though nothing shows that npvae wrote it; choose" in line
    assert (names(tmp_path), file.read_bytes()) == ({name}, before)


def test_a_folder_in_place_of_a_file_is_refused(refused, run):
    (run / "latent.png").mkdir()
    assert "latent.png' would be replaced" in refused("train --out", run)


def test_other_files_of_the_folder_stay(small_train, run):
    (run / "sub").mkdir()
    (run / "sub" / "model.npz").write_bytes(b"mine")
    (run / ".model.npz.swp").write_bytes(b"an editor's")
    (run / ".model.npz.0a1b2c3d").write_bytes(b"left by a kill")
    before = names(run) - {".model.npz.0a1b2c3d", "loss.png"}
    assert small_train(run, "--seed", 1).code == 0
    assert names(run) == before
    assert (run / "sub" / "model.npz").read_bytes() == b"mine"


def test_what_another_process_is_writing_stays(small_train, run):
    from npvae.core.files import replacing

    with replacing(run / "model.npz") as file:
        (held,) = run.glob(".model.npz.*")
        assert small_train(run, "--resume", "--epochs", 4).code == 0
        assert held.exists()
        file.write(b"whatever")


def test_the_working_folder_and_links_are_folders_too(small_train, run, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(run)
    assert small_train(tmp_path / "link", "--seed", 1).code == 0
    assert (tmp_path / "link").is_symlink()
    assert config(run)["training"]["seed"] == 1
    monkeypatch.chdir(run)
    assert small_train(".", "--seed", 2).code == 0
    assert config(run)["training"]["seed"] == 2
    assert nv.load(".").config["seed"] == 2


def test_links_of_files_are_followed_and_permissions_kept(small_train, run, tmp_path):
    elsewhere = tmp_path / "elsewhere.npz"
    os.replace(run / "model.npz", elsewhere)
    (run / "model.npz").symlink_to(elsewhere)
    (run / "checkpoint.npz").chmod(0o600)
    assert small_train(run, "--seed", 1).code == 0
    assert (run / "model.npz").is_symlink()
    assert nv.load(elsewhere).config["seed"] == 1
    assert (run / "checkpoint.npz").stat().st_mode & 0o777 == 0o600


def test_a_link_to_another_disk_is_followed(small_train, run, tmp_path, monkeypatch):
    move, disk = os.replace, tmp_path / "disk"
    disk.mkdir()
    os.replace(run / "model.npz", disk / "model.npz")
    (run / "model.npz").symlink_to(disk / "model.npz")

    def between_disks(source, target):
        if os.path.dirname(target) == str(disk) != os.path.dirname(source):
            raise OSError(18, "Invalid cross-device link")
        move(source, target)

    monkeypatch.setattr(os, "replace", between_disks)
    assert small_train(run, "--seed", 1).code == 0
    assert nv.load(disk / "model.npz").config["seed"] == 1
    assert takeover.NEW not in names(run)


def test_what_is_no_folder_is_refused(refused, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name in ("file", "nowhere", "file/below"):
        assert "can't be written: " in refused("train --epochs 1 --out", tmp_path / name)
    assert names(tmp_path) == {"file", "nowhere"}


def test_options_that_are_refused_make_no_folder(refused, tmp_path):
    refused("train --data", tmp_path / "none.csv", "--out", tmp_path / "run")
    assert names(tmp_path) == set()


def test_a_disk_that_is_full_leaves_the_earlier_run(refused, run, monkeypatch):
    before = contents(run)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        line = refused("train --epochs 1 --hidden 4 --quiet --out", run)
        assert "no space left on device" in line
    assert contents(run) == before


def test_the_lock_is_touched_while_a_run_lasts(tmp_path, quick):
    with takeover.locked_folder(tmp_path):
        first = (tmp_path / takeover.LOCK).stat().st_mtime_ns
        end = time.monotonic() + 5
        while (tmp_path / takeover.LOCK).stat().st_mtime_ns == first and time.monotonic() < end:
            time.sleep(0.01)
        assert (tmp_path / takeover.LOCK).stat().st_mtime_ns != first


def test_a_disk_too_full_for_a_lock_is_left_without_one(refused, run, monkeypatch):
    before = names(run)

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    line = refused("train --out", run)
    assert f"'{run}' can't be written in: no space left on device" in line
    assert names(run) == before


def lines(folder):
    file = folder / takeover.HISTORY
    return file.read_bytes().decode().splitlines() if file.exists() else []


@pytest.fixture
def watched(monkeypatch):
    """Lines of history.csv as each epoch begins, while runs train in `watched.folder`."""
    seen, epoch = [], fit._Run._epoch

    def look(self, number, *arguments):
        seen.append(lines(seen_in.folder))
        return epoch(self, number, *arguments)

    monkeypatch.setattr(fit._Run, "_epoch", look)
    seen_in = type("Watched", (), {"folder": None, "seen": seen})
    return seen_in


def test_the_history_grows_by_epoch(small_train, tmp_path, watched):
    watched.folder = tmp_path / "run"
    small_train(watched.folder)
    small_train(watched.folder, "--seed", 5)  # the earlier run stays until the first epoch is whole
    new, again = watched.seen[:3], watched.seen[3:]
    assert [len(rows) for rows in new] == [0, 2, 3]
    assert [len(rows) for rows in again] == [4, 2, 3]
    kept = lines(watched.folder)
    assert again[-1] == kept[:-1]
    assert [row.split(",")[0] for row in kept] == ["epoch", "1", "2", "3"]


def test_a_resumed_run_mends_the_history_that_a_kill_cut_short(small_train, tmp_path, watched):
    watched.folder = tmp_path / "run"
    small_train(watched.folder)
    whole = lines(watched.folder)
    (watched.folder / takeover.HISTORY).write_text("\n".join([*whole, "4,12.5,1"]))
    small_train(watched.folder, "--resume", "--epochs", 5)
    assert [len(rows) for rows in watched.seen[3:]] == [5, 5]
    assert lines(watched.folder)[:4] == whole
    assert [row.split(",")[0] for row in lines(watched.folder)[1:]] == list("12345")


def test_a_history_that_somebody_took_away_is_written_in_the_end(
    small_train, tmp_path, monkeypatch
):
    def gone(self, path):
        raise PermissionError(13, "it is open elsewhere")

    monkeypatch.setattr("npvae.training.history.History.add_to_csv", gone)
    assert small_train(tmp_path / "run")[0] == 0
    assert len(lines(tmp_path / "run")) == 4
