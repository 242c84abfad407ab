"""Tokens of their own added to a vocabulary, such as the tags of an augmenter."""

from __future__ import annotations

import copy
from collections.abc import Collection

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary


def missing_tokens(vocabulary: Vocabulary, tokens: Collection[str]) -> list[str]:
    """Those that are no added tokens of a vocabulary yet."""
    added = {one.content for one in vocabulary.tokenizer.added_tokens_decoder.values()}
    return [token for token in tokens if token not in added]


def with_tokens(vocabulary: Vocabulary, tokens: Collection[str], *, special: bool = True) -> Vocabulary:
    """The vocabulary with tokens behind the old ones; those that it holds already are left out.

    Args:
        vocabulary: The vocabulary, which stays as it is.
        tokens: The tokens; each is found in text as it is written.
        special: Whether they are special tokens, which decoding can leave out.

    Returns:
        A new vocabulary, or the same one where nothing is added.

    Raises:
        LexigraftError: The tokenizer reads one of them as several tokens all the same.
    """
    from tokenizers import AddedToken

    if not (missing := missing_tokens(vocabulary, tokens)):
        return vocabulary
    tokenizer = copy.deepcopy(vocabulary.tokenizer)
    added = [AddedToken(token, special=special, normalized=False) for token in missing]
    tokenizer.add_tokens(added, special_tokens=special)
    extended = Vocabulary.of(tokenizer)
    for token, ids in zip(missing, extended.encode(missing), strict=True):
        if ids != [extended.id_of(token)]:
            raise LexigraftError("the tokenizer does not take this as one token", token, "Choose another token")
    return extended
