"""Words that are one token, and words that are continued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lexigraft.core.tokenization.unicode_script import script_of
from lexigraft.core.tokenization.vocabulary import Vocabulary

WITHOUT_SPACES = frozenset({"Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"})
"""Scripts that write no space between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese."""

SHARE_WITHOUT_SPACES = 0.1
"""From this share of letters in such scripts on, white space does not tell words."""


@dataclass(frozen=True)
class WordMeasures:
    """How a vocabulary cuts the words between white space.

    Attributes:
        words: How many there are.
        types: How many different ones.
        single_token_share: The share of word types that are one token (Nayeem et al. 2025, STRR).
        continued_rate: The share of words, each occurrence counted, that take two tokens or more.
    """

    words: int
    types: int
    single_token_share: float
    continued_rate: float


def share_without_spaces(lines: Sequence[str]) -> float:
    """The share of letters that belong to scripts without spaces between words; 0 where there are no letters."""
    characters: Counter[str] = Counter()
    for line in lines:
        characters.update(line)
    letters = {c: n for c, n in characters.items() if c.isalpha()}
    spaceless = sum(n for c, n in letters.items() if script_of(c) in WITHOUT_SPACES)
    return spaceless / sum(letters.values()) if letters else 0.0


def measure_words(vocabulary: Vocabulary, lines: Sequence[str]) -> WordMeasures | None:
    """Measure the words of a text, each cut as at a word start inside running text; unknown tokens spell nothing.

    Args:
        vocabulary: The vocabulary.
        lines: Text.

    Returns:
        The measures; ``None`` where there is no word, or the text is written without spaces.
    """
    words: Counter[str] = Counter()
    for line in lines:
        words.update(line.split())
    if not words or share_without_spaces(lines) >= SHARE_WITHOUT_SPACES:
        return None
    single = sum(vocabulary.single_token(word) is not None for word in words)
    continued = sum(count for word, count in words.items() if len(vocabulary.pieces(word.encode(), True)) > 1)
    total = sum(words.values())
    return WordMeasures(total, len(words), single / len(words), continued / total)
