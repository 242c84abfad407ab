"""Text cut into tokens word by word, each word once: what a tokenizer answered for a word is remembered.

Words repeat, and a tokenizer's work is the same each time. Only tokenizers whose parts are known to treat each word by
itself are helped; lines with other white space than single spaces go to the tokenizer whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lexigraft.core.tokenization.surface import component

_LOG = logging.getLogger("lexigraft")
_FIRST = "\n"
"""Stands before the first word of a line, where other words have a space; no word holds it."""
_TOGETHER = 64
"""Words that the tokenizer is given in one text, or lines that are parted at once."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}

Form = TypeVar("Form")
Lines = TypeVar("Lines")


@dataclass(frozen=True, eq=False)
class _Begun(Generic[Form]):
    """Lines on their way.

    Attributes:
        lines: As they were given.
        words: Those of all lines; empty where every line is cut whole.
        counts: How many each line has.
        forms: Of the words that were known.
        gaps: Where they were not.
        first: Words, or whole lines, that begin a line and that the tokenizer has been asked for.
        later: Other words that it has been asked for, in groups of one text each.
        once: Whole lines, which are not remembered.
        answers: Waits for what it says.
    """

    lines: Sequence[str]
    answers: Callable[[], Sequence[Any]]
    words: Sequence[str] = ()
    counts: Sequence[int] = ()
    forms: list[Form | None] = field(default_factory=list)
    gaps: Sequence[int] = ()
    first: Sequence[str] = ()
    later: Sequence[Sequence[str]] = ()
    once: Set[str] = frozenset()


class WordMemory(Generic[Form, Lines]):
    """A tokenizer that remembers words, in the form in which their tokens are wanted.

    Args:
        backend: A ``tokenizers.Tokenizer``; where :func:`word_by_word` does not hold, it is always given whole lines.
        form: What becomes of the token ids of a word, or of a line; told whether they begin a line.
        together: Makes some lines of the forms of their words and of how many each line has.
        most_words: Words that are remembered; with the letters below, some 100 MB.
        most_letters: Letters in all of them.
        letters_at_once: Letters of a text that are cut at once.
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

        While the tokenizer cuts the new words of some lines, those before them are put together. One line of each batch
        is checked against the tokenizer.
        """
        before: _Begun[Form] | None = None
        with ThreadPoolExecutor(1) as beside:
            for batch in _batches(lines, self._letters_at_once):
                if before is not None and self._is_full():
                    yield self._finish(before)
                    before = None
                begun = self._begin(batch, lambda texts: beside.submit(self._cut, texts).result, before)
                if before is not None:
                    yield self._finish(before)
                before = begun
            if before is not None:
                yield self._finish(before)

    def _is_full(self) -> bool:
        return len(self._known) > self._most_words or self._letters > self._most_letters

    def _begin(
        self,
        lines: Sequence[str],
        ask: Callable[[list[str]], Callable[[], Sequence[Any]]],
        before: _Begun[Form] | None,
    ) -> _Begun[Form]:
        """Part the lines into words and ask for those that are not known, nor asked for by the lines before.

        A full memory forgets: no lines may be on their way then.
        """
        if not self._trusted:
            return _Begun(lines, ask(list(lines)))
        if self._is_full():
            self._known.clear()
            self._letters = 0
        words, counts, once = _parted(lines)
        # One look at each word: there are many, and what is known of them lies far apart.
        forms = list(map(self._known.get, words))
        gaps = list(_gaps(forms))
        missing = {words[gap] for gap in gaps}.difference(once)
        if before is not None:
            missing.difference_update(before.first, *before.later)
        first = [word for word in missing if word[0] == _FIRST]
        others = list(missing.difference(first))
        first += once
        # Many words in one text with a special token after each: fewer, larger answers.
        size, mark = (1, "") if self._mark is None else (_TOGETHER, self._mark[0])
        later = [others[at : at + size] for at in range(0, len(others), size)]
        texts = [word[1:] for word in first]
        texts += [mark.join([*(f" {word}" for word in group), ""]) for group in later]
        return _Begun(lines, ask(texts), words, counts, forms, gaps, first, later, once)

    def _finish(self, begun: _Begun[Form]) -> Lines:
        """Learn the new words and put the lines together."""
        lines, counts = begun.lines, begun.counts
        if not counts:
            return self._together([self._form(answer.ids, True) for answer in begun.answers()], [1] * len(lines))
        new = self._learn(begun)
        forms: list[Any] = begun.forms
        for gap in begun.gaps:
            word = begun.words[gap]
            forms[gap] = new[word] if word in new else self._known[word]
        if self._trusted and not self._agrees(begun, forms):
            _LOG.warning(
                "this tokenizer does not treat each word by itself; lines are given to it whole from now on, but those "
                "before may be cut otherwise than it cuts them: please report the tokenizer"
            )
            self._trusted = False
        return self._together(forms, counts) if self._trusted else self._whole(lines)

    def _agrees(self, begun: _Begun[Form], forms: Sequence[Form]) -> bool:
        """Whether the tokenizer cuts the line of most words as it cuts them."""
        most = max(begun.counts)
        longest = begun.counts.index(most)
        start = sum(begun.counts[:longest])
        return self._whole([begun.lines[longest]]) == self._together(forms[start : start + most], [most])

    def _learn(self, begun: _Begun[Form]) -> Mapping[str, Form]:
        """What the tokenizer says to the words that it was asked for."""
        answers = [answer.ids for answer in begun.answers()]
        new = {word: self._form(ids, True) for word, ids in zip(begun.first, answers, strict=False)}
        for group, ids in zip(begun.later, answers[len(begun.first) :], strict=True):
            parts = [ids] if self._mark is None else _parts(ids, self._mark[1])
            if len(parts) != len(group):
                parts = [answer.ids for answer in self._cut([f" {word}" for word in group])]
            new.update((word, self._form(part, False)) for word, part in zip(group, parts, strict=True))
        learned = {word: form for word, form in new.items() if word not in begun.once}
        self._letters += sum(map(len, learned))
        self._known.update(learned)
        return new

    def _whole(self, lines: Sequence[str]) -> Lines:
        return self._together([self._form(answer.ids, True) for answer in self._cut(lines)], [1] * len(lines))

    def _cut(self, texts: Sequence[str]) -> Sequence[Any]:
        answers: Sequence[Any] = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return answers


def _gaps(forms: list[Any]) -> Iterator[int]:
    """Where nothing is known."""
    at = -1
    for _ in range(forms.count(None)):
        at = forms.index(None, at + 1)
        yield at


def _batches(lines: Iterable[str], letters_at_once: int) -> Iterator[list[str]]:
    batch: list[str] = []
    letters = 0
    for line in lines:
        batch.append(line)
        letters += len(line)
        if letters > letters_at_once:
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


def _parted(lines: Sequence[str]) -> tuple[list[str], list[int], set[str]]:
    """The words of all lines, the first one of each marked, how many each line has, and the lines that are one."""
    words: list[str] = []
    counts: list[int] = []
    whole: set[str] = set()
    for at in range(0, len(lines), _TOGETHER):
        some = lines[at : at + _TOGETHER]
        text = " ".join(some)
        # Where a line begins or ends with a space, or is empty, two spaces meet, or one is at an end.
        if text.isprintable() and "  " not in text and text.strip(" ") == text != "":
            words += (_FIRST + f" {_FIRST}".join(some)).split(" ")
            counts += [line.count(" ") + 1 for line in some]
        else:
            for line in some:
                parted = _words(line)
                if not parted:
                    parted = [_FIRST + line]
                    whole.update(parted)
                words += parted
                counts.append(len(parted))
    return words, counts, whole


def _words(line: str) -> Sequence[str]:
    """The words of a line, the first one marked; none where other white space than single spaces is in it."""
    words = line.split(" ")
    # What can be printed holds no other white space than spaces.
    if "" in words or not (line.isprintable() or words == line.split()):
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
