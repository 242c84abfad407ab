"""The unknown tokens of a vocabulary."""

from __future__ import annotations

from lexigraft.core.tokenization.open_roles import unknown_string
from lexigraft.core.tokenization.vocabulary import Vocabulary


def unknown_ids(vocabulary: Vocabulary) -> list[int]:
    """The ids of the token that has the role, and of the one that the model gives itself."""
    string = unknown_string(vocabulary.tokenizer.backend_tokenizer)
    own = None if string is None else vocabulary.id_of(string)
    return sorted({i for i in (vocabulary.specials.get("unk"), own) if i is not None})
