"""Dictionaries of StarDict: `.ifo`, `.idx` and `.dict`, plain or compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from lexigraft.core.data.dictionary import Row
from lexigraft.core.data.dictionary_formats.definitions import translations_in, without_markup
from lexigraft.core.data.dictionary_formats.file_content import beside, content_of
from lexigraft.core.errors import LexigraftError

_FIRST_LINE = "StarDict's dict ifo file"
_PLAIN, _MARKED = "ml", "ghx"
"""Types of fields that are read: text, and text with the markup of Pango, HTML or XDXF."""
_LONGEST_WORD = 1024


def read_stardict(path: Path) -> Iterator[Row | None]:
    """Rows of headword and translation; None for an entry without a translation, or outside the file.

    Args:
        path: The ``.ifo``; the others lie beside it. Synonyms (``.syn``) are not read.

    Raises:
        LexigraftError: A missing or damaged file, or one of another kind.
    """
    stem = path.name.partition(".ifo")[0].partition(".dict")[0]
    facts = _facts(beside(path, stem, ".ifo"))
    index = beside(path, stem, ".idx", ".idx.gz")
    text = content_of(beside(path, stem, ".dict", ".dict.dz", ".dict.gz"))
    for headword, start, length in _entries(content_of(index), index, facts.get("idxoffsetbits") == "64"):
        found: list[str] = []
        if start + length <= len(text):
            definition = _definition(text[start : start + length], facts.get("sametypesequence", ""))
            found = translations_in(definition, headword)
        yield from ((headword, translation, None) for translation in found)
        if not found:
            yield None


def _facts(path: Path) -> Mapping[str, str]:
    first, *lines = content_of(path).decode(errors="replace").lstrip("\ufeff").splitlines() or [""]
    if first.strip() != _FIRST_LINE:
        raise LexigraftError("not the .ifo of a StarDict dictionary", path, f"Its first line is: {_FIRST_LINE}")
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _entries(data: bytes, path: Path, long_offsets: bool) -> Iterator[tuple[str, int, int]]:
    """Each headword with the place and the length of its entry."""
    numbers = struct.Struct(">QI" if long_offsets else ">II")
    at = 0
    while at < len(data):
        end = data.find(b"\0", at, at + _LONGEST_WORD)
        if end < 0 or end + 1 + numbers.size > len(data):
            raise LexigraftError("index of the dictionary is damaged", f"{path}, byte {at:,}", "Fetch it again")
        start, length = numbers.unpack_from(data, end + 1)
        yield data[at:end].decode(errors="replace"), start, length
        at = end + 1 + numbers.size


def _definition(data: bytes, types: str) -> str:
    """The texts of an entry. Without a sequence of types each field begins with its own.

    Fields of lower-case types end with a zero byte, the others begin with their size; with a sequence of types the last
    field goes to the end of the entry.
    """
    parts: list[str] = []
    fields, at = list(types), 0
    while at < len(data) and (fields or not types):
        kind = fields.pop(0) if types else chr(data[at])
        at += not types
        if types and not fields:
            start, end, following = at, len(data), len(data)
        elif kind.isupper():
            start = at + 4
            end = following = start + int.from_bytes(data[at:start], "big")
        else:
            start, found = at, data.find(b"\0", at)
            end = found if found >= 0 else len(data)
            following = end + 1
        value = data[start:end].decode(errors="replace")
        if kind in _PLAIN or kind in _MARKED:
            parts.append(without_markup(value) if kind in _MARKED else value)
        at = following
    return "\n".join(parts)
