"""Text of files on a terminal and in messages: escaped, and short."""

from __future__ import annotations

import pytest

import npvae as nv
from npvae.core.wording import LONGEST_LINE, cut, printable, readable, short

RAW = ["\x1b", "\0", "\r", "\t", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\ud800", "\udfff"]


@pytest.mark.parametrize("letter", RAW)
def test_what_a_terminal_would_obey_is_an_escape(letter):
    shown = printable(f"a{letter}b")
    assert shown == f"a{letter.encode('unicode_escape').decode()}b"
    assert shown.isprintable()
    assert readable(letter) == printable(letter)


def test_letters_of_all_scripts_stay():
    text = "Ünï 東京 مرحبا 😀 1\u00a0234,5 e\u0301 \\n $ #_^{}"
    assert printable(text) == text


def test_line_ends_stay_between_lines_alone():
    assert printable("a\nb") == "a\\nb"
    assert printable("a\nb\r", lines=True) == "a\nb\\r"


def test_long_lines_are_cut_in_their_middle():
    text = "start" + "x" * 400_000 + "end\nnext"
    first, second = readable(text).split("\n")
    assert len(first) == LONGEST_LINE
    assert first.startswith("start")
    assert " ... " in first
    assert first.endswith("end")
    assert second == "next"
    for most in (10, 11, 12):
        assert len(cut("x" * 100, most)) == most
        assert cut("x" * most, most) == "x" * most


def test_short_names():
    assert short("name") == "name"
    assert short("x" * 25) == "x" * 23 + "…"
    assert len(short("\x1b" * 400_000)) == 24


def test_errors_quote_nothing_raw():
    error = nv.DataError("column '\x1b[31m\ud800' " + "x" * 100_000 + ".")
    assert str(error).isprintable()
    assert len(str(error)) == LONGEST_LINE
