"""Ids that a tokenizer's post-processor adds around a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary


def check_post_processor(vocabulary: Vocabulary) -> None:
    """Refuse a tokenizer that adds ids of another vocabulary.

    Raises:
        LexigraftError: A token that is added around a text has another id in the vocabulary than in the post-processor.
    """
    backend = vocabulary.tokenizer.backend_tokenizer
    description = json.loads(backend.to_str())["post_processor"]
    stale = {token: i for token, i in tokens_added_by(description) if backend.token_to_id(token) != i}
    if stale:
        found = ", ".join(f"{token} as {i} (it is {backend.token_to_id(token)})" for token, i in stale.items())
        raise LexigraftError(
            "tokenizer adds ids that its vocabulary does not have for these tokens",
            found,
            "Its post_processor was made for another vocabulary; set it again with the ids of this one",
        )


def tokens_added_by(processor: Any) -> Iterator[tuple[str, int]]:
    """Every token that a described post-processor can add, with the id it gives it."""
    kind = processor["type"] if processor else None
    if kind == "Sequence":
        for part in processor["processors"]:
            yield from tokens_added_by(part)
    elif kind == "TemplateProcessing":
        for special in processor["special_tokens"].values():
            yield from zip(special["tokens"], special["ids"], strict=True)
    elif kind in ("BertProcessing", "RobertaProcessing"):
        for end in ("cls", "sep"):
            token, i = processor[end]
            yield token, i
