"""Words of a line and the tokens between which they begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.core.tokenization.offsets import token_characters
from lexigraft.core.tokenization.vocabulary import Vocabulary


class TargetWords(NamedTuple):
    """A line as words and as tokens.

    Attributes:
        words: The words, punctuation apart.
        tokens: The tokens, without special ones.
        borders: By the position of a token the word that begins there; the number of words for the end of the line.
            Words that begin inside a token are left out.
    """

    words: tuple[str, ...]
    tokens: list[int]
    borders: dict[int, int]


def target_words(vocabulary: Vocabulary, lines: Sequence[str]) -> list[TargetWords]:
    """The words and tokens of each line.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: The lines.
    """
    found = []
    for line, ids, spans in token_characters(vocabulary, lines):
        words = tuple(words_of(line))
        borders: dict[int, int] = {}
        end = token = 0
        for number, word in enumerate(words):
            # The word begins with the first token that covers anything behind the word before; at the head of the line
            # that may be a mark of a word start, which covers nothing.
            while number and token < len(ids) and spans[token, 1] <= end:
                token += 1
            if token == len(ids) or spans[token, 0] >= end:
                borders.setdefault(token, number)
            end = line.index(word, end) + len(word)
        borders.setdefault(len(ids), len(words))
        found.append(TargetWords(words, ids.tolist(), borders))
    return found
