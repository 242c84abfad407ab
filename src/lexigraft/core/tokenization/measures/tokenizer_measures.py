"""Figures of a tokenizer on a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.measures.inequality import ALPHA, renyi_efficiency
from lexigraft.core.tokenization.measures.pre_tokens import count_mark_aware, count_pre_tokens
from lexigraft.core.tokenization.measures.word_measures import measure_words
from lexigraft.core.tokenization.number_splitting import digit_scheme
from lexigraft.core.tokenization.surface import Family, Kind
from lexigraft.core.tokenization.token_counts import token_counts
from lexigraft.core.tokenization.unknown_tokens import unknown_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

_NO_FALLBACK = (Family.BYTE_LEVEL, Family.BYTE_LEVEL_SUFFIX)


@dataclass(frozen=True)
class TokenizerMeasures:
    """What a tokenizer makes of a text, without special tokens.

    Attributes:
        size: Tokens in the vocabulary.
        tokens: Tokens that the text takes.
        fertility: Tokens per word between white space; ``None`` for text in scripts without spaces.
        characters_per_token: Code points of the text per token.
        bytes_per_token: UTF-8 bytes of the text per token.
        single_token_share: Share of word types that are one token; ``None`` as for ``fertility``.
        continued_rate: Share of words that take two tokens or more; ``None`` as for ``fertility``.
        unknown_rate: Share of tokens that are the unknown token.
        byte_fallback_rate: Share of tokens that are byte-fallback pieces; ``None`` where every token is made of bytes.
        never_produced: Tokens of text that the text does not produce.
        renyi_efficiency: Rényi efficiency over the tokens that occur; it describes, and ranks nothing.
        renyi_alpha: Its order.
        renyi_vocabulary: How many tokens occur.
        pre_token_floor: Pre-tokens of the text: no vocabulary with this pre-tokenizer takes fewer tokens.
        mark_aware_floor: The same when letters keep their marks; ``None`` where the pre-tokenizer never parts them.
        digits: How numbers are split.
    """

    size: int
    tokens: int
    fertility: float | None
    characters_per_token: float
    bytes_per_token: float
    single_token_share: float | None
    continued_rate: float | None
    unknown_rate: float
    byte_fallback_rate: float | None
    never_produced: int
    renyi_efficiency: float | None
    renyi_alpha: float
    renyi_vocabulary: int
    pre_token_floor: int
    mark_aware_floor: int | None
    digits: str


def measure_tokenizer(vocabulary: Vocabulary, lines: Sequence[str]) -> TokenizerMeasures:
    """Measure a tokenizer on a text.

    Args:
        vocabulary: The vocabulary.
        lines: Text.

    Returns:
        Its figures.

    Raises:
        LexigraftError: The tokenizer makes no token of the text.
    """
    counts = token_counts(vocabulary, lines)
    tokens = int(counts.sum())
    if not tokens:
        raise LexigraftError(
            "tokenizer makes no token of the text", f"{len(lines):,} lines", "Its normalizer leaves nothing of them"
        )
    words = measure_words(vocabulary, lines)
    is_byte = vocabulary.surfaces.kinds == Kind.BYTE
    return TokenizerMeasures(
        size=sum(map(bool, vocabulary.tokens)),
        tokens=tokens,
        fertility=None if words is None else tokens / words.words,
        characters_per_token=sum(map(len, lines)) / tokens,
        bytes_per_token=sum(len(line.encode()) for line in lines) / tokens,
        single_token_share=None if words is None else words.single_token_share,
        continued_rate=None if words is None else words.continued_rate,
        unknown_rate=float(counts[unknown_ids(vocabulary)].sum()) / tokens,
        byte_fallback_rate=None if vocabulary.family in _NO_FALLBACK else float(counts[is_byte].sum()) / tokens,
        never_produced=int(np.count_nonzero(vocabulary.surfaces.is_text & (counts == 0))),
        renyi_efficiency=renyi_efficiency(counts),
        renyi_alpha=ALPHA,
        renyi_vocabulary=int(np.count_nonzero(counts)),
        pre_token_floor=count_pre_tokens(vocabulary, lines),
        mark_aware_floor=count_mark_aware(vocabulary, lines),
        digits=digit_scheme(vocabulary).name,
    )
