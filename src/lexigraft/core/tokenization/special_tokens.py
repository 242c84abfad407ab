"""Special tokens by role, and their matching between target and source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLES = ("bos", "eos", "unk", "sep", "cls", "mask", "pad")
"""Roles by importance: where several share one id, the first wins."""

_ALTERNATIVES = {"bos": "cls", "cls": "bos", "eos": "sep", "sep": "eos"}


def roles_of(tokenizer: Any) -> dict[str, int]:
    """The id of each role that the tokenizer fills."""
    ids = {role: getattr(tokenizer, f"{role}_token_id", None) for role in ROLES}
    return {role: int(i) for role, i in ids.items() if i is not None}


def match_specials(
    source: Mapping[str, int],
    target: Mapping[str, int],
    source_strings: Mapping[str, int],
    target_strings: Mapping[str, int],
) -> dict[int, int]:
    """Match special tokens: by role, then by the alternative role (bos and cls, eos and sep), then by the same string.

    Args:
        source: Role to id in the source tokenizer.
        target: Role to id in the target tokenizer.
        source_strings: Every special token's string to its id in the source.
        target_strings: The same for the target.

    Returns:
        Target id to source id.
    """
    matched: dict[int, int] = {}
    for alternative in (False, True):
        for role in ROLES:
            source_role = _ALTERNATIVES.get(role, "") if alternative else role
            if role in target and source_role in source:
                matched.setdefault(target[role], source[source_role])
    for string, i in target_strings.items():
        if string in source_strings:
            matched.setdefault(i, source_strings[string])
    return matched
