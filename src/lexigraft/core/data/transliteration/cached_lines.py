"""Transliterations of the lines of a text, kept in the cache folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lexigraft.core.data.transliteration.transliterators import (
    Transliterate,
    Transliterator,
    refuse_unchanged,
    transliterator,
    transliterator_version,
)
from lexigraft.core.utils.array_cache import Arrays, cached_arrays
from lexigraft.core.utils.hashing import hash_of

_BLOCK = 1024
"""Lines in one file of the cache: a text that grew at its end finds its first lines there."""


def transliterated(lines: Sequence[str], name: Transliterator, language: str | None, folder: Path) -> list[str]:
    """The transliteration of each line.

    Args:
        lines: The text; no line holds a line break.
        name: The transliterator.
        language: The language that its rules are asked by.
        folder: The cache folder.

    Returns:
        As many lines.

    Raises:
        LexigraftError: See :func:`transliterator`; or no line is changed.
    """
    romanize = transliterator(name, language)
    made_by = [transliterator_version(name), language]
    found: list[str] = []
    for start in range(0, len(lines), _BLOCK):
        block = list(lines[start : start + _BLOCK])
        path = folder / "transliterations" / f"{hash_of([made_by, block])}.npz"
        found += cached_arrays(path, partial(_written, romanize, block), _bytes, _lines)
    refuse_unchanged(found != list(lines), name, language)
    return found


def _written(romanize: Transliterate, lines: list[str]) -> list[str]:
    return [" ".join(romanize(line).split()) for line in lines]


def _bytes(lines: Iterable[str]) -> Arrays:
    return {"text": np.frombuffer("\n".join(lines).encode("utf-8", "surrogatepass"), np.uint8)}


def _lines(arrays: Arrays) -> list[str]:
    return arrays["text"].tobytes().decode("utf-8", "surrogatepass").split("\n")
