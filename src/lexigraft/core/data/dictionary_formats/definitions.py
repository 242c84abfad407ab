"""Translations in the definition texts of dictd and StarDict dictionaries."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_NUMBER = re.compile(r"\s*(?:\d+[.)]|[a-z]\))\s*")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|(?<!\S)/[^/\n]*/(?!\S)")
"""Remarks in brackets, labels such as ``<n>``, and pronunciations between slashes."""
_SEPARATOR = re.compile(r"[,;،、，；]")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?li|/?dt|/?dd|/def|/k)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def translations_in(definition: str, headword: str) -> list[str]:
    """The translations of a headword, each once and in order.

    A first line that begins with the headword is passed over where others follow. A number alone, or at the beginning
    of a line, begins a sense. The first line of a sense is its translations, separated by commas or semicolons, and so
    is a line that begins with a semicolon; the others are remarks. Brackets, labels and pronunciations are left out,
    and so are lines that point to another entry (``See also: {anza}``).

    Args:
        definition: The text of the entry.
        headword: Its headword.
    """
    lines = [line for line in definition.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].strip().casefold().startswith(headword.casefold()):
        lines = lines[1:]
    found: dict[str, None] = {}
    for line in _translation_lines(lines):
        plain = _ASIDE.sub(" ", line)
        for part in _SEPARATOR.split(plain):
            if text := " ".join(part.split()):
                found[text] = None
    return list(found)


def _translation_lines(lines: list[str]) -> Iterator[str]:
    begins = True
    for line in lines:
        numbered = _NUMBER.match(line)
        if numbered:
            begins, line = True, line[numbered.end() :]
        if not line.strip():
            continue
        if (begins or line.lstrip().startswith(";")) and "{" not in _ASIDE.sub("", line):
            yield line
        begins = False


def without_markup(text: str) -> str:
    """HTML, XDXF or Pango markup as plain text, blocks on lines of their own."""
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
