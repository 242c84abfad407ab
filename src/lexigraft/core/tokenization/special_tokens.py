"""Special tokens by role, and their matching between target and source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

ROLES = ("bos", "eos", "unk", "sep", "cls", "mask", "pad")
"""Roles by importance: where several share one id, the first wins."""

_ALTERNATIVES = {"bos": "cls", "cls": "bos", "eos": "sep", "sep": "eos"}


def roles_of(tokenizer: Any) -> dict[str, int]:
    """The id of each role that the tokenizer fills."""
    ids = {role: getattr(tokenizer, f"{role}_token_id", None) for role in ROLES}
    return {role: int(i) for role, i in ids.items() if i is not None}


def match_specials(source: Vocabulary, target: Vocabulary) -> dict[int, int]:
    """Match tokens that are special: by the same string, then by role, then by the alternative role.

    Alternative roles are bos and cls, eos and sep.

    Args:
        source: The source vocabulary.
        target: The target vocabulary.

    Returns:
        Target id to source id.
    """
    matched = _same_strings(source, target)
    for alternative in (False, True):
        for role in ROLES:
            source_role = _ALTERNATIVES.get(role, "") if alternative else role
            if role in target.specials and source_role in source.specials:
                matched.setdefault(target.specials[role], source.specials[source_role])
    return matched


def _same_strings(source: Vocabulary, target: Vocabulary) -> dict[int, int]:
    wanted, known = ({v.tokens[i]: i for i in sorted(v.special_ids)} for v in (target, source))
    return {i: known[string] for string, i in wanted.items() if string in known}
