"""Linked words of parallel text, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.adapters.word_aligners import ALIGNERS
from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.parallel_text import load_parallel


@dataclass(frozen=True)
class LinkedWords:
    """Words that an aligner linked.

    Attributes:
        sentences: Pairs of sentences.
        counts: How often each source word was linked with each target word, most frequent first.
        links_of: How often each source word was linked at all.
    """

    sentences: int
    counts: dict[tuple[str, str], int]
    links_of: Counter[str]


def linked_words(settings: ParallelSettings, lower: bool = False) -> LinkedWords:
    """Align parallel text and count the linked words; a word without a letter or a digit is not counted.

    Args:
        settings: The files and the aligner.
        lower: Whether words are counted in lower case.

    Raises:
        LexigraftError: Text that cannot be read, or sides of different length.
    """
    text = load_parallel(settings)
    cased = str.lower if lower else str
    source, target = ([list(words_of(cased(line))) for line in side] for side in (text.source, text.target))
    counts: Counter[tuple[str, str]] = Counter()
    for left, right, links in zip(source, target, ALIGNERS[settings.aligner](source, target), strict=True):
        counts.update((left[i], right[j]) for i, j in links)
    kept = {pair: count for pair, count in counts.most_common() if all(any(map(str.isalnum, word)) for word in pair)}
    links_of: Counter[str] = Counter()
    for (word, _), count in kept.items():
        links_of[word] += count
    return LinkedWords(len(text), kept, links_of)
