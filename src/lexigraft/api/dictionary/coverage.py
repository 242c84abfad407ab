"""What of a tokenizer and of a text the words of a dictionary reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class TokenizerCoverage:
    """Words under a tokenizer, as they stand inside a text.

    Attributes:
        words: Different words.
        single: Those that are one token.
        tokens: Tokens of the vocabulary, without special ones.
        whole_word_tokens: Those that are a word.
        reached_tokens: Those that are a piece of a word, or a word.
    """

    words: int
    single: int
    tokens: int
    whole_word_tokens: int
    reached_tokens: int


@dataclass(frozen=True)
class TextCoverage:
    """Words in a text, compared without case.

    Attributes:
        words: Different words of the dictionary, without entries of several words.
        found: Those that occur in the text.
        running: Words of the text, as they occur, without punctuation.
        running_covered: Those that the dictionary has.
    """

    words: int
    found: int
    running: int
    running_covered: int


def tokenizer_coverage(vocabulary: Vocabulary, words: Iterable[str]) -> TokenizerCoverage:
    """Split words into tokens.

    Args:
        vocabulary: The tokenizer's.
        words: Words or phrases.
    """
    different = list(dict.fromkeys(words))
    pieces = [vocabulary.pieces(word.encode(), True) for word in different]
    single = [own[0] for own in pieces if len(own) == 1]
    reached = {piece for own in pieces for piece in own}
    tokens = vocabulary.size - len(vocabulary.special_ids)
    return TokenizerCoverage(len(different), len(single), tokens, len(set(single)), len(reached))


def text_coverage(lines: Iterable[str], words: Iterable[str]) -> TextCoverage:
    """Look for words in a text.

    Args:
        lines: The text.
        words: Words; phrases are not looked for.
    """
    wanted = {word.casefold() for word in words if len(word.split()) == 1}
    counts = Counter(word.casefold() for line in lines for word in words_of(line) if any(map(str.isalnum, word)))
    covered = {word: count for word, count in counts.items() if word in wanted}
    return TextCoverage(len(wanted), len(covered), counts.total(), sum(covered.values()))
