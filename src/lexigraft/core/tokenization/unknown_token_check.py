"""Refusal of tokenizers that cannot encode every text."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.bounds import is_panic
from lexigraft.core.tokenization.vocabulary import Vocabulary

RARE = "ꙮ 𒀀 ⴲ 𐎀"
"""Letters of four scripts that hardly any vocabulary has."""


def check_encodes(vocabulary: Vocabulary) -> None:
    """Refuse a tokenizer whose model raises an error where it knows no token.

    Unigram does without an unknown token, byte fallback or not; WordPiece and word-level models do where their unknown
    token is not in their own vocabulary. An added token of which the normalizer leaves nothing makes ``tokenizers``
    panic.

    Raises:
        LexigraftError: It cannot encode a rare letter.
    """
    try:
        vocabulary.tokenizer.backend_tokenizer.encode(RARE, add_special_tokens=False)
    except BaseException as error:  # tokenizers raises Exception itself
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise LexigraftError(
            "tokenizer cannot encode text that it has no token for",
            f"{type(vocabulary.tokenizer.backend_tokenizer.model).__name__}: {error}",
            "Give its model an unknown token (unk_token, unk_id) that is in its own vocabulary, and no added token "
            "that its normalizer turns into nothing",
        ) from None
