"""Text cut into tokens word by word, each word once: what a tokenizer answered for a word is remembered.

Words repeat, and a tokenizer's work is the same each time. Only tokenizers whose parts are known to treat each word by
itself are helped; lines with other white space than single spaces go to the tokenizer whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from lexigraft.core.surface import component

_LOG = logging.getLogger("lexigraft")
_FIRST = "\n"
"""Stands before the first word of a line, where other words have a space; no word holds it."""
_TOGETHER, _AT_ONCE = 64, 2**20
"""Words that the tokenizer is given in one text, and letters of a text that are cut at once."""
REMEMBERED, LETTERS = 2**18, 2**22
"""Words, and letters in all of them, that are remembered: some 100 MB."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}

Form = TypeVar("Form")


class WordMemory(Generic[Form]):
    """A tokenizer that remembers words, in the form in which their tokens are wanted.

    Args:
        backend: A ``tokenizers.Tokenizer``; where :func:`word_by_word` does not hold, it is always given whole lines.
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
        self._mark = _mark(backend.get_added_tokens_decoder())

    def stream(self, lines: Iterable[str]) -> Iterator[Form]:
        """The tokens of each line of a text of any size, without special ones."""
        for batch in _batches(lines):
            yield from self.encode(batch)

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
        missing = set(chain.from_iterable(parted)) - self._known.keys()
        first = [word for word in missing if word[0] == _FIRST]
        self._known.update(zip(first, self._whole([word[1:] for word in first]), strict=True))
        later = list(missing.difference(first))
        self._known.update(zip(later, self._apart([f" {word}" for word in later]), strict=True))
        self._letters += sum(map(len, missing))

    def _apart(self, words: Sequence[str]) -> Iterator[Form]:
        """The tokens of each word, many in one text with a special token after each: fewer, larger answers."""
        if self._mark is None:
            yield from self._whole(words)
            return
        mark, mark_id = self._mark
        groups = [words[at : at + _TOGETHER] for at in range(0, len(words), _TOGETHER)]
        for group, ids in zip(groups, self._ids([mark.join([*group, ""]) for group in groups]), strict=True):
            parts = _parts(ids, mark_id)
            yield from map(self._form, parts) if len(parts) == len(group) else self._whole(group)

    def _whole(self, texts: Sequence[str]) -> list[Form]:
        return list(map(self._form, self._ids(texts)))

    def _ids(self, texts: Sequence[str]) -> Iterator[list[int]]:
        return (e.ids for e in self._backend.encode_batch_fast(list(texts), add_special_tokens=False))


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    letters = 0
    for line in lines:
        batch.append(line)
        letters += len(line)
        if letters > _AT_ONCE:
            yield batch
            batch, letters = [], 0
    if batch:
        yield batch


def _mark(added: Mapping[int, Any]) -> tuple[str, int] | None:
    """A special token, and its id, that is seen wherever it stands and takes no space away; ``None`` without one.

    The last one: the first is often the unknown token, which words have too.
    """
    marks = [(t.content, i) for i, t in added.items() if t.special and not (t.single_word or t.rstrip)]
    return max(marks, key=lambda mark: mark[1], default=None)


def _parts(ids: list[int], mark: int) -> list[list[int]]:
    """What stands before each mark; nothing where the last id is none."""
    parts, start = [], 0
    for _ in range(ids.count(mark)):
        end = ids.index(mark, start)
        parts.append(ids[start:end])
        start = end + 1
    return parts if start == len(ids) else []


def _words(line: str) -> Sequence[str]:
    """The words of a line, the first one marked; none where other white space than single spaces is in it."""
    words = line.split()
    if not words or " ".join(words) != line:
        return ()
    words[0] = _FIRST + words[0]
    return words


def chained(words: Iterable[list[int]]) -> list[int]:
    """The token ids of some words end to end: what to put words together with where ids are wanted."""
    return list(chain.from_iterable(words))


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
