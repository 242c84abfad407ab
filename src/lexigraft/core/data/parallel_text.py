"""Parallel text of two files, line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError


@dataclass(frozen=True)
class SentencePairs:
    """Sentences of both languages, pair by pair, none empty, each pair once.

    Attributes:
        source: Sentences of the source language.
        target: Their translations.
        dropped: Pairs left out because a side was empty or held out, or the pair was a repetition.
        hash: SHA-256 (hex) over the pairs in order.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    dropped: int
    hash: str

    def __len__(self) -> int:
        return len(self.source)


def load_parallel(settings: ParallelSettings, unseen: Collection[str] = ()) -> SentencePairs:
    """Read two files (or lists of files) line by line.

    Args:
        settings: The files of both sides, and how many lines to read at most.
        unseen: Lines (of either side) that models are evaluated on: pairs that contain one are left out.

    Returns:
        The pairs.

    Raises:
        LexigraftError: The sides have different numbers of lines, no pair is left, or a file cannot be read.
    """
    pairs: dict[tuple[str, str], None] = {}
    hidden = frozenset(unseen)
    seen = 0
    for left, right in zip_longest(read_lines(settings.source), read_lines(settings.target)):
        if left is None or right is None:
            longer = settings.target if left is None else settings.source
            raise LexigraftError(
                "parallel text has sides of different length",
                f"{', '.join(longer)} goes on after line {seen:,}",
                "Line n of one side must be the translation of line n of the other",
            )
        if settings.limit_lines is not None and seen >= settings.limit_lines:
            break
        seen += 1
        pair = (left.strip(), right.strip())
        if all(pair) and hidden.isdisjoint(pair):
            pairs[pair] = None
    if not pairs:
        raise LexigraftError("parallel text has no usable pair", _names(settings), "Give two files of sentences")
    digest = hashlib.sha256()
    for left, right in pairs:
        digest.update(f"{left}\0{right}\n".encode("utf-8", "surrogatepass"))
    return SentencePairs(tuple(s for s, _ in pairs), tuple(t for _, t in pairs), seen - len(pairs), digest.hexdigest())


def _names(settings: ParallelSettings) -> str:
    files: Sequence[str] = [*settings.source, *settings.target]
    return ", ".join(files)
