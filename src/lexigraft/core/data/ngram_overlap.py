"""Check for word 13-grams of evaluation text in training text.

Words are compared without case and punctuation, after Brown et al. 2020 (GPT-3, appendix C). Lines there are documents;
here they are often sentences, and a line of 5 to 12 words is one sequence of its own length.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.line_batches import line_batches

NGRAM = 13
"""Words of a sequence."""
SHORTEST = 5
"""Words of the shortest line that is looked for as a whole; shorter ones occur everywhere by chance."""
_BATCH_CHARACTERS, _MOST_WORDS = 2**22, 2**21
_LINE_END = "\x00"
_NO_LINE_END = {ord(mark): " " for mark in ("\n", _LINE_END)}
_FOREIGN, _NOTHING, _END = 0, 1, 2
"""Hashes that no word has: of words that only the training text has, of bare punctuation, of the end of a line."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ALONE = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
"""Characters of scripts without spaces, each of which counts as a word: Thai, Lao, Burmese, Khmer, kana, ideographs."""

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CopiedText:
    """What of an evaluation text occurs in a training text.

    Attributes:
        ngrams: Different word sequences of the evaluation text.
        copied_ngrams: Those that occur in the training text.
        lines: Its lines with at least one sequence.
        copied_lines: Positions of the lines with a sequence that occurs there.
        short_lines: Lines of too few words, which were not looked for.
    """

    ngrams: int
    copied_ngrams: int
    lines: int
    copied_lines: tuple[int, ...]
    short_lines: int

    @property
    def share(self) -> float:
        """The share of lines with a sequence that occurs in the training text."""
        return len(self.copied_lines) / self.lines if self.lines else 0.0


class EvaluationNgrams:
    """The word sequences of an evaluation text, compared by 64-bit hashes; none goes over the end of a line.

    Args:
        evaluation: Lines that no model may have been trained on.
        ngram: Words of a sequence.

    Attributes:
        own: By the length of sequences: their hashes, and the line of each.
        wanted: By length, the different hashes, ascending.
        is_short: Which lines have too few words to be looked for, ``(lines,)``.
    """

    def __init__(self, evaluation: Sequence[str], ngram: int = NGRAM) -> None:
        self._hashes = _WordHashes()
        ids, line_of = _together(list(map(self._hashes.of_lines, line_batches(evaluation, _BATCH_CHARACTERS))))
        self._hashes.freeze()
        counts = np.bincount(line_of, minlength=len(evaluation))
        shortest = min(SHORTEST, ngram)
        self.is_short: npt.NDArray[np.bool_] = counts < shortest
        lengths = sorted({int(n) for n in np.minimum(counts, ngram) if n >= shortest})
        self.own: dict[int, tuple[Hashes, Positions]] = {}
        for length, windows in _windows(ids, lengths):
            here = _inside(ids, line_of, length) & (np.minimum(counts, ngram) == length)[line_of[: len(windows)]]
            self.own[length] = windows[here], line_of[: len(windows)][here]
        self.wanted = {length: np.unique(windows) for length, (windows, _) in self.own.items()}

    def find(self, lines: Sequence[str]) -> Iterator[tuple[int, Positions, Positions]]:
        """By length, the sequences that occur in other lines.

        Args:
            lines: The lines, as many as are held in memory at once.

        Yields:
            The length, the positions in ``wanted`` of what was met, and the line of each.
        """
        before = self._hashes.lines
        ids, line_of = self._hashes.of_lines(lines)
        for length, windows in _windows(ids, sorted(self.wanted)):
            inside = np.flatnonzero(_inside(ids, line_of, length))
            met, wanted = windows[inside], self.wanted[length]
            at = np.minimum(np.searchsorted(wanted, met), len(wanted) - 1)
            hits = wanted[at] == met
            yield length, at[hits], line_of[inside[hits]] - before


def find_copied_text(evaluation: Sequence[str], training: Iterable[str], ngram: int = NGRAM) -> CopiedText:
    """Look for the word sequences of one text in another one of any size, which is streamed.

    Sequences do not go over the ends of lines. They are compared by 64-bit hashes.

    Args:
        evaluation: Lines that no model may have been trained on.
        training: Lines of the other text.
        ngram: Words of a sequence.

    Returns:
        How much was found, and where.
    """
    index = EvaluationNgrams(evaluation, ngram)
    found = {length: np.zeros(len(of), np.bool_) for length, of in index.wanted.items()}
    for batch in line_batches(training, _BATCH_CHARACTERS):
        for length, at, _ in index.find(batch):
            found[length][at] = True
    copied = [at[found[n][np.searchsorted(index.wanted[n], windows)]] for n, (windows, at) in index.own.items()]
    return CopiedText(
        ngrams=sum(map(len, index.wanted.values())),
        copied_ngrams=int(sum(hits.sum() for hits in found.values())),
        lines=int((~index.is_short).sum()),
        copied_lines=tuple(np.unique(np.concatenate(copied)).tolist()) if copied else (),
        short_lines=int(index.is_short.sum()),
    )


def refuse_copied_text(
    evaluation: Sequence[str], training: Iterable[str], *, evaluation_name: str, training_name: str, ngram: int = NGRAM
) -> CopiedText:
    """Refuse training text that holds word sequences of evaluation text.

    Args:
        evaluation: Lines that no model may have been trained on.
        training: Lines that a model would be trained on.
        evaluation_name: Where the evaluation text is, for the message.
        training_name: Where the training text is.
        ngram: Words of a sequence.

    Returns:
        What was counted, where nothing is copied.

    Raises:
        LexigraftError: Something is.
    """
    copied = find_copied_text(evaluation, training, ngram)
    if copied.copied_lines:
        first = copied.copied_lines[0]
        raise LexigraftError(
            f"{len(copied.copied_lines):,} of {copied.lines:,} evaluation lines share a sequence of {ngram} words (or, "
            "where shorter, the whole line) with the training text",
            f"{evaluation_name} and {training_name}",
            f"Take these lines out of one of them; the first is line {first + 1}: {evaluation[first][:80]!r}",
        )
    return copied


class _WordHashes:
    """64-bit hashes of words without case and punctuation.

    Once frozen, it gives zero for a word that was not met before.
    """

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._met: frozenset[int] | None = None
        self.lines = 0

    def freeze(self) -> None:
        """Let no further word in."""
        self._met = frozenset(self._known.values())

    def of_lines(self, lines: Sequence[str]) -> tuple[Hashes, Positions]:
        """The hash of each word, and its line, counted on from the lines before, both ``(words,)``."""
        if self._met is not None and len(self._known) > _MOST_WORDS:
            self._known.clear()
        # One split of the joined lines is several times faster than one for each line.
        text = "\n".join(line.translate(_NO_LINE_END) for line in lines).replace("\n", f" {_LINE_END} ")
        if not text.isascii() and _ALONE.search(text):
            text = _ALONE.sub(r" \1 ", text)
        words = text.split()
        self._known.update((word, self._hash(word)) for word in set(words) - self._known.keys())
        hashes = np.fromiter(map(self._known.__getitem__, words), np.uint64, len(words))
        ends = hashes == _END
        kept = ~ends & (hashes != _NOTHING)
        line_of = np.cumsum(ends)[kept].astype(np.int64) + self.lines
        self.lines += len(lines)
        return hashes[kept], line_of

    def _hash(self, word: str) -> int:
        if word == _LINE_END:
            return _END
        bare = unicodedata.normalize("NFC", word).casefold().translate(_punctuation())
        if not bare:
            return _NOTHING
        digest = hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "little") | 4
        return number if self._met is None or number in self._met else _FOREIGN


@cache
def _punctuation() -> dict[int, None]:
    """A translation that deletes punctuation and symbols of every script."""
    return {code: None for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "PS"}


def _windows(ids: Hashes, lengths: Sequence[int]) -> Iterator[tuple[int, Hashes]]:
    """For each length, rising, the polynomial hash of every so many neighbours, ``(ids - length + 1,)``."""
    hashes = ids.copy()
    for length in range(1, max(lengths, default=0) + 1):
        if length > 1:
            hashes = hashes[:-1] * _MULTIPLIER
            hashes += ids[length - 1 :]
        if not len(hashes):
            return
        if length in lengths:
            yield length, hashes


def _inside(ids: Hashes, line_of: Positions, length: int) -> npt.NDArray[np.bool_]:
    """Which windows lie in one line and hold no foreign word."""
    foreign = np.concatenate([[0], np.cumsum(ids == _FOREIGN)])
    inside: npt.NDArray[np.bool_] = line_of[: len(ids) - length + 1] == line_of[length - 1 :]
    return inside & (foreign[length:] == foreign[:-length])


def _together(batches: Sequence[tuple[Hashes, Positions]]) -> tuple[Hashes, Positions]:
    if not batches:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    return np.concatenate([ids for ids, _ in batches]), np.concatenate([lines for _, lines in batches])
