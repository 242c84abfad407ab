"""Tokenization of text word by word, each word once.

The cache serves only tokenizers whose parts are known to tokenize each word by itself; lines with other white space
than single spaces are tokenized whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lexigraft.core.tokenization.surface import component
from lexigraft.core.utils.line_batches import line_batches

_LOG = logging.getLogger("lexigraft")
_LINE_START = "\n"
"""Prefix of the first word of a line, where other words have a space; no word contains it."""
WORDS_PER_TEXT = 64
"""Words that the tokenizer is given in one text."""
LINES_PER_SPLIT = 64
"""Lines that are split into words together."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}

Form = TypeVar("Form")
Lines = TypeVar("Lines")


@dataclass(frozen=True, eq=False)
class PendingBatch(Generic[Form]):
    """Lines whose new words are being tokenized.

    Attributes:
        lines: The lines.
        encodings: Waits for the tokenizer and returns its encodings.
        words: The words of all lines; empty where every line is tokenized whole.
        counts: The number of words of each line.
        forms: The cached form of each word, or ``None``.
        gaps: Positions of the words that are not cached.
        first_words: New words that begin a line, and whole lines.
        word_groups: Other new words, in groups of one text each.
        whole_lines: Lines that are tokenized whole and not cached.
    """

    lines: Sequence[str]
    encodings: Callable[[], Sequence[Any]]
    words: Sequence[str] = ()
    counts: Sequence[int] = ()
    forms: list[Form | None] = field(default_factory=list)
    gaps: Sequence[int] = ()
    first_words: Sequence[str] = ()
    word_groups: Sequence[Sequence[str]] = ()
    whole_lines: Set[str] = frozenset()


class WordCache(Generic[Form, Lines]):
    """A tokenizer with a cache of words, each in the form that the caller needs.

    Args:
        backend: A ``tokenizers.Tokenizer``; where :func:`word_by_word` does not hold, it is always given whole lines.
        form: Converts the token ids of a word or of a whole line; its second argument says whether they begin a line.
        together: Joins the forms of the words of some lines, given the number of words of each line.
        most_words: Words that are cached at most; with the letters below, some 100 MB.
        most_letters: Letters of all cached words together.
        letters_at_once: Letters of the text that are tokenized in one batch.
    """

    def __init__(
        self,
        backend: Any,
        form: Callable[[list[int], bool], Form],
        together: Callable[[Sequence[Form], Sequence[int]], Lines],
        *,
        most_words: int = 2**18,
        most_letters: int = 2**22,
        letters_at_once: int = 2**18,
    ) -> None:
        self._backend, self._form, self._together = backend, form, together
        self._most_words, self._most_letters, self._letters_at_once = most_words, most_letters, letters_at_once
        self._known: dict[str, Form] = {}
        self._letters = 0
        self._trusted = word_by_word(backend)
        self._mark = _mark(backend.get_added_tokens_decoder())

    def stream(self, lines: Iterable[str]) -> Iterator[Lines]:
        """The tokens of each line of a text of any size, without special ones, some lines at a time.

        While the tokenizer works on the new words of one batch, the batch before it is put together. One line of each
        batch is checked against the tokenizer.
        """
        previous: PendingBatch[Form] | None = None
        with ThreadPoolExecutor(1) as executor:
            for batch in line_batches(lines, self._letters_at_once):
                if previous is not None and self._is_full():
                    yield self._finish(previous)
                    previous = None
                pending = self._begin(batch, lambda texts: executor.submit(self._tokenize, texts).result, previous)
                if previous is not None:
                    yield self._finish(previous)
                previous = pending
            if previous is not None:
                yield self._finish(previous)

    def _is_full(self) -> bool:
        return len(self._known) > self._most_words or self._letters > self._most_letters

    def _begin(
        self,
        lines: Sequence[str],
        submit: Callable[[list[str]], Callable[[], Sequence[Any]]],
        previous: PendingBatch[Form] | None,
    ) -> PendingBatch[Form]:
        """Split the lines into words and submit those that are neither cached nor submitted by the previous batch.

        A full cache is emptied; no batch may be pending then.
        """
        if not self._trusted:
            return PendingBatch(lines, submit(list(lines)))
        if self._is_full():
            self._known.clear()
            self._letters = 0
        words, counts, whole_lines = _split_lines(lines)
        # One lookup per word: there are many, and the cached forms lie far apart in memory.
        forms = list(map(self._known.get, words))
        gaps = list(_gaps(forms))
        missing = {words[gap] for gap in gaps}.difference(whole_lines)
        if previous is not None:
            missing.difference_update(previous.first_words, *previous.word_groups)
        first_words = [word for word in missing if word[0] == _LINE_START]
        others = list(missing.difference(first_words))
        first_words += whole_lines
        # Many words in one text with a special token after each: fewer, larger encodings.
        size, mark = (1, "") if self._mark is None else (WORDS_PER_TEXT, self._mark[0])
        word_groups = [others[start : start + size] for start in range(0, len(others), size)]
        texts = [word[1:] for word in first_words]
        texts += [mark.join([*(f" {word}" for word in group), ""]) for group in word_groups]
        return PendingBatch(lines, submit(texts), words, counts, forms, gaps, first_words, word_groups, whole_lines)

    def _finish(self, batch: PendingBatch[Form]) -> Lines:
        """Cache the new words and put the lines together."""
        lines, counts = batch.lines, batch.counts
        if not counts:
            return self._together([self._form(encoding.ids, True) for encoding in batch.encodings()], [1] * len(lines))
        new = self._learn(batch)
        forms: list[Any] = batch.forms
        for gap in batch.gaps:
            word = batch.words[gap]
            forms[gap] = new[word] if word in new else self._known[word]
        if self._trusted and not self._agrees(batch, forms):
            _LOG.warning(
                "this tokenizer does not tokenize each word by itself; it is given whole lines from now on, but "
                "earlier lines may have other tokens than it would give them: please report the tokenizer"
            )
            self._trusted = False
        return self._together(forms, counts) if self._trusted else self._whole(lines)

    def _agrees(self, batch: PendingBatch[Form], forms: Sequence[Form]) -> bool:
        """Whether the longest line, tokenized whole, has the tokens of its words."""
        most = max(batch.counts)
        longest = batch.counts.index(most)
        start = sum(batch.counts[:longest])
        return self._whole([batch.lines[longest]]) == self._together(forms[start : start + most], [most])

    def _learn(self, batch: PendingBatch[Form]) -> Mapping[str, Form]:
        """Form and cache the words that were submitted."""
        encoded = [encoding.ids for encoding in batch.encodings()]
        new = {word: self._form(ids, True) for word, ids in zip(batch.first_words, encoded, strict=False)}
        for group, ids in zip(batch.word_groups, encoded[len(batch.first_words) :], strict=True):
            parts = [ids] if self._mark is None else _split_at(ids, self._mark[1])
            if len(parts) != len(group):
                parts = [encoding.ids for encoding in self._tokenize([f" {word}" for word in group])]
            new.update((word, self._form(part, False)) for word, part in zip(group, parts, strict=True))
        learned = {word: form for word, form in new.items() if word not in batch.whole_lines}
        self._letters += sum(map(len, learned))
        self._known.update(learned)
        return new

    def _whole(self, lines: Sequence[str]) -> Lines:
        return self._together([self._form(encoding.ids, True) for encoding in self._tokenize(lines)], [1] * len(lines))

    def _tokenize(self, texts: Sequence[str]) -> Sequence[Any]:
        encodings: Sequence[Any] = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return encodings


def _gaps(forms: list[Any]) -> Iterator[int]:
    """Positions of ``None``."""
    position = -1
    for _ in range(forms.count(None)):
        position = forms.index(None, position + 1)
        yield position


def _mark(added: Mapping[int, Any]) -> tuple[str, int] | None:
    """A special token and its id, to separate words: recognized anywhere, without taking a space; or ``None``.

    The last one, because the first is often the unknown token, which words have too.
    """
    marks = [(t.content, i) for i, t in added.items() if t.special and not (t.single_word or t.rstrip)]
    return max(marks, key=lambda mark: mark[1], default=None)


def _split_at(ids: list[int], mark: int) -> list[list[int]]:
    """The ids before each mark; nothing where the last id is no mark."""
    parts, start = [], 0
    for _ in range(ids.count(mark)):
        end = ids.index(mark, start)
        parts.append(ids[start:end])
        start = end + 1
    return parts if start == len(ids) else []


def _split_lines(lines: Sequence[str]) -> tuple[list[str], list[int], set[str]]:
    """The words of all lines, the first of each with a prefix, their number by line, and the lines to keep whole."""
    words: list[str] = []
    counts: list[int] = []
    whole: set[str] = set()
    for start in range(0, len(lines), LINES_PER_SPLIT):
        group = lines[start : start + LINES_PER_SPLIT]
        text = " ".join(group)
        # Where a line begins or ends with a space, or is empty, two spaces meet, or one is at an end.
        if text.isprintable() and "  " not in text and text.strip(" ") == text != "":
            words += (_LINE_START + f" {_LINE_START}".join(group)).split(" ")
            counts += [line.count(" ") + 1 for line in group]
        else:
            for line in group:
                line_words = _words(line)
                if not line_words:
                    line_words = [_LINE_START + line]
                    whole.update(line_words)
                words += line_words
                counts.append(len(line_words))
    return words, counts, whole


def _words(line: str) -> Sequence[str]:
    """The words of a line, the first with a prefix; none where it has other white space than single spaces."""
    words = line.split(" ")
    # A printable string contains no other white space than spaces.
    if "" in words or not (line.isprintable() or words == line.split()):
        return ()
    words[0] = _LINE_START + words[0]
    return words


def word_by_word(backend: Any) -> bool:
    """Whether a tokenizer tokenizes each word of a line with single spaces by itself, judged by its parts.

    Args:
        backend: A ``tokenizers.Tokenizer``.
    """
    added = backend.get_added_tokens_decoder().values()
    if any(token.rstrip or re.search(r"\s", token.content) for token in added):
        return False
    if getattr(backend.model, "dropout", None):
        return False
    return _keeps_words(component(backend.normalizer)) and _splits_words(component(backend.pre_tokenizer))


def _keeps_words(normalizer: Mapping[str, Any] | None) -> bool:
    if normalizer is None or normalizer["type"] in _BY_CHARACTER:
        return True
    return normalizer["type"] == "Sequence" and all(map(_keeps_words, normalizer["normalizers"]))


def _splits_words(splitter: Mapping[str, Any] | None) -> bool:
    if splitter is None:
        return False
    kind = splitter["type"]
    if kind == "Sequence":
        parts = splitter["pretokenizers"]
        return any(map(_splits_words, parts)) and all(p["type"] in _SPLIT_FURTHER or _splits_words(p) for p in parts)
    spaces = (kind == "Metaspace" and splitter.get("split", True)) or (
        kind == "ByteLevel" and splitter.get("use_regex", True)
    )
    return bool(spaces or kind in _AT_SPACES)
