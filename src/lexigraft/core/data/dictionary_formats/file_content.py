"""The whole content of a plain or compressed file, in bounds."""

from __future__ import annotations

from pathlib import Path

from lexigraft.core.data.wikipedia.compressed import ByteBlocks
from lexigraft.core.errors import LexigraftError

MOST_BYTES = 2**30
"""Bytes that are read; the largest dictionaries hold a few hundred megabytes."""


def content_of(path: Path) -> bytes:
    """The content; gzip and bzip2 by their first bytes, dictzip is gzip.

    Raises:
        LexigraftError: The file is missing, damaged, too large, or grows without measure.
    """
    if not path.is_file():
        raise LexigraftError("a file of the dictionary is missing", path, "Put it beside the others")
    blocks, parts, size = ByteBlocks(path), list[bytes](), 0
    for block in blocks:
        size += len(block)
        if size > MOST_BYTES:
            raise LexigraftError("dictionary file is too large", path, f"At most {MOST_BYTES:,} bytes are read")
        parts.append(block)
    if blocks.damage is not None:
        raise LexigraftError("dictionary file is damaged", blocks.damage, "Fetch it again")
    return b"".join(parts)


def beside(path: Path, stem: str, *endings: str) -> Path:
    """The first of ``stem`` with each ending that is a file beside another one; the first of all where none is."""
    candidates = [path.with_name(stem + ending) for ending in endings]
    return next(filter(Path.is_file, candidates), candidates[0])
