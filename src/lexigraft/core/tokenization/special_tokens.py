"""Special tokens by role, and their matching between target and source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lexigraft.core.tokenization.surface import Kind

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary

ROLES = ("bos", "eos", "unk", "sep", "cls", "mask", "pad")
"""Roles by importance: where several share one id, the first wins."""

_EDGES = {"bos": "cls", "eos": "sep", "sep": "eos", "cls": "bos"}
"""Roles that begin or end a text, each with its stand-in."""


def roles_of(tokenizer: Any) -> dict[str, int]:
    """The id of each role that the tokenizer fills."""
    ids = {role: getattr(tokenizer, f"{role}_token_id", None) for role in ROLES}
    return {role: int(i) for role, i in ids.items() if i is not None}


def match_specials(source: Vocabulary, target: Vocabulary) -> dict[int, int]:
    """Match tokens that are special on either side: by the same string, then by role, then by the stand-in role.

    Stand-ins are bos and cls, eos and sep. They come before the roles of padding, unknown and mask: an end token that
    pads as well ends texts, and the row of a token that only pads was never trained.

    Args:
        source: The source vocabulary.
        target: The target vocabulary.

    Returns:
        Target id to source id.
    """
    matched = _same_strings(source, target)
    others = [role for role in ROLES if role not in _EDGES]
    for role, source_role in [*zip(_EDGES, _EDGES, strict=True), *_EDGES.items(), *zip(others, others, strict=True)]:
        if role in target.specials and source_role in source.specials:
            matched.setdefault(target.specials[role], source.specials[source_role])
    return matched


def _same_strings(source: Vocabulary, target: Vocabulary) -> dict[int, int]:
    wanted, known = ({v.tokens[i]: i for i in sorted(v.special_ids)} for v in (target, source))
    matched = {i: known[string] for string, i in wanted.items() if string in known}
    for string, i in wanted.items():
        twin = None if string in known else source.id_of(string)
        if twin is not None and _is_same_token(target, i, source, twin):
            matched[i] = twin
    for string, i in known.items():
        twin = None if string in wanted else target.id_of(string)
        if twin is not None and _is_same_token(source, i, target, twin):
            matched[twin] = i
    return matched


def _is_same_token(special: Vocabulary, i: int, other: Vocabulary, j: int) -> bool:
    """Whether a special token is the token of the same string that another vocabulary does not call special.

    It is where both were registered under one id, as in an extension. Else the string must stand for itself (``##s``
    does not), and a token that fills a role, such as XLM-R's ``<s>``, is not the HTML tag that Gemma spells alike: the
    other vocabulary must not fill that role itself, and must have registered the string.
    """
    if i == j and special.family is other.family:
        return True
    if special.family is not other.family and not _stands_for_itself(other, j):
        return False
    roles = [role for role, filled in special.specials.items() if filled == i]
    if not roles:
        return True
    registered = other.surfaces.kinds[j] == Kind.UNUSABLE or j in other.tokenizer.added_tokens_decoder
    return registered and not any(role in other.specials for role in roles)


def _stands_for_itself(vocabulary: Vocabulary, i: int) -> bool:
    text, token = vocabulary.surfaces.texts[i], vocabulary.tokens[i].encode()
    return token in (text, b" " + text)
