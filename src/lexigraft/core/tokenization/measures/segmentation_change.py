"""How much of a text two tokenizers cut differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lexigraft.core.tokenization.token_counts import BATCH_LINES
from lexigraft.core.tokenization.vocabulary import Vocabulary

Token = tuple[str, tuple[int, int]]


def changed_share(before: Vocabulary, after: Vocabulary, lines: Sequence[str]) -> float:
    """The share of tokens of a text that are gone.

    Args:
        before: The vocabulary whose tokens are counted.
        after: Another vocabulary.
        lines: Text.

    Returns:
        The share of ``before``'s tokens that ``after`` does not have in the same place; 0 for text without tokens.
    """
    total = gone = 0
    for old, new in zip(_tokens(before, lines), _tokens(after, lines), strict=True):
        kept = set(new)
        total += len(old)
        gone += sum(token not in kept for token in old)
    return gone / total if total else 0.0


def _tokens(vocabulary: Vocabulary, lines: Sequence[str]) -> Iterator[list[Token]]:
    backend = vocabulary.tokenizer.backend_tokenizer
    for start in range(0, len(lines), BATCH_LINES):
        for encoding in backend.encode_batch(list(lines[start : start + BATCH_LINES]), add_special_tokens=False):
            yield list(zip(encoding.tokens, encoding.offsets, strict=True))
