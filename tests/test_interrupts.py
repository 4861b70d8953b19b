"""Ctrl-C held back for a block, and delivered after it."""

from __future__ import annotations

import io
import signal
import threading

import pytest

from npvae.core.interrupts import held_back


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def test_it_comes_when_the_block_has_ended():
    done = []

    @held_back()
    def work():
        ctrl_c()
        ctrl_c()
        done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()  # and then as ever


def test_the_first_one_is_answered_at_once(capsys):
    @held_back("wait a little")
    def work():
        ctrl_c()
        ctrl_c()
        assert capsys.readouterr().err == "wait a little\n"

    with pytest.raises(KeyboardInterrupt):
        work()


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_where_nobody_can_be_told(monkeypatch, stream):
    if stream is not None:
        stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(KeyboardInterrupt):
        held_back("wait a little")(ctrl_c)()


def test_without_one_nothing_happens():
    before = signal.getsignal(signal.SIGINT)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_of_blocks_within_each_other_the_outer_one_counts():
    done = []

    @held_back()
    def work():
        held_back()(ctrl_c)()
        done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_it_comes_on_top_of_an_error():

    @held_back()
    def work():
        ctrl_c()
        raise ValueError("what failed")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert str(caught.value.__context__) == "what failed"


def test_who_ignores_it_ignores_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_it_does_nothing():
    seen = []

    def work():
        with held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
