"""One mutant: what is damaged, who reads it, and whether that went as it must."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import npvae as nv
from npvae.cli import main
from npvae.core.errors import NpvaeError
from npvae.tables.sheets import SHEETS

from . import mutate
from .subjects import Subjects

try:
    import resource
except ImportError:  # on Windows, where memory has no such limit
    resource = None  # type: ignore[assignment]

MEMORY = 500 << 20
"""Bytes of address space that a mutant may take beyond what there is before."""
PROCESSOR, WALL = 20.0, 120.0
"""Seconds of processor time and of the clock that it may take."""
_RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST = 1100
_SHORT_OF_MEMORY = "not enough memory"

Rng = np.random.Generator


class TooLong(BaseException):
    """It took too much time; no `except Exception` may swallow that."""


@dataclass
class Verdict:
    """What became of a mutant: "result", "sentence", or what is wrong."""

    number: int
    what: str
    kind: str
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.kind in ("result", "sentence")


class Trials:
    """Mutants by their numbers; a number and a seed always make the same one."""

    def __init__(self, subjects: Subjects, seed: int, folder: Path) -> None:
        self.subjects, self.seed, self.folder = subjects, seed, folder
        self._file = folder / "file"

    def run(self, number: int) -> Verdict:
        rng = np.random.default_rng([self.seed, number])
        of = (self._of_run, self._of_run, self._of_model, self._of_fit, self._of_table,
              self._of_table, self._of_table_command, self._of_array)[number % 8]  # fmt: skip
        work = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            what, call = of(rng, work)
            return self._judged(number, what, call)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _judged(self, number: int, what: str, call: Callable[[], str]) -> Verdict:
        out, err = io.StringIO(), io.StringIO()
        try:
            with (
                _limits(),
                warnings.catch_warnings(),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                warnings.simplefilter("ignore")
                kind = call()
        except NpvaeError as error:
            kind = "sentence"
            print(f"npvae: error: {error}", file=err)
        except TooLong:
            return Verdict(number, what, "took too long", traceback.format_exc())
        except Exception as error:
            return Verdict(number, what, type(error).__name__, traceback.format_exc())
        wrong = _wrong_output(out.getvalue(), err.getvalue(), kind == "sentence")
        if _SHORT_OF_MEMORY in err.getvalue():
            wrong = "took too much memory"
        return Verdict(number, what, wrong or kind, err.getvalue()[:3000])

    def _of_run(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A file of a run folder is damaged, and a command reads the run."""
        name = _one(rng, list(self.subjects.runs))
        files = dict(self.subjects.runs[name])
        damaged = _one(rng, ["config.json"] * 2 + ["checkpoint.npz", *files])
        files[damaged] = _mutant(damaged, files[damaged], rng)
        if rng.random() < 0.1:
            del files[_one(rng, list(files))]
        run = work / "run"
        run.mkdir()
        for file, content in files.items():
            (run / file).write_bytes(content)
        line = _command(rng, run, work)
        return f"{name}/{damaged}: npvae {' '.join(line)}", lambda: _command_line(line)

    def _of_model(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A model file is damaged, loaded and used."""
        name = _one(rng, list(self.subjects.runs))
        content = _mutant("model.npz", self.subjects.runs[name]["model.npz"], rng)

        def call() -> str:
            model = nv.load(content)
            x = np.zeros((2, model.x_dim))
            mu, _ = model.encode(x)
            model.decode(mu)
            model.sample(2)
            if getattr(model, "schema", None) is not None:
                nv.tables.write(work / "a.csv", model.schema, model.sample(3, take="draw"))
            return "result"

        return f"{name}/model.npz: nv.load, encode, sample", call

    def _of_fit(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A checkpoint is damaged, and `fit` resumes it."""
        x = np.random.default_rng(0).random((20, 4))
        file = work / "c.npz"
        options = dict(batch_size=8, valid=x[:5], checkpoint=file, threads=1)

        def fit(epochs: int, resume: bool) -> None:
            model = nv.VAE(4, 2, hidden=(3,))
            nv.fit(
                model, x, epochs=epochs, resume=resume, callbacks=[nv.EarlyStopping(3)], **options
            )

        fit(2, False)
        file.write_bytes(_mutant("checkpoint.npz", file.read_bytes(), rng))

        def call() -> str:
            fit(3, True)
            return "result"

        return "checkpoint: nv.fit(resume=True)", call

    def _of_table(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A table is damaged, read, written, and read again: the same rows."""
        name = _one(rng, list(self.subjects.tables))
        file = work / "t.csv"
        file.write_bytes(mutate.any_table(self.subjects.tables[name], rng))

        def call() -> str:
            table = nv.tables.read(file)
            nv.tables.write(work / "again.csv", table.schema, table.x)
            again = nv.tables.read(work / "again.csv", schema=table.schema)
            whole = np.round(again.x, 6) == np.round(table.x, 6)
            close = np.isclose(again.x, table.x, rtol=1e-3, atol=1e-9)
            assert (whole | close | np.isnan(table.x)).all(), "what was written is read otherwise"
            nv.tables.Schema.of(table.schema.config)
            return "result"

        return f"{name}: nv.tables.read, write, read", call

    def _of_table_command(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A table is damaged, and a command trains on it or takes it for a run's."""
        file = work / "t.csv"
        if rng.random() < 0.4:
            name = _one(rng, list(self.subjects.tables))
            line = ["train", "--data", str(file), "--out", str(work / "new"), "--epochs", "1"]
            line += ["--hidden", "4", "--threads", "1", "--batch-size", "16"]
            line += ["--no-plots"] if rng.random() < 0.95 else []
        else:
            name = "mixed.csv"
            run = work / "run"
            run.mkdir()
            for part, content in self.subjects.runs["table"].items():
                (run / part).write_bytes(content)
            line = [*_command(rng, run, work, reads_data=True), "--data", str(file)]
        file.write_bytes(mutate.any_table(self.subjects.tables[name], rng))
        return f"{name}: npvae {' '.join(line)}", lambda: _command_line(line)

    def _of_array(self, rng: Rng, work: Path) -> tuple[str, Callable[[], str]]:
        """A data file is damaged and read."""
        name = _one(rng, list(self.subjects.arrays))
        file = work / name
        file.write_bytes(_mutant(name, self.subjects.arrays[name], rng))
        if file.suffix in SHEETS:
            return f"{name}: nv.tables.read", lambda: nv.tables.read(file) and "result"
        if rng.random() < 0.7:

            def call() -> str:
                read = nv.datasets.load(file)
                np.asarray(read[0] if isinstance(read, tuple) else read).sum()
                return "result"

            return f"{name}: nv.datasets.load", call
        line = ["train", "--data", str(file), "--out", str(work / "new"), "--epochs", "1"]
        line += ["--hidden", "4", "--threads", "1", "--no-plots", "--z-dim", "2"]
        return f"{name}: npvae {' '.join(line)}", lambda: _command_line(line)


def _one(rng: Rng, choices: list[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _mutant(name: str, content: bytes, rng: Rng) -> bytes:
    suffix = Path(name).suffix
    ways = {
        ".json": mutate.any_json,
        ".npz": mutate.any_npz,
        ".xlsx": mutate.any_npz,
        ".npy": mutate.any_npy,
        ".csv": mutate.any_table,
    }
    way = ways.get(suffix, mutate.any_bytes)
    return (mutate.any_bytes if rng.random() < 0.2 else way)(content, rng)


def _command(rng: Rng, run: Path, work: Path, reads_data: bool = False) -> list[str]:
    """A command that reads a run, with little to do."""
    picture = rng.random() < 0.03
    out = str(work / ("out.png" if picture else _one(rng, ["out.csv", "out.npy"])))
    npy = str(work / ("out.png" if picture else "out.npy"))
    lines = [
        ["evaluate", str(run), "--samples", "3", *(["--json"] if rng.random() < 0.5 else [])],
        ["reconstruct", str(run), "--out", out],
        ["interpolate", str(run), "--out", npy, "--pairs", "2", "--steps", "3"],
        ["latent", str(run), "--out", out],
    ]
    if not reads_data:
        lines += [
            ["info", str(run)],
            ["sample", str(run), "-n", "5", "--out", out],
            ["train", "--resume", "--out", str(run), "--epochs", "3", "--no-plots"],
            ["train", "--resume", "--out", str(run), "--epochs", "3", "--no-plots", "--quiet"],
        ]
    return lines[int(rng.integers(len(lines)))]


def _command_line(line: list[str]) -> str:
    """Whether a command ended with results or a sentence; anything else raises."""
    code = main(line)
    assert code in (0, 1, 2), f"exit code {code}"
    return "sentence" if code == 2 else "result"


def _wrong_output(out: str, err: str, refused: bool) -> str:
    """What is wrong with what was printed, or ""."""
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("npvae: error: ")]
    if refused and (len(errors) != 1 or lines[-1] != errors[0]):
        return "not one sentence"
    if not refused and errors:
        return "an error with exit code 0"
    if _RAW.search(out) or _RAW.search(err):
        return "raw control characters on the terminal"
    if max(map(len, (out + err).splitlines()), default=0) > _LONGEST:
        return "a line without end"
    return ""


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Time and memory run out; where the system has no such limits, they do not."""
    with contextlib.ExitStack() as stack:
        if hasattr(signal, "setitimer"):
            for timer, sign, seconds in (
                (signal.ITIMER_PROF, signal.SIGPROF, PROCESSOR),
                (signal.ITIMER_REAL, signal.SIGALRM, WALL),
            ):
                before = signal.signal(sign, _too_long)
                stack.callback(signal.signal, sign, before)
                signal.setitimer(timer, seconds)
                stack.callback(signal.setitimer, timer, 0)
        if resource is not None and os.path.exists("/proc/self/statm"):
            limits = resource.getrlimit(resource.RLIMIT_AS)
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + MEMORY
            stack.callback(resource.setrlimit, resource.RLIMIT_AS, limits)
            resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
        yield


def _too_long(*_: object) -> None:
    raise TooLong
