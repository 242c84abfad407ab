"""Co-occurrence counts of tokens with the context words of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.offsets import token_characters

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lexigraft.core.tokenization.vocabulary import Vocabulary

BATCH_LINES = 4096
WORD = re.compile(r"\S+")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ContextWords:
    """The words of a text, of which the frequent ones are contexts.

    Attributes:
        lines: The text.
        words: The contexts, most frequent first, without case.
        at: The context at each position, or -1, int64; a gap of `window` positions keeps lines apart.
        begins: The first position of each line, ``(lines,)``.
        window: How many words to either side count.
    """

    lines: Sequence[str]
    words: tuple[str, ...]
    at: Ints
    begins: Ints
    window: int

    @classmethod
    def of(cls, lines: Sequence[str], contexts: int, window: int) -> ContextWords:
        """Read a text: white-space words, without surrounding punctuation and case.

        Args:
            lines: The text.
            contexts: How many of the most frequent words count.
            window: How many words to either side count.
        """
        known: dict[str, str] = {}
        bare = [[known.get(w) or known.setdefault(w, _bare(w)) for w in WORD.findall(line)] for line in lines]
        counts = Counter(word for words in bare for word in words)
        chosen = sorted(counts, key=lambda word: (-counts[word], word))[:contexts]
        number = {word: n for n, word in enumerate(chosen)}
        lengths = np.array([len(words) + window for words in bare], np.int64)
        begins = window + np.cumsum(lengths) - lengths
        at = np.full(window + int(lengths.sum()), -1, np.int64)
        for begin, words in zip(begins.tolist(), bare, strict=True):
            at[begin : begin + len(words)] = [number.get(word, -1) for word in words]
        return cls(lines, tuple(chosen), at, begins, window)

    def beside_words(self, own_word: bool) -> csr_array:
        """Co-occurrence counts of the contexts with each other, ``(contexts, contexts)``; see :meth:`beside`."""
        places = np.flatnonzero(self.at >= 0)
        return self._counted([(self.at[places], places)], len(self.words), own_word)

    def beside(self, vocabulary: Vocabulary, own_word: bool) -> csr_array:
        """Co-occurrence counts of each token with the contexts, float32, ``(size, contexts)``.

        A word at distance d counts ``1 - (d - 1) / window``, word2vec's weight in expectation.

        Args:
            vocabulary: Splits the text into tokens.
            own_word: Whether the word that contains the token is its context too, with weight 1.
        """
        return self._counted(self._places(vocabulary), vocabulary.size, own_word)

    def _places(self, vocabulary: Vocabulary) -> Iterator[tuple[Ints, Ints]]:
        for start in range(0, len(self.lines), BATCH_LINES):
            batch = self.lines[start : start + BATCH_LINES]
            ids, places = [], []
            for begin, (line, tokens, spans) in zip(
                self.begins[start : start + BATCH_LINES].tolist(), token_characters(vocabulary, batch), strict=True
            ):
                ends = np.array([m.end() for m in WORD.finditer(line)], np.int64)
                # A space before a word belongs to the word.
                word = np.searchsorted(ends, spans[:, 1] - 1, side="right")
                inside = (spans[:, 0] < spans[:, 1]) & (word < len(ends))
                ids.append(tokens[inside])
                places.append(begin + word[inside])
            yield np.concatenate(ids), np.concatenate(places)

    def _counted(self, batches: Iterable[tuple[Ints, Ints]], rows: int, own_word: bool) -> csr_array:
        from scipy.sparse import csr_array

        shape = (rows, len(self.words))
        total = csr_array(shape, dtype=np.float32)
        steps = [d for d in range(-self.window, self.window + 1) if d or own_word]
        weights = np.array([1 - max(abs(d) - 1, 0) / self.window for d in steps], np.float32)
        for ids, places in batches:
            near = np.stack([self.at[places + step] for step in steps])
            step, token = np.nonzero(near >= 0)
            total = total + csr_array((weights[step], (ids[token], near[step, token])), shape)
        return total


def _bare(word: str) -> str:
    folded = word.casefold()
    first = next((n for n, c in enumerate(folded) if c.isalnum()), 0)
    last = next((n for n, c in enumerate(reversed(folded)) if c.isalnum()), 0)
    return folded[first : len(folded) - last]
