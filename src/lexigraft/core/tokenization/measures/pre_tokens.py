"""Lowest number of tokens that a pre-tokenizer leaves possible for a text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.vocabulary import Vocabulary

GPT2_REGEX = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What the byte-level pre-tokenizer splits by, where it has no other regular expression (Radford et al. 2019)."""

_CLASS_OR_LETTER = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\p\{L\}")
_EMPTY = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}


def count_pre_tokens(vocabulary: Vocabulary, lines: Sequence[str]) -> int:
    """The number of pre-tokens of some lines: added tokens are read as plain text."""
    backend = vocabulary.tokenizer.backend_tokenizer
    return _count(backend.normalizer, backend.pre_tokenizer, lines)


def count_mark_aware(vocabulary: Vocabulary, lines: Sequence[str]) -> int | None:
    r"""The number of pre-tokens when letters keep the marks that follow them.

    Regular expressions whose letters are ``\p{L}`` alone cut an Indic word at every vowel sign, which is a mark
    (``\p{M}``).

    Args:
        vocabulary: The vocabulary.
        lines: Text.

    Returns:
        The number; ``None`` where no regular expression of the pre-tokenizer parts letters from marks.
    """
    backend = vocabulary.tokenizer.backend_tokenizer
    described = component(backend.pre_tokenizer)
    changed = _mark_aware(described)
    return None if changed == described else _count(backend.normalizer, _loaded(changed), lines)


def mark_aware_regex(pattern: str) -> str:
    r"""A regular expression in which ``\p{M}`` stands wherever ``\p{L}`` does; one that names ``\p{M}`` stays."""
    if r"\p{M}" in pattern:
        return pattern

    def widened(found: re.Match[str]) -> str:
        part = found[0]
        return part.replace(r"\p{L}", r"\p{L}\p{M}") if part.startswith("[") else r"[\p{L}\p{M}]"

    return _CLASS_OR_LETTER.sub(widened, pattern)


def _count(normalizer: Any, pre_tokenizer: Any, lines: Sequence[str]) -> int:
    total = 0
    for line in lines:
        text = normalizer.normalize_str(line) if normalizer is not None else line
        total += len(pre_tokenizer.pre_tokenize_str(text)) if pre_tokenizer is not None else bool(text)
    return total


def _mark_aware(part: Any) -> Any:
    if part is None:
        return None
    if part["type"] == "Sequence":
        return part | {"pretokenizers": [_mark_aware(inner) for inner in part["pretokenizers"]]}
    if part["type"] == "Split" and "Regex" in part["pattern"]:
        return part | {"pattern": {"Regex": mark_aware_regex(part["pattern"]["Regex"])}}
    if part["type"] == "ByteLevel" and part["use_regex"]:
        split = {"type": "Split", "pattern": {"Regex": mark_aware_regex(GPT2_REGEX)}, "behavior": "Isolated"}
        bytes_only = part | {"use_regex": False, "add_prefix_space": False}
        return {"type": "Sequence", "pretokenizers": [split | {"invert": False}, bytes_only]}
    return part


def _loaded(described: Any) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(_EMPTY | {"pre_tokenizer": described})).pre_tokenizer
