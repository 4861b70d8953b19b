"""Latin letters that Western Europe has not: which codec a text of them has."""

from __future__ import annotations

import re
from typing import NamedTuple

_L = r"[^\W\d_]"
_CENTRAL = ("cp1250", "iso-8859-2")
_BALTIC = ("cp1257",)
_SLAVIC = "áäèïéìíåòóôàøšúùýžöüßæêñœŸÁÄÈÏÉÌÍÅÒÓÔÀØŠÚÙÝŽÖÜÆÊÑŒ"
_HUNGARIAN = "áéíóöúüõûÁÉÍÓÖÚÜÕÛ"
_ROMANIAN = "ãâîºªþÃÂÎÞ"
_SOUTHERN = "èæðšžÈÆÐŠŽ"


class Sign(NamedTuple):
    """What gives letters away that are not Western; all are as Windows' Western code page has them.

    Attributes
    ----------
    looks : pattern
        Letters that no Western language has at such a place.
    codecs : tuple of str
        Those that can be meant.
    alphabet : str
        The letters of the languages that are meant, but for those of ASCII. If the text has others
        it is not known which it is.
    beside : str
        Letters of which the text must have one as well; "" where that is not needed.
    weak : bool
        Whether it is no sign where the text has other letters: a list of names from many countries.
    sure : bool
        Whether no Western language is likely.
    """

    looks: re.Pattern[str]
    codecs: tuple[str, ...]
    alphabet: str
    beside: str = ""
    weak: bool = False
    sure: bool = True


_SIGNS = (
    # Łódź, woźny, město, Kč
    Sign(re.compile(f"{_L}[¹³¿±¶¼¾¯£]{_L}|[a-zß-ÿ]Ÿ|£[ß-ÿ]|ì{_L}|\\bKè\\b"), _CENTRAL, _SLAVIC),
    # ışık, çağ
    Sign(re.compile("[a-zß-ÿ][ðþý]"), ("cp1254",), "", "çÇüÜ", sure=False),
    # Ťažký
    Sign(re.compile(f"\ufffd{_L}|{_L}\ufffd"), _CENTRAL, _SLAVIC),
    # Erdős, Győr: in Portuguese õ stands before e alone; Estonian has no á, é, í, ó and ú
    Sign(re.compile("õ(?!e)"), _CENTRAL, _HUNGARIAN, "áéíóúÁÉÍÓÚ", weak=True),
    Sign(re.compile(f"{_L}û"), _CENTRAL, _HUNGARIAN, "öÖ", weak=True),
    Sign(re.compile("õ(?!e)"), (*_CENTRAL, "cp1257"), _HUNGARIAN, weak=True, sure=False),
    # Timişoara, Ştefan, Constanţa, Brăila: in Portuguese ã stands before o, e, i or at an end
    Sign(re.compile(f"{_L}º{_L}|\\bª[a-z]|ã[bcdfghjklmnprstv]"), _CENTRAL, _ROMANIAN),
    Sign(re.compile("[þÞ]"), _CENTRAL, _ROMANIAN, "ãÃ"),
    # Petrović; Kočevje beside Žužemberk
    Sign(re.compile(r"[a-z]iæ\b"), _CENTRAL, _SOUTHERN),
    Sign(re.compile("[èæÈÆ]"), _CENTRAL, _SOUTHERN, "šžŠŽ", weak=True),
    # Šiauliai, Panevėžys, Rīga
    Sign(
        re.compile("[ðþÐÞ]"), _BALTIC, "àèæëáðøûþâçìîíïòÀÈÆËÁÐØÛÞÂÇÌÎÍÏÒ", "èëûâìîïòÈËÛ", weak=True
    ),
)


def codecs_of(data: bytes) -> tuple[dict[str, str], bool]:
    """The codecs of other countries that can be meant, each with a word, and whether one is sure.

    Then it is the first. There are none where nothing speaks against Western letters.
    """
    text = data.decode("cp1252", "replace")
    letters = {char for char in text if not char.isascii() and char.isalpha()}
    for sign in _SIGNS:
        match = sign.looks.search(text)
        others = letters - set(sign.alphabet)
        if match is None or (sign.beside and letters.isdisjoint(sign.beside)):
            continue
        if sign.weak and others:
            continue
        read = {codec: data.decode(codec, "replace") for codec in sign.codecs}
        likely = {codec: text for codec, text in read.items() if _is_likely(text)}
        if "\ufffd" in text and not likely:
            continue
        read = likely or read
        sure = sign.sure and len(set(read.values())) == 1 and not others
        word = _word_around(text, match, data)
        return {codec: word.decode(codec, "replace") for codec in (*read, "cp1252")}, sure
    return {}, False


_MARK_IN_WORD = re.compile(f"{_L}[\xa0-\xa9\xab-\xb9\xbb-\xbf]{_L}|{_L}[\x80-\x9f]|[\x80-\x9f]{_L}")
_CAPITAL_IN_WORD = re.compile(r"[a-z]([^\W\d_a-zA-Z])(?![A-Z])")


def _is_likely(text: str) -> bool:
    """Whether words have no marks in them, and no capitals behind small letters."""
    if "\ufffd" in text or _MARK_IN_WORD.search(text):
        return False
    return not any(match[1].isupper() for match in _CAPITAL_IN_WORD.finditer(text))


def _word_around(text: str, match: re.Match[str], data: bytes) -> bytes:
    """The bytes of the word that a match is in; each letter is one."""
    start = max(text.rfind(mark, 0, match.end() - 1) for mark in '\n\r\t;,|" ') + 1
    word = re.split(r"[\s;,|\"]", text[start:], maxsplit=1)[0]
    return data[start : start + len(word)]
