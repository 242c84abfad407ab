"""A tokenizer with another model: everything else about it, from roles to the chat template, stays."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary


def description_of(vocabulary: Vocabulary) -> dict[str, Any]:
    """The content of its ``tokenizer.json``, a new one each time."""
    described: dict[str, Any] = json.loads(vocabulary.tokenizer.backend_tokenizer.to_str())
    return described


def merges_of(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges in a ``tokenizer.json``, in order of rank."""
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in described["model"]["merges"])
    return [(left, right) for left, right in pairs]


def with_description(vocabulary: Vocabulary, described: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary with another ``tokenizer.json``.

    Args:
        vocabulary: The vocabulary, which stays as it is.
        described: The content of the other file.

    Returns:
        A new vocabulary.
    """
    with tempfile.TemporaryDirectory(prefix="lexigraft-") as folder:
        vocabulary.tokenizer.save_pretrained(folder)
        config = Path(folder, "tokenizer_config.json")
        settings = json.loads(config.read_text(encoding="utf-8"))
        settings.pop("added_tokens_decoder", None)  # the other file may number them otherwise
        config.write_text(json.dumps(settings), encoding="utf-8")
        path = Path(folder, "tokenizer.json")
        path.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
        return load_vocabulary(folder)
