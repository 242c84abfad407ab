"""Tokens appended to the model's vocabulary behind the old ones, which keep their ids."""

from __future__ import annotations

from collections.abc import Sequence

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.rebuilding import description_of, merges_of, with_description
from lexigraft.core.tokenization.vocabulary import Vocabulary

Merge = tuple[str, str]


def refuse_none(number: int) -> None:
    """Refuse to add no token.

    Raises:
        LexigraftError: The number is not positive.
    """
    if number < 1:
        raise LexigraftError("the number of tokens to add is not positive", number, "Give 1 or more")


def with_appended(vocabulary: Vocabulary, tokens: Sequence[str], merges: Sequence[Merge] = ()) -> Vocabulary:
    """A BPE or WordPiece vocabulary with more tokens.

    Args:
        vocabulary: The vocabulary, which stays as it is.
        tokens: New tokens in order; their ids go from ``vocabulary.size`` on.
        merges: Merges that make them, behind the old ones.

    Returns:
        The larger vocabulary.

    Raises:
        LexigraftError: An added token cannot keep its id.
    """
    described = description_of(vocabulary)
    model = described["model"]
    # An added token outside the model's vocabulary gets the next free id when the file is read, which is another now.
    model["vocab"] |= {token.content: i for i, token in vocabulary.tokenizer.added_tokens_decoder.items()}
    model["vocab"] |= {token: vocabulary.size + n for n, token in enumerate(tokens)}
    if merges:
        model["merges"] = [list(pair) for pair in [*merges_of(described), *merges]]
    extended = with_description(vocabulary, described)
    moved = [
        t for i, t in enumerate(vocabulary.tokens) if t and extended.surfaces.texts[i] != vocabulary.surfaces.texts[i]
    ]
    if moved or extended.tokens[: vocabulary.size] != vocabulary.tokens:
        hint = "Give the source without its added tokens, and add them again afterwards"
        raise LexigraftError("an added token cannot keep its id and its text", ", ".join(moved[:3]) or None, hint)
    return extended
