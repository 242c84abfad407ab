"""Text corpora, and their split into training and held-out text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, islice
from pathlib import Path

import numpy as np

from lexigraft.core.data.readers import read_lines
from lexigraft.core.data.spill import HELD_BYTES, LineDeduplicator, keep_lines
from lexigraft.core.errors import LexigraftError

BATCH_LINES = 1024
"""Lines that are checked for repetitions together."""


@dataclass(frozen=True)
class Corpus:
    """Lines of text with the hash of their content.

    Attributes:
        lines: The lines in order, stripped, none empty; in a temporary file when they are too large for memory.
        hash: SHA-256 (hex) over the lines in order.
        bytes: UTF-8 bytes of all lines, without line ends.
        dropped_empty: How many lines were empty, or records without a text (``null``).
        dropped_duplicates: How many lines repeated an earlier one.
        dropped_heldout: How many lines also occur in the held-out text (see :func:`without`).
        origin: The paths or names the lines came from.
    """

    lines: Sequence[str]
    hash: str
    bytes: int = 0
    dropped_empty: int = 0
    dropped_duplicates: int = 0
    dropped_heldout: int = 0
    origin: tuple[str, ...] = ()

    @classmethod
    def of(cls, lines: Iterable[str], origin: Sequence[str] = (), *, deduplicate: bool = False) -> Corpus:
        """Make a corpus of lines in memory: stripped, empty ones dropped.

        Raises:
            LexigraftError: A line holds half of a surrogate pair.
        """
        return _cleaned(lines, None, deduplicate, tuple(origin))

    def __len__(self) -> int:
        return len(self.lines)


def load_corpus(
    paths: Sequence[str | Path],
    *,
    text_field: str = "text",
    limit_lines: int | None = None,
    deduplicate: bool = True,
    held_bytes: int = HELD_BYTES,
) -> Corpus:
    """Read a corpus; Unicode forms stay as they are.

    Args:
        paths: Files (.txt, .jsonl, .csv, .parquet, .gz of the first three), globs, folders, or ``hub:NAME[:split]``.
        text_field: The JSON field, or the column of CSV or parquet, that holds the text.
        limit_lines: Stop after this many kept lines.
        deduplicate: Drop exact repetitions of an earlier line.
        held_bytes: Text that is held in memory before it goes to a temporary file.

    Returns:
        The lines with hash, counts and origin.

    Raises:
        LexigraftError: Nothing to read, no line left, or unreadable text (see :func:`read_lines`).
    """
    origin = tuple(map(str, paths))
    if not origin:
        raise LexigraftError("no corpus given", hint="Name at least one text file, glob, folder or hub:NAME")
    corpus = _cleaned(read_lines(paths, text_field), limit_lines, deduplicate, origin, held_bytes)
    if not corpus.lines:
        raise LexigraftError("corpus is empty", ", ".join(origin), "Give files with at least one line of text")
    return corpus


def split(corpus: Corpus, share: float, seed: int) -> tuple[Corpus, Corpus]:
    """Split a corpus by line content: the same line is always on the same side, whatever the order and the other lines.

    Args:
        corpus: What to split.
        share: Expected share of lines held out, in [0, 1).
        seed: Seed of the hash that divides the lines; another seed gives another division.

    Returns:
        The training and the held-out part.

    Raises:
        LexigraftError: One side would be empty though a share above 0 was asked for.
    """
    if share == 0:
        return corpus, _corpus([], corpus.origin)
    is_heldout = np.fromiter((_position(line, seed) < share for line in corpus.lines), np.bool_, len(corpus))
    if not len(corpus) or is_heldout.all() or not is_heldout.any():
        hint = "Give more text, another share, or held-out files"
        raise LexigraftError("corpus is too small to hold lines out", f"{len(corpus)} lines, share {share}", hint)
    train, heldout = (
        _corpus(_encoded(compress(corpus.lines, side)), corpus.origin) for side in (~is_heldout, is_heldout)
    )
    return replace(train, dropped_empty=corpus.dropped_empty, dropped_duplicates=corpus.dropped_duplicates), heldout


def without(train: Corpus, heldout: Corpus) -> Corpus:
    """The training text without the lines that occur in the held-out text; the dropped lines are counted.

    Args:
        train: Text to learn from.
        heldout: Text that must stay unseen.

    Returns:
        What is left of ``train``.

    Raises:
        LexigraftError: Nothing would be left.
    """
    unseen = frozenset(heldout.lines)
    kept = np.fromiter((line not in unseen for line in train.lines), np.bool_, len(train))
    if not kept.any():
        raise LexigraftError(
            "every training line occurs in the held-out text", ", ".join(train.origin), "Use other held-out text"
        )
    if kept.all():
        return train
    rest = _corpus(_encoded(compress(train.lines, kept)), train.origin)
    return replace(
        rest,
        dropped_empty=train.dropped_empty,
        dropped_duplicates=train.dropped_duplicates,
        dropped_heldout=train.dropped_heldout + len(train) - len(rest),
    )


def evenly_chosen(corpus: Corpus, limit: int) -> Corpus:
    """At most ``limit`` lines, chosen evenly over the text."""
    if len(corpus) <= limit:
        return corpus
    return _corpus(_encoded(corpus.lines[n * len(corpus) // limit] for n in range(limit)), corpus.origin)


def _cleaned(
    lines: Iterable[str],
    limit: int | None,
    deduplicate: bool,
    origin: tuple[str, ...],
    held_bytes: int = HELD_BYTES,
) -> Corpus:
    seen, empty, repeated = LineDeduplicator(), 0, 0

    def stripped() -> Iterator[str]:
        nonlocal empty
        for line in lines:
            if text := line.strip():
                yield text
            else:
                empty += 1

    def kept() -> Iterator[tuple[str, bytes]]:
        nonlocal repeated
        texts, count = stripped(), 0
        # Read no more lines than are still wanted: lines after the last one must not be read or counted.
        while batch := list(islice(texts, BATCH_LINES if limit is None else min(BATCH_LINES, limit - count))):
            encoded = [_utf8(text) for text in batch]
            new = seen.add(encoded) if deduplicate else [True] * len(batch)
            yield from compress(zip(batch, encoded, strict=True), new)
            count += sum(new)
            repeated += len(new) - sum(new)

    corpus = _corpus(kept(), origin, held_bytes)
    return replace(corpus, dropped_empty=empty, dropped_duplicates=repeated)


def _utf8(line: str) -> bytes:
    try:
        return line.encode("utf-8")
    except UnicodeEncodeError:
        raise LexigraftError("text holds half of a surrogate pair", ascii(line)[:80], "Mend or drop the line") from None


def _encoded(lines: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    return ((line, _utf8(line)) for line in lines)


def _corpus(lines: Iterable[tuple[str, bytes]], origin: tuple[str, ...], held_bytes: int = HELD_BYTES) -> Corpus:
    digest = hashlib.sha256()
    size = 0

    def hashed() -> Iterator[str]:
        nonlocal size
        for line, encoded in lines:
            digest.update(len(encoded).to_bytes(8, "little"))
            digest.update(encoded)
            size += len(encoded)
            yield line

    kept = keep_lines(hashed(), held_bytes=held_bytes)
    return Corpus(kept, digest.hexdigest(), size, origin=origin)


def _position(line: str, seed: int) -> float:
    """A hash of a line as a number in [0, 1)."""
    digest = hashlib.blake2b(
        line.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "little", signed=True)
    )
    return int.from_bytes(digest.digest(), "little") / 2**64
