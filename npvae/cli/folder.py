"""The folder of a run that is trained: whose it is, and where the run's files go."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..core import interrupts
from ..core.files import WriteError, check_folder, make_folder
from . import runs, takeover


class RunFolder:
    """The folder that a run is written to, locked against others.

    Attributes
    ----------
    path : the folder as the user gave it
    at : where the run's files go now; a folder inside while an earlier run is kept

    Raises
    ------
    WriteError
        On entering: if another run is written there, or the folder can't be, or files are in it
        that would be replaced and are not npvae's.
    """

    def __init__(self, path: Path) -> None:
        self.path = self.at = path
        self._lock: contextlib.ExitStack | None = None

    def __enter__(self) -> RunFolder:
        if os.path.lexists(self.path):
            self._take()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is None:
            return
        with self._lock, interrupts.held_back(), contextlib.suppress(OSError):
            takeover.tidy(self.path)

    def _take(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(takeover.locked_folder(make_folder(self.path)))
            check_folder(self.path)
            takeover.tidy(self.path)
            _refuse_foreign(self.path)
            self._lock = stack.pop_all()

    def make(self) -> None:
        """Make the folder where it was missing.

        Raises
        ------
        WriteError
            As on entering, and if another run was written there meanwhile.
        """
        if self._lock is not None:
            return
        self._take()
        if runs.exists(self.path):
            raise WriteError(
                f"another process has written a run to '{self.path}' meanwhile; choose another "
                "--out."
            )

    def file(self, name: str) -> os.PathLike[str]:
        """The path of one of the run's files, wherever that is by the time it is asked for."""
        return _File(self, name)

    def keep_earlier_run(self) -> None:
        """Write beside the earlier run, until `replace_earlier_run`."""
        self.at = takeover.begin(self.path)

    def replace_earlier_run(self) -> None:
        """Let this run take the earlier one's place; its first epoch is whole."""
        if self.at != self.path:
            takeover.end(self.path)
            self.at = self.path


class _File(os.PathLike[str]):
    def __init__(self, folder: RunFolder, name: str) -> None:
        self._folder, self._name = folder, name

    def __fspath__(self) -> str:
        return os.fspath(self._folder.at / self._name)

    __str__ = __fspath__


def _refuse_foreign(path: Path) -> None:
    """Raise `WriteError` where a file of a run's name is not npvae's: nothing else is replaced."""
    there = [path / name for name in takeover.FILES if (path / name).exists()]
    foreign = [file for file in there if not file.is_file()]
    if not foreign and not _is_ours(path):
        foreign = there
    if foreign:
        raise WriteError(
            f"'{foreign[0]}' would be replaced, though nothing shows that npvae wrote it; choose "
            "another --out, or move it away."
        )


def _is_ours(path: Path) -> bool:
    """Whether a folder holds a run, or the settings of one."""
    models = [path / name for name in (takeover.MODEL, takeover.CHECKPOINT)]
    return any(file.is_file() and runs.may_be_model(file) for file in models) or runs.has_config(
        path
    )
