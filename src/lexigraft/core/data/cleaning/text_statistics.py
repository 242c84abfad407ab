"""Figures of a text: lines, words, characters, scripts, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from lexigraft.core.data.cleaning.scripts import script_counts
from lexigraft.core.data.corpus import BATCH_LINES
from lexigraft.core.data.spill import LineDeduplicator

QUANTILES = {"shortest": 0.0, "median": 0.5, "95%": 0.95, "99%": 0.99, "longest": 1.0}


@dataclass(frozen=True)
class TextStatistics:
    """A text in figures; characters and bytes are those of stripped lines, without line ends.

    Attributes:
        lines: Lines that are not empty.
        empty: Lines that are.
        duplicates: Lines that repeat an earlier one.
        words: Words, split at white space.
        word_types: Different words.
        characters: Unicode code points.
        bytes: UTF-8 bytes.
        scripts: How many characters belong to each script, by its code of ISO 15924, most frequent first.
        lengths: Quantiles of the characters of a line: the least length that so many lines do not exceed.
        frequent_words: The most frequent words with their counts.
    """

    lines: int
    empty: int
    duplicates: int
    words: int
    word_types: int
    characters: int
    bytes: int
    scripts: Mapping[str, int]
    lengths: Mapping[str, int]
    frequent_words: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"frequent_words": dict(self.frequent_words)}


def text_statistics(
    lines: Iterable[str], frequent: int = 10, progress: Callable[[int], None] = lambda lines: None
) -> TextStatistics:
    """Count a text of any size; the different words are held in memory, and 8 bytes for each different line.

    Args:
        lines: The lines.
        frequent: How many of the most frequent words are given; equally frequent ones in their order.
        progress: Called with the lines read so far.
    """
    words, characters, lengths = Counter[str](), Counter[str](), Counter[int]()
    seen, remaining = LineDeduplicator(), iter(lines)
    read = duplicates = size = 0
    while batch := list(islice(remaining, BATCH_LINES)):
        read += len(batch)
        texts = list(filter(None, (line.strip() for line in batch)))
        encoded = [text.encode() for text in texts]
        duplicates += len(texts) - sum(seen.add(encoded)) if texts else 0
        size += sum(map(len, encoded))
        lengths.update(map(len, texts))
        for text in texts:
            words.update(text.split())
            characters.update(text)
        progress(read)
    count = lengths.total()
    return TextStatistics(
        lines=count,
        empty=read - count,
        duplicates=duplicates,
        words=words.total(),
        word_types=len(words),
        characters=characters.total(),
        bytes=size,
        scripts=dict(script_counts(characters)),
        lengths={name: _quantile(lengths, share) for name, share in QUANTILES.items()} if count else {},
        frequent_words=tuple(words.most_common(frequent)),
    )


def _quantile(counts: Counter[int], share: float) -> int:
    """The least value that at least this share of all values does not exceed."""
    needed, met = share * counts.total(), 0
    for value in sorted(counts):
        met += counts[value]
        if met >= needed:
            return value
    return max(counts)
