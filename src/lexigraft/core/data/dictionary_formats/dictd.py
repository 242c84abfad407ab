"""Dictionaries of dictd, the format that FreeDict publishes: `.index` and `.dict`, plain or compressed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lexigraft.core.data.dictionary import Row
from lexigraft.core.data.dictionary_formats.definitions import translations_in
from lexigraft.core.data.dictionary_formats.file_content import beside, content_of
from lexigraft.core.errors import LexigraftError

_DIGITS = {c: n for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_ENDING = re.compile(r"\.(?:dict|index)(?:\.dz|\.gz)?$")
_FACTS = ("00database", "00-database")
"""Beginnings of headwords under which a dictionary speaks of itself."""


def read_dictd(path: Path) -> Iterator[Row | None]:
    """Rows of headword and translation; None for an entry without a translation, or outside the file.

    Args:
        path: The ``.dict`` (or ``.dict.dz``, ``.dict.gz``) or the ``.index``; the other one lies beside it.

    Raises:
        LexigraftError: A missing or damaged file, or text that is not UTF-8.
    """
    stem = _ENDING.sub("", path.name)
    index = beside(path, stem, ".index", ".index.gz", ".index.dz")
    text = content_of(beside(path, stem, ".dict", ".dict.dz", ".dict.gz"))
    for number, line in enumerate(_utf8(content_of(index), f"{index}").splitlines(), 1):
        columns = line.split("\t")
        if columns[0].startswith(_FACTS) or not line:
            continue
        place = _place(columns, len(text))
        if place is None:
            yield None
            continue
        headword = columns[3] if len(columns) > 3 else columns[0]
        definition = _utf8(text[slice(*place)], f"{path}, entry {number} ({headword})")
        found = translations_in(definition, headword)
        yield from ((headword.strip(), translation, None) for translation in found)
        if not found:
            yield None


def _place(columns: list[str], size: int) -> tuple[int, int] | None:
    """Where an entry begins and ends; None for a line that says no such place."""
    if len(columns) not in (3, 4) or not columns[0].strip():
        return None
    start, length = map(_number, columns[1:3])
    return (start, start + length) if start >= 0 and length > 0 and start + length <= size else None


def _number(text: str) -> int:
    """A number in the base 64 of dictd, the highest digit first; -1 for anything else."""
    value = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None or len(text) > 10:
            return -1
        value = value * 64 + digit
    return value if text else -1


def _utf8(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise LexigraftError("dictionary is not UTF-8", where, "Convert it to UTF-8") from None
