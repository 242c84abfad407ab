"""Number of tokens that the same content takes in several languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lexigraft.core.tokenization.measures.inequality import gini
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

MOST_UNKNOWN = 0.1
"""Above this share of unknown tokens a language has no parity: what is unknown costs little and says nothing."""


@dataclass(frozen=True)
class Parity:
    """The costs of parallel text.

    Attributes:
        tokens: Tokens that each language takes.
        premiums: Tokens over those of the first language (Petrov et al. 2023); ``None`` where either has more than a
            tenth of unknown tokens.
        gini: The Gini coefficient of tokens per line over the languages.
    """

    tokens: tuple[int, ...]
    premiums: tuple[float | None, ...]
    gini: float


def measure_parity(vocabulary: Vocabulary, languages: Sequence[Sequence[str]]) -> Parity:
    """Measure the parity of a tokenizer.

    Args:
        vocabulary: The vocabulary.
        languages: The lines of each language, in the same order.

    Returns:
        Its parity, the first language being the one of reference.
    """
    unknown = unknown_ids(vocabulary)
    counts = [token_counts(vocabulary, lines) for lines in languages]
    tokens = [int(of_one.sum()) for of_one in counts]
    is_known = [
        total > 0 and of_one[unknown].sum() <= MOST_UNKNOWN * total
        for of_one, total in zip(counts, tokens, strict=True)
    ]
    premiums = [
        total / tokens[0] if known and is_known[0] else None for total, known in zip(tokens, is_known, strict=True)
    ]
    return Parity(tuple(tokens), tuple(premiums), gini(tokens))
