"""Normalizer and pre-tokenizer of a tokenizer as they act inside a line."""

from __future__ import annotations

import json
from typing import Any

from lexigraft.core.tokenization.surface import component

_EMPTY = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}


def inside_line(backend: Any) -> tuple[Any, Any]:
    """The normalizer and the pre-tokenizer of a ``tokenizers.Tokenizer``, copied, that put no space in front.

    Args:
        backend: The tokenizer.

    Returns:
        Both, each ``None`` where there is none. A normalizer writes no bytes as the byte-level alphabet.
    """
    from tokenizers import Tokenizer

    parts = {name: _without_prefix(component(getattr(backend, name))) for name in ("normalizer", "pre_tokenizer")}
    copy = Tokenizer.from_str(json.dumps(_EMPTY | parts))
    return copy.normalizer, copy.pre_tokenizer


def _without_prefix(part: Any) -> Any:
    if part is None or part["type"] == "Prepend" or (part["type"] == "ByteLevel" and len(part) == 1):
        return None
    if part["type"] == "Sequence":
        key = "normalizers" if "normalizers" in part else "pretokenizers"
        return part | {key: [inner for inner in map(_without_prefix, part[key]) if inner is not None]}
    off = {"add_prefix_space": False, "prepend_scheme": "never"}
    return part | {key: value for key, value in off.items() if key in part}
