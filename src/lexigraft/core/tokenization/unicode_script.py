"""The writing system of a token."""

from __future__ import annotations

import unicodedata

from lexigraft.core.tokenization.vocabulary import Vocabulary


def script(vocabulary: Vocabulary, i: int) -> str:
    """The script of a token's first letter, as the first word of its Unicode name; ``""`` without a letter."""
    text = vocabulary.surfaces.texts[i].decode(errors="ignore")
    letter = next((c for c in text if c.isalpha()), None)
    return unicodedata.name(letter, "").split(" ")[0] if letter else ""
