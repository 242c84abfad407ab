"""Text to learn from: cleaned of empty and repeated lines, hashed, split so that a line never changes sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.text_files import read_lines


@dataclass(frozen=True)
class Corpus:
    """Lines of text with the hash of their content.

    Attributes:
        lines: The lines in order, stripped, none empty.
        hash: SHA-256 (hex) over the lines in order.
        bytes: UTF-8 bytes of all lines, without line ends.
        dropped_empty: How many lines were empty.
        dropped_duplicates: How many lines repeated an earlier one.
        dropped_heldout: How many lines also occur in the held-out text (see :func:`without`).
        origin: The paths or names the lines came from.
    """

    lines: tuple[str, ...]
    hash: str
    bytes: int = 0
    dropped_empty: int = 0
    dropped_duplicates: int = 0
    dropped_heldout: int = 0
    origin: tuple[str, ...] = ()

    @classmethod
    def of(cls, lines: Iterable[str], origin: Sequence[str] = (), *, deduplicate: bool = False) -> Corpus:
        """Make a corpus of lines in memory: stripped, empty ones dropped."""
        kept, empty, repeated = _clean(lines, None, deduplicate)
        return _corpus(kept, empty, repeated, tuple(origin))

    def __len__(self) -> int:
        return len(self.lines)


def load_corpus(
    paths: Sequence[str | Path],
    *,
    text_field: str = "text",
    limit_lines: int | None = None,
    deduplicate: bool = True,
) -> Corpus:
    """Read a corpus; Unicode forms stay as they are.

    Args:
        paths: Files (.txt, .jsonl, .parquet, .gz of the first two), globs, folders, or ``hub:NAME[:split]``.
        text_field: The JSON field or column that holds the text.
        limit_lines: Stop after this many kept lines.
        deduplicate: Drop exact repetitions of an earlier line.

    Returns:
        The lines with hash, counts and origin.

    Raises:
        LexigraftError: Nothing to read, no line left, or unreadable text (see :func:`text_files.read_lines`).
    """
    origin = tuple(map(str, paths))
    if not origin:
        raise LexigraftError("no corpus given", hint="Name at least one text file, glob, folder or hub:NAME")
    kept, empty, repeated = _clean(read_lines(paths, text_field), limit_lines, deduplicate)
    if not kept:
        raise LexigraftError("corpus is empty", ", ".join(origin), "Give files with at least one line of text")
    return _corpus(kept, empty, repeated, origin)


def split(corpus: Corpus, share: float, seed: int) -> tuple[Corpus, Corpus]:
    """Hold lines out by their content: the same line is always on the same side, whatever the order or the rest.

    Args:
        corpus: What to split.
        share: Expected share of lines held out, in [0, 1).
        seed: Chooses another division.

    Returns:
        The training and the held-out part.

    Raises:
        LexigraftError: One side would be empty though a share above 0 was asked for.
    """
    if share == 0:
        return corpus, _corpus([], 0, 0, corpus.origin)
    sides: tuple[list[str], list[str]] = ([], [])
    for line in corpus.lines:
        sides[_position(line, seed) < share].append(line)
    if not all(sides):
        hint = "Give more text, another share, or held-out files"
        raise LexigraftError("corpus is too small to hold lines out", f"{len(corpus)} lines, share {share}", hint)
    train, heldout = (_corpus(side, 0, 0, corpus.origin) for side in sides)
    return replace(train, dropped_empty=corpus.dropped_empty, dropped_duplicates=corpus.dropped_duplicates), heldout


def without(train: Corpus, heldout: Corpus) -> Corpus:
    """The training text without the lines that occur in the held-out text; how many went is counted.

    Args:
        train: Text to learn from.
        heldout: Text that must stay unseen.

    Returns:
        What is left of ``train``.

    Raises:
        LexigraftError: Nothing would be left.
    """
    unseen = frozenset(heldout.lines)
    kept = [line for line in train.lines if line not in unseen]
    if not kept:
        raise LexigraftError(
            "every training line occurs in the held-out text", ", ".join(train.origin), "Use other held-out text"
        )
    if len(kept) == len(train):
        return train
    rest = _corpus(kept, train.dropped_empty, train.dropped_duplicates, train.origin)
    return replace(rest, dropped_heldout=train.dropped_heldout + len(train) - len(kept))


def spread(corpus: Corpus, limit: int) -> Corpus:
    """At most ``limit`` lines, evenly spread over the text."""
    if len(corpus) <= limit:
        return corpus
    return _corpus([corpus.lines[n * len(corpus) // limit] for n in range(limit)], 0, 0, corpus.origin)


def _clean(lines: Iterable[str], limit: int | None, deduplicate: bool) -> tuple[list[str], int, int]:
    kept: list[str] = []
    seen: set[str] = set()
    empty = repeated = 0
    for line in lines:
        if limit is not None and len(kept) >= limit:
            break
        text = line.strip()
        if not text:
            empty += 1
        elif deduplicate and text in seen:
            repeated += 1
        else:
            kept.append(text)
            seen.add(text)
    return kept, empty, repeated


def _corpus(lines: Sequence[str], empty: int, repeated: int, origin: tuple[str, ...]) -> Corpus:
    digest = hashlib.sha256()
    size = 0
    for line in lines:
        encoded = line.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
        size += len(encoded)
    return Corpus(tuple(lines), digest.hexdigest(), size, empty, repeated, 0, origin)


def _position(line: str, seed: int) -> float:
    digest = hashlib.blake2b(
        line.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "little", signed=True)
    )
    return int.from_bytes(digest.digest(), "little") / 2**64
