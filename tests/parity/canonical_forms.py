"""Byte-level tokens whose canonical form in deepfocus is not their own, so that it takes one for another."""

from __future__ import annotations

from lexigraft.core.tokenization.matching.spelling import spelled
from lexigraft.core.tokenization.vocabulary import Vocabulary

REPLACEMENT = "\ufffd"


def blurred(vocabulary: Vocabulary) -> dict[str, set[int]]:
    """The tokens to which decoding them alone, and stripping that, leaves no form of their own.

    Args:
        vocabulary: A byte-level vocabulary.

    Returns:
        ``fragments`` of characters, whose form holds U+FFFD; ``characters`` that truly are U+FFFD, whose form the
        fragments share; ``space``: tokens that are white space or begin with some, but for the space of a word start.
    """
    found: dict[str, set[int]] = {"fragments": set(), "characters": set(), "space": set()}
    for i, data in spelled(vocabulary).items():
        text = vocabulary.tokenizer.decode([i])
        rest = text.removeprefix(" ")
        if not rest or rest[0].isspace():
            found["space"].add(i)
        elif REPLACEMENT in text:
            found["characters" if text.encode() == data else "fragments"].add(i)
    return found
