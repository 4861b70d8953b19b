"""Where progress is shown: on terminals and in notebooks, in pipes, and where there is nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import types

import numpy as np
import pytest

import npvae as nv
from npvae.core import progress, streams
from npvae.core.progress import Bar, LogLines, NotebookBar, Silent, reporter

X = np.random.default_rng(0).random((24, 4))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Bare:
    """A stream of a program that has its own: nothing but write."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Bare(), io.StringIO()])
def test_what_is_no_terminal(stream):
    assert not streams.is_terminal(stream)
    assert streams.is_terminal(Terminal())


@pytest.mark.parametrize("stream", [None, closed()])
def test_lines_to_nowhere_are_lost_and_go_nowhere_else(stream, capsys):
    streams.write_line("hello", stream)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stream", [None, closed(), Bare()])
@pytest.mark.parametrize("shown", [True, None, False])
def test_training_and_scoring_need_no_standard_error(stream, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream if shown else sys.stdout)
    monkeypatch.setattr(Bare, "flush", lambda self: None, raising=False)
    nv.use_kernels("numpy")
    model = nv.VAE(4, 2, hidden=(3,))
    nv.fit(model, X, epochs=2, progress=shown)
    nv.use_kernels(None)
    nv.log_likelihood(model, X, n_samples=3, progress=bool(shown))
    with progress.notice_if_slow("slow", seconds=0):
        pass


def asked(monkeypatch, shown, out, err, done=0):
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return type(reporter(shown, 3, 10, done))


def test_none_is_shown_to_who_watches_alone(monkeypatch):
    monkeypatch.setattr(
        progress, "Bar", lambda *sizes: LogLines(*sizes[:2])
    )  # a StringIO has no width
    terminal, pipe = Terminal(), io.StringIO()
    assert asked(monkeypatch, None, terminal, terminal) is LogLines
    for out, err in ((pipe, pipe), (pipe, terminal), (terminal, pipe), (None, None)):
        assert asked(monkeypatch, None, out, err) is Silent
        assert asked(monkeypatch, False, out, err) is Silent
    assert asked(monkeypatch, True, pipe, pipe) is LogLines
    assert asked(monkeypatch, True, pipe, pipe, done=3) is Silent


def test_without_a_width_a_terminal_gets_lines(monkeypatch):
    assert asked(monkeypatch, True, Terminal(), Terminal()) is LogLines


class Handle:
    def __init__(self):
        self.lines = []

    def update(self, data, raw):
        assert raw
        self.lines.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    """IPython as a kernel has it; gives what its one output cell showed."""
    handle = Handle()

    def display(data, raw, display_id):
        handle.update(data, raw)
        return handle

    ipython = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=1),
        display=types.SimpleNamespace(display=display),
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return handle.lines


@pytest.mark.parametrize("shown", [None, True])
def test_a_notebook_has_one_line_that_ends_as_that_of_the_last_epoch(notebook, shown, capsys):
    pytest.importorskip("tqdm")
    nv.use_kernels("numpy")
    history = nv.fit(nv.VAE(4, 2, hidden=(3,)), X, epochs=4, progress=shown)
    nv.use_kernels(None)
    assert capsys.readouterr() == ("", "")
    assert notebook[-1] == progress.epoch_summary(history.records[-1], 4)
    assert all("\n" not in line for line in notebook)
    assert "examples" in notebook[0]


def test_a_terminal_with_ipython_is_no_notebook(monkeypatch):
    shell = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not streams.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert not streams.in_notebook()


def record(epoch):
    losses = dict(train_loss=3.0, train_rec=2.0, train_kl=1.0, valid_loss=None)
    return {"epoch": epoch, **losses, "seconds": 2.0}


def lines_of(capsys, monkeypatch, epochs, seconds, steps=1):
    """What a pipe gets of epochs that take so many seconds each."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = LogLines(epochs, 100)
    for epoch in range(1, epochs + 1):
        for _ in range(steps):
            now[0] += seconds / steps
            shown.step(100 // steps, {"loss": 3.0})
        shown.epoch(record(epoch))
    shown.close()
    return [
        " ".join(line.split("  loss")[0].split()) for line in capsys.readouterr().out.splitlines()
    ]


def test_a_pipe_gets_each_of_a_few_epochs(capsys, monkeypatch):
    assert lines_of(capsys, monkeypatch, 3, 0.1) == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_a_pipe_gets_some_of_many_quick_epochs(capsys, monkeypatch):
    lines = lines_of(capsys, monkeypatch, 105, 0.01)
    assert len(lines) == 19
    assert lines[:2] + lines[-1:] == ["epoch 1/105", "epoch 6/105", "epoch 105/105"]


def test_a_pipe_gets_a_line_every_few_seconds_of_slow_epochs(capsys, monkeypatch):
    assert lines_of(capsys, monkeypatch, 1, 12.0, steps=10) == [
        "epoch 1/1, 50 %",
        "epoch 1/1, 100 %",
        "epoch 1/1",
    ]
    assert len(lines_of(capsys, monkeypatch, 1000, 0.6)) >= 100


def test_the_rate_is_that_of_the_epoch(capsys):
    shown = LogLines(1, 100)
    shown.epoch(record(1))
    assert capsys.readouterr().out == "epoch 1/1  loss 3.00, rec 2.00, KL 1.00  50 examples/s\n"


CLOSED = "import sys; from npvae.cli import main; sys.exit(main({!r}))"


@pytest.mark.smoke(1)
@pytest.mark.parametrize("streams_closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_the_command_line_runs_with_its_streams_closed(tmp_path, streams_closed):
    arguments = ["train", "--epochs", "2", "--no-plots", "--out", "run"]
    command = f"{sys.executable} -c '{CLOSED.format(arguments).replace(chr(39), chr(34))}'"
    done = subprocess.run(
        f"{command} {streams_closed}", shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert ("Done in" in done.stdout) == (streams_closed == "2>&-")
    assert nv.load(tmp_path / "run").x_dim == 64


def test_an_error_that_nobody_reads_is_one():
    refusal = f"{sys.executable} -c '{CLOSED.format(['nothing']).replace(chr(39), chr(34))}'"
    done = subprocess.run(f"{refusal} 2>&-", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, ""), "an error never goes to standard output"


def test_a_bar_asks_for_no_width_in_a_notebook(notebook):
    pytest.importorskip("tqdm")
    bar = NotebookBar(2, 10, 0)
    bar.step(10, {"loss": 1.0})
    bar.epoch(record(1))
    bar.close()
    assert isinstance(bar, Bar)
    assert notebook[-1].startswith("epoch 1/2  loss 3.00")
