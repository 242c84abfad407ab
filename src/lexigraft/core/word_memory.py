"""Text cut into tokens word by word, each word once: what a tokenizer answered for a word is remembered.

Words repeat, and a tokenizer's work is the same each time. Only tokenizers whose parts are known to treat each word by
itself are helped; lines with other white space than single spaces go to the tokenizer whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from lexigraft.core.surface import component

_LOG = logging.getLogger("lexigraft")
_WORD = re.compile(" ?[^ ]+")
_IRREGULAR = re.compile(r"[^\S ]|  |^ | $|^$")
REMEMBERED, ENOUGH = 2**17, 32
"""Words that are remembered (more would take more than some 50 MB), and lines from which on they are."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}


class WordMemory:
    """A tokenizer that remembers words.

    Args:
        backend: A ``tokenizers.Tokenizer`` for which :func:`word_by_word` holds.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._known: dict[str, list[int]] = {}
        self._trusted = True

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Token ids of each line, without special tokens; one line of each call is checked against the tokenizer."""
        if not self._trusted:
            return self._whole(lines)
        parted = [() if _IRREGULAR.search(line) else _WORD.findall(line) for line in lines]
        if len(self._known) > REMEMBERED:
            self._known.clear()
        missing = list(set(chain.from_iterable(parted)) - self._known.keys())
        self._known.update(zip(missing, self._whole(missing), strict=True))
        known = self._known.__getitem__
        found = [list(chain.from_iterable(map(known, words))) for words in parted]
        irregular = [n for n, words in enumerate(parted) if not words]
        for n, ids in zip(irregular, self._whole([lines[n] for n in irregular]), strict=True):
            found[n] = ids
        longest = max(range(len(lines)), key=lambda n: len(parted[n]), default=None)
        if longest is not None and self._whole([lines[longest]])[0] != found[longest]:
            _LOG.warning(
                "this tokenizer does not treat each word by itself; lines are given to it whole from now on, but those "
                "before may be cut otherwise than it cuts them: please report the tokenizer"
            )
            self._trusted = False
            return self._whole(lines)
        return found

    def _whole(self, lines: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in self._backend.encode_batch_fast(list(lines), add_special_tokens=False)]


def word_by_word(backend: Any) -> bool:
    """Whether a tokenizer cuts each word of a line with single spaces by itself, as far as its parts tell.

    Args:
        backend: A ``tokenizers.Tokenizer``.
    """
    added = backend.get_added_tokens_decoder().values()
    if any(token.rstrip or re.search(r"\s", token.content) for token in added):
        return False
    if getattr(backend.model, "dropout", None):
        return False
    return _keeps_words(component(backend.normalizer)) and _parts_words(component(backend.pre_tokenizer))


def _keeps_words(normalizer: Mapping[str, Any] | None) -> bool:
    if normalizer is None or normalizer["type"] in _BY_CHARACTER:
        return True
    return normalizer["type"] == "Sequence" and all(map(_keeps_words, normalizer["normalizers"]))


def _parts_words(splitter: Mapping[str, Any] | None) -> bool:
    if splitter is None:
        return False
    kind = splitter["type"]
    if kind == "Sequence":
        parts = splitter["pretokenizers"]
        return any(map(_parts_words, parts)) and all(p["type"] in _SPLIT_FURTHER or _parts_words(p) for p in parts)
    spaces = (kind == "Metaspace" and splitter.get("split", True)) or (
        kind == "ByteLevel" and splitter.get("use_regex", True)
    )
    return bool(spaces or kind in _AT_SPACES)
