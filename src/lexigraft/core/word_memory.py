"""Text cut into tokens word by word, each word once: what a tokenizer answered for a word is remembered.

Words repeat, and a tokenizer's work is the same each time. Only tokenizers whose parts are known to treat each word by
itself are helped; lines with other white space than single spaces go to the tokenizer whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from lexigraft.core.surface import component

_LOG = logging.getLogger("lexigraft")
_FIRST = "\n"
"""Stands before the first word of a line, where other words have a space; no word holds it."""
REMEMBERED, LETTERS = 2**17, 2**21
"""Words, and letters in all of them, that are remembered: some 50 MB."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}

Form = TypeVar("Form")


class WordMemory(Generic[Form]):
    """A tokenizer that remembers words, in the form in which their tokens are wanted.

    Args:
        backend: A ``tokenizers.Tokenizer``; one for which :func:`word_by_word` does not hold is always given whole lines.
        form: What becomes of the token ids of a word, or of a line.
        together: Makes the form of a line of the forms of its words.
    """

    def __init__(
        self, backend: Any, form: Callable[[list[int]], Form], together: Callable[[Iterable[Form]], Form]
    ) -> None:
        self._backend, self._form, self._together = backend, form, together
        self._known: dict[str, Form] = {}
        self._letters = 0
        self._trusted = word_by_word(backend)

    def encode(self, lines: Sequence[str]) -> list[Form]:
        """The tokens of each line, without special ones; one line of each call is checked against the tokenizer."""
        if not self._trusted:
            return self._whole(lines)
        parted = list(map(_words, lines))
        self._learn(parted)
        known, together = self._known.__getitem__, self._together
        found = [together(map(known, words)) for words in parted]
        irregular = [n for n, words in enumerate(parted) if not words]
        for n, tokens in zip(irregular, self._whole([lines[n] for n in irregular]), strict=True):
            found[n] = tokens
        longest = max(range(len(lines)), key=lambda n: len(parted[n]), default=None)
        if longest is not None and self._whole([lines[longest]])[0] != found[longest]:
            _LOG.warning(
                "this tokenizer does not treat each word by itself; lines are given to it whole from now on, but those "
                "before may be cut otherwise than it cuts them: please report the tokenizer"
            )
            self._trusted = False
            return self._whole(lines)
        return found

    def _learn(self, parted: Sequence[Sequence[str]]) -> None:
        if len(self._known) > REMEMBERED or self._letters > LETTERS:
            self._known.clear()
            self._letters = 0
        missing = list(set(chain.from_iterable(parted)) - self._known.keys())
        as_written = [word[1:] if word[0] == _FIRST else f" {word}" for word in missing]
        self._known.update(zip(missing, self._whole(as_written), strict=True))
        self._letters += sum(map(len, missing))

    def _whole(self, texts: Sequence[str]) -> list[Form]:
        form = self._form
        return [form(e.ids) for e in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]


def _words(line: str) -> Sequence[str]:
    """The words of a line, the first one marked; none where other white space than single spaces is in it."""
    words = line.split()
    if not words or " ".join(words) != line:
        return ()
    words[0] = _FIRST + words[0]
    return words


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
