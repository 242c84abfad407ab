"""The methods that extend a vocabulary, by name."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.core.errors import UnknownName
from lexigraft.core.tokenization.editing.appended_bpe import append_bpe
from lexigraft.core.tokenization.editing.appended_wordpiece import append_wordpiece
from lexigraft.core.tokenization.editing.bpe_check import refuse_other_than_bpe
from lexigraft.core.tokenization.editing.continued_bpe import continue_bpe
from lexigraft.core.tokenization.editing.exchange import exchange
from lexigraft.core.tokenization.editing.extended_unigram import append_unigram, extend_by_em, refuse_other_than_unigram
from lexigraft.core.tokenization.editing.training_like import type_like
from lexigraft.core.tokenization.vocabulary import Vocabulary

METHODS = ("continued_bpe", "append", "exchange", "unigram_em")
BY_KIND = {"Unigram": "unigram_em", "WordPiece": "append"}
"""The method for each kind of model that has no merges."""


def method_for(vocabulary: Vocabulary, asked: str | None = None) -> str:
    """The method that extends a vocabulary: the one asked for, else ``continued_bpe`` or that of its kind.

    Raises:
        UnknownName: There is no such method.
    """
    if asked is None:
        return BY_KIND.get(_kind(vocabulary), "continued_bpe")
    if asked not in METHODS:
        raise UnknownName("method", asked, METHODS)
    return asked


def extend(
    vocabulary: Vocabulary, lines: Sequence[str], number: int, method: str | None = None, familiar: Sequence[str] = ()
) -> Vocabulary:
    """Add tokens for a text, or exchange others for them.

    Args:
        vocabulary: The source's vocabulary.
        lines: Text to learn from.
        number: How many tokens at most.
        method: One of ``METHODS``; ``None`` takes the one for this kind of vocabulary.
        familiar: Text that the source is good at; ``exchange`` counts its tokens as used, and ``append`` of WordPiece
            makes none of its words longer.

    Returns:
        A new vocabulary.

    Raises:
        LexigraftError: No such method, a vocabulary that it does not extend, or no token to add.
    """
    method = method_for(vocabulary, method)
    if method == "unigram_em":
        return extend_by_em(vocabulary, lines, number)
    if method == "exchange":
        return exchange(vocabulary, lines, number, familiar)
    if method == "append":
        if (kind := _kind(vocabulary)) == "WordPiece":
            return append_wordpiece(vocabulary, lines, number, familiar)
        return (append_unigram if kind == "Unigram" else append_bpe)(vocabulary, lines, number)
    return continue_bpe(vocabulary, lines, number)


def check_extendable(vocabulary: Vocabulary, method: str | None = None) -> None:
    """Refuse a method that does not extend this kind of vocabulary.

    Raises:
        LexigraftError: It does not.
    """
    method = method_for(vocabulary, method)
    if method == "unigram_em" or (method == "exchange" and _kind(vocabulary) == "Unigram"):
        refuse_other_than_unigram(vocabulary)
    elif method != "append" or (kind := _kind(vocabulary)) not in BY_KIND:
        refuse_other_than_bpe(vocabulary)
    elif kind == "WordPiece":
        type_like(vocabulary)


def _kind(vocabulary: Vocabulary) -> str:
    return type(vocabulary.tokenizer.backend_tokenizer.model).__name__
