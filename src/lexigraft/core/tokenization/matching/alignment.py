"""Matches of target tokens with source tokens of the same bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, product, repeat
from operator import ne

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import UnknownName
from lexigraft.core.tokenization.special_tokens import match_specials
from lexigraft.core.tokenization.surface import Kind, Surfaces
from lexigraft.core.tokenization.vocabulary import Vocabulary

NEW = "new"
DEFAULT_RULES = ("special_role", "bytes", "isolated", "whole_word", "unusable")
RELAXED_RULES = ("byte_piece", "no_space", "case_fold", "nfc")


@dataclass(frozen=True)
class Alignment:
    """The match of each target token in the source vocabulary.

    Attributes:
        source_ids: Matched source id, or -1 for a new token, int64, shape ``(target,)``.
        rule_ids: Index into :attr:`rules` of the rule that matched; 0 means new, int8, shape ``(target,)``.
        rules: Rule names; the first is ``"new"``.
    """

    source_ids: npt.NDArray[np.int64]
    rule_ids: npt.NDArray[np.int8]
    rules: tuple[str, ...]

    @property
    def matched(self) -> npt.NDArray[np.int64]:
        """Target ids that have a match, ascending."""
        return np.flatnonzero(self.source_ids >= 0)

    @property
    def new(self) -> npt.NDArray[np.int64]:
        """Target ids without a match, ascending."""
        return np.flatnonzero(self.source_ids < 0)

    def counts(self) -> dict[str, int]:
        """How many tokens each rule matched (rules that matched none included; new tokens not)."""
        counts = np.bincount(self.rule_ids, minlength=len(self.rules))
        return {rule: int(n) for rule, n in zip(self.rules[1:], counts[1:], strict=True)}

    def rule_of(self, target_id: int) -> str:
        """The name of the rule that matched a token, or ``"new"``."""
        return self.rules[self.rule_ids[target_id]]


def refuse_unknown_rules(relaxed: Iterable[str]) -> None:
    """Refuse relaxed rules that do not exist.

    Raises:
        UnknownName: The first of them.
    """
    for name in relaxed:
        if name not in RELAXED_RULES:
            raise UnknownName("match rule", name, RELAXED_RULES)


def align(source: Vocabulary, target: Vocabulary, relaxed: Sequence[str] = ()) -> Alignment:
    """Match a target vocabulary with a source vocabulary on bytes.

    Rules in order: ``special_role``; ``bytes`` (same bytes, same word edges, same kind); ``isolated`` (a token that its
    pre-tokenizer always splits off, such as BERT's punctuation, carries no word start and matches text of the same
    bytes, without a word start where there is such a token, since a sign mostly follows a word); ``whole_word``
    (between a vocabulary that marks where words end, such as CLIP's, and one that marks where they start: the same
    word, which each cuts into that token alone); ``unusable`` (a token that can never occur, such as BERT's
    ``[unused0]`` or ``##,``, matches its own string, so that an extended vocabulary keeps every old row); then, only
    if asked for, ``byte_piece`` (``<0x41>`` with ``A``), ``no_space``, ``case_fold`` and ``nfc``. None but the first
    and ``byte_piece`` matches tokens of different kinds.
    A fragment of a UTF-8 character matches the same bytes and nothing else. Several source tokens with one surface:
    the one with the same string wins, else the lowest id.

    Args:
        source: The source vocabulary.
        target: The target vocabulary.
        relaxed: Names of the relaxed rules to try as well, in their fixed order.

    Returns:
        The match of each target token, with the rule that found it.

    Raises:
        UnknownName: A relaxed rule that does not exist.
    """
    refuse_unknown_rules(relaxed)
    rules = (NEW, *DEFAULT_RULES, *(r for r in RELAXED_RULES if r in relaxed))
    source_ids = np.full(target.size, -1, np.int64)
    rule_ids = np.zeros(target.size, np.int8)
    for i, j in match_specials(source, target).items():
        source_ids[i], rule_ids[i] = j, rules.index("special_role")
    usable = target.surfaces.is_text
    for number, rule in enumerate(rules[2:], start=2):
        candidates = target.surfaces.kinds == Kind.UNUSABLE if rule == "unusable" else usable
        open_ids = np.flatnonzero(candidates & (source_ids < 0))
        if rule in _RULES_OF_VOCABULARIES:
            matches = _RULES_OF_VOCABULARIES[rule](source, target, open_ids)
        else:
            matches = _RULES[rule](source.surfaces, target.surfaces, open_ids)
        source_ids[open_ids] = matches
        rule_ids[open_ids[matches >= 0]] = number
    _prefer_same_string(source, target, source_ids, np.flatnonzero(rule_ids == rules.index("bytes")))
    return Alignment(source_ids, rule_ids, rules)


def _same_strings(source: Vocabulary, target: Vocabulary, open_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    matches = [source.id_of(target.tokens[i]) for i in open_ids.tolist()]
    unusable = [j if j is not None and source.surfaces.kinds[j] == Kind.UNUSABLE else -1 for j in matches]
    return np.array(unusable, np.int64)


def _whole_words(source: Vocabulary, target: Vocabulary, open_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Between word ends and word starts; a token that merely may be a word, such as ``ing</w>``, is asked of both."""
    ours, theirs = target.surfaces, source.surfaces
    matches = np.full(len(open_ids), -1, np.int64)
    for marks_ends in (False, True):
        words = (theirs.kinds == _TEXT) & theirs.starts & ((theirs.ends >= 0) != marks_ends)
        asked = (ours.kinds[open_ids] == _TEXT) & ours.starts[open_ids] & ((ours.ends[open_ids] >= 0) == marks_ends)
        table = _first_ids(theirs, np.flatnonzero(words), _key_bytes) if asked.any() else {}
        for n in np.flatnonzero(asked).tolist() if table else ():
            i = int(open_ids[n])
            j = table.get(text := ours.texts[i])
            if j is not None and source.pieces(text, True) == [j] and target.pieces(text, True) == [i]:
                matches[n] = j
    return matches


_RULES_OF_VOCABULARIES = {"unusable": _same_strings, "whole_word": _whole_words}


def _prefer_same_string(
    source: Vocabulary, target: Vocabulary, source_ids: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]
) -> None:
    """Where several source tokens share a surface, take the one with the target token's own string."""
    surfaces, edges = source.surfaces, source.surfaces.edges
    target_ids, matches = ids.tolist(), source_ids[ids].tolist()
    differ = map(ne, map(target.tokens.__getitem__, target_ids), map(source.tokens.__getitem__, matches))
    for i, j in compress(zip(target_ids, matches, strict=True), differ):
        if (same_string := source.id_of(target.tokens[i])) is None:
            continue
        same = surfaces.texts[same_string] == surfaces.texts[j] and edges[same_string] == edges[j]
        if same and surfaces.kinds[same_string] == surfaces.kinds[j]:
            source_ids[i] = same_string


_BYTE, _TEXT = int(Kind.BYTE), int(Kind.TEXT)
Key = Callable[[bytes, int, int], object]


def _keys(surfaces: Surfaces, ids: npt.NDArray[np.int64], key: Key) -> list[object]:
    """The key of each of some tokens, from its bytes, word edges and kind."""
    texts = surfaces.texts
    columns = zip(ids.tolist(), surfaces.edges[ids].tolist(), surfaces.kinds[ids].tolist(), strict=True)
    return [key(texts[i], edges, kind) for i, edges, kind in columns]


def _first_ids(surfaces: Surfaces, ids: npt.NDArray[np.int64], key: Key) -> dict[object, int]:
    """Key to the first of the ids that has it; keys that are ``None`` are left out."""
    table = dict(zip(reversed(_keys(surfaces, ids, key)), reversed(ids.tolist()), strict=True))
    table.pop(None, None)
    return table


def _look_up(source: Surfaces, target: Surfaces, open_ids: npt.NDArray[np.int64], key: Key) -> npt.NDArray[np.int64]:
    table = _first_ids(source, np.flatnonzero(source.is_text), key)
    return np.fromiter((table.get(k, -1) for k in _keys(target, open_ids, key)), np.int64, len(open_ids))


def _by_bytes(source: Surfaces, target: Surfaces, open_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Same bytes, same word edges, same kind; without a key for each token, because this rule runs on all of them.

    A target token that is always split off has no word start to compare, unless the source's token is split off too.
    """
    source_ids = np.full(len(open_ids), -1, np.int64)
    theirs, ours = source.edges, target.edges[open_ids]
    for kind, edges, isolated in product((_TEXT, _BYTE), np.unique(ours).tolist(), (False, True)):
        asked = (target.kinds[open_ids] == kind) & (ours == edges)
        asked &= target.isolated[open_ids] == isolated
        comparable = source.isolated if isolated else True
        candidates = np.flatnonzero((source.kinds == kind) & (theirs == edges) & comparable)[::-1].tolist()
        table = dict(zip(map(source.texts.__getitem__, candidates), candidates, strict=True))
        wanted = open_ids[asked].tolist()
        matches = map(table.get, map(target.texts.__getitem__, wanted), repeat(-1))
        source_ids[asked] = np.fromiter(matches, np.int64, len(wanted))
    return source_ids


def _by_isolation(source: Surfaces, target: Surfaces, open_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    isolated = _first_ids(source, np.flatnonzero(source.isolated), _key_bytes)
    matches = np.full(len(open_ids), -1, np.int64)
    is_text = target.kinds[open_ids] == _TEXT
    matches[is_text] = [isolated.get(target.texts[i], -1) for i in open_ids[is_text].tolist()]
    if target.isolated[open_ids].any():
        text_ids = np.flatnonzero(source.kinds == _TEXT)
        # A sign mostly follows a word; where word ends are marked, it is a word.
        ends = source.ends[text_ids] > 0
        order = text_ids[np.lexsort((~ends, source.starts[text_ids] & ~ends))]
        any_text = _first_ids(source, order, _key_bytes)
        asked = target.isolated[open_ids]
        matches[asked] = [any_text.get(target.texts[i], -1) for i in open_ids[asked].tolist()]
    return matches


def _text(data: bytes, kind: int) -> str | None:
    if kind != _TEXT:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _key_bytes(data: bytes, edges: int, kind: int) -> object:
    return data


def _key_byte_piece(data: bytes, edges: int, kind: int) -> object:
    return data if len(data) == 1 and not edges else None


def _key_no_space(data: bytes, edges: int, kind: int) -> object:
    return _text(data, kind) or None


def _key_case_fold(data: bytes, edges: int, kind: int) -> object:
    text = _text(data, kind)
    return None if text is None else (edges, text.casefold())


def _key_nfc(data: bytes, edges: int, kind: int) -> object:
    text = _text(data, kind)
    return None if text is None else (edges, unicodedata.normalize("NFC", text))


Rule = Callable[[Surfaces, Surfaces, npt.NDArray[np.int64]], npt.NDArray[np.int64]]


def _keyed(key: Key) -> Rule:
    return lambda source, target, open_ids: _look_up(source, target, open_ids, key)


_RULES: dict[str, Rule] = {
    "bytes": _by_bytes,
    "isolated": _by_isolation,
    "byte_piece": _keyed(_key_byte_piece),
    "no_space": _keyed(_key_no_space),
    "case_fold": _keyed(_key_case_fold),
    "nfc": _keyed(_key_nfc),
}
