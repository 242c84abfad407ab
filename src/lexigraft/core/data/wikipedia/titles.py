"""Titles as MediaWiki normalizes them."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

_SPACES = re.compile("[ _\t\r\n\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e]+")
_FORBIDDEN = re.compile("[\\x00-\\x1f\\x7f<>\\[\\]{}|\ufffd]|%[0-9A-Fa-f]{2}")
_DOTTED = frozenset({"az", "kaa", "tr"})
"""Wikipedias whose capital of ``i`` is ``İ``: Azerbaijani, Karakalpak, Turkish."""
_WITHOUT_CAPITAL = re.compile("[\u10d0-\u10ff]")
"""Georgian letters: their capitals of 2018 begin no title."""
LONGEST = 255
"""UTF-8 bytes of a title, at most."""


def clean(title: str) -> str:
    """A title with single spaces, in NFC, without marks of direction; its first letter stays as it is."""
    title = _SPACES.sub(" ", _INVISIBLE.sub("", title)).strip(" ")
    return title if title.isascii() else unicodedata.normalize("NFC", title)


def decoded(title: str) -> str:
    """A link's target with its percent signs decoded, where that gives UTF-8."""
    if "%" not in title:
        return title
    plain = unquote(title, errors="replace")
    return title if "\ufffd" in plain else plain


def capitalized(title: str, language: str) -> str:
    """A title with a capital first letter, by the rules of the wiki's language.

    A letter whose capital is two letters (ß) stays, as in MediaWiki.
    """
    first = title[:1]
    if first == "i" and language in _DOTTED:
        return f"İ{title[1:]}"
    capital = first.upper()
    return title if len(capital) != 1 or _WITHOUT_CAPITAL.match(first) else capital + title[1:]


def is_valid(title: str) -> bool:
    """Whether MediaWiki takes this as a title."""
    if not title or title in (".", "..") or _FORBIDDEN.search(title) or len(title.encode("utf-8")) > LONGEST:
        return False
    return not title.startswith(("./", "../")) and "/./" not in title and "/../" not in title and "~~~" not in title
