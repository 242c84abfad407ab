"""Text cut into tokens word by word, each word once: what a tokenizer answered for a word is remembered.

Words repeat, and a tokenizer's work is the same each time. Only tokenizers whose parts are known to treat each word by
itself are helped; lines with other white space than single spaces go to the tokenizer whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from lexigraft.core.surface import component

_LOG = logging.getLogger("lexigraft")
_FIRST = "\n"
"""Stands before the first word of a line, where other words have a space; no word holds it."""
_TOGETHER, _AT_ONCE = 64, 2**18
"""Words that the tokenizer is given in one text, or lines that are parted at once; letters of a text cut at once."""
REMEMBERED, LETTERS = 2**18, 2**22
"""Words, and letters in all of them, that are remembered: some 100 MB."""

_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_SPLIT_FURTHER = {"Punctuation", "Digits", "UnicodeScripts"}
_AT_SPACES = {"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}

Form = TypeVar("Form")


@dataclass(frozen=True, eq=False)
class _Begun:
    """Lines on their way.

    Attributes:
        lines: As they were given.
        words: Those of all lines.
        counts: How many each line has; none where it must be cut whole.
        first: First words of lines that the tokenizer has been asked for.
        later: Other words that it has been asked for, in groups of one text each.
        answers: Waits for what it says.
    """

    lines: Sequence[str]
    words: Sequence[str]
    counts: Sequence[int]
    first: Sequence[str]
    later: Sequence[Sequence[str]]
    answers: Callable[[], Sequence[Any]]


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

    def stream(self, lines: Iterable[str]) -> Iterator[list[Form]]:
        """The tokens of each line of a text of any size, without special ones, some lines at a time.

        While the tokenizer cuts the new words of some lines, those before them are put together.
        """
        before: _Begun | None = None
        with ThreadPoolExecutor(1) as beside:
            for batch in _batches(lines):
                if before is not None and self._is_full():
                    yield self._finish(before)
                    before = None
                begun = self._begin(batch, lambda texts: beside.submit(self._cut, texts).result, before)
                if before is not None:
                    yield self._finish(before)
                before = begun
            if before is not None:
                yield self._finish(before)

    def encode(self, lines: Sequence[str]) -> list[Form]:
        """The tokens of each line, without special ones; one line of each call is checked against the tokenizer."""
        return self._finish(self._begin(lines, lambda texts: partial(self._cut, texts)))

    def _is_full(self) -> bool:
        return len(self._known) > REMEMBERED or self._letters > LETTERS

    def _begin(
        self,
        lines: Sequence[str],
        ask: Callable[[list[str]], Callable[[], Sequence[Any]]],
        before: _Begun | None = None,
    ) -> _Begun:
        """Part the lines into words and ask for those that are not known, nor asked for by the lines before.

        A full memory forgets: no lines may be on their way then.
        """
        if not self._trusted:
            return _Begun(lines, (), (), (), (), ask(list(lines)))
        if self._is_full():
            self._known.clear()
            self._letters = 0
        words, counts = _parted(lines)
        # Not "- self._known.keys()", which would go through all that is known.
        missing = set(words).difference(self._known)
        if before is not None:
            missing.difference_update(before.first, *before.later)
        first = [word for word in missing if word[0] == _FIRST]
        others = list(missing.difference(first))
        # Many words in one text with a special token after each: fewer, larger answers.
        size, mark = (1, "") if self._mark is None else (_TOGETHER, self._mark[0])
        later = [others[at : at + size] for at in range(0, len(others), size)]
        texts = [word[1:] for word in first]
        texts += [mark.join([*(f" {word}" for word in group), ""]) for group in later]
        return _Begun(lines, words, counts, first, later, ask(texts))

    def _finish(self, begun: _Begun) -> list[Form]:
        """Learn the new words and put the lines together."""
        lines, counts = begun.lines, begun.counts
        if not counts:
            return [self._form(answer.ids) for answer in begun.answers()]
        self._learn(begun)
        forms, together = map(self._known.__getitem__, begun.words), self._together
        found = [together(islice(forms, count)) for count in counts]
        irregular = [n for n, count in enumerate(counts) if not count]
        for n, tokens in zip(irregular, self._whole([lines[n] for n in irregular]), strict=True):
            found[n] = tokens
        longest = counts.index(max(counts))
        if self._trusted and self._whole([lines[longest]])[0] != found[longest]:
            _LOG.warning(
                "this tokenizer does not treat each word by itself; lines are given to it whole from now on, but those "
                "before may be cut otherwise than it cuts them: please report the tokenizer"
            )
            self._trusted = False
        return found if self._trusted else self._whole(lines)

    def _learn(self, begun: _Begun) -> None:
        answers = [answer.ids for answer in begun.answers()]
        self._letters += sum(map(len, chain(begun.first, *begun.later)))
        self._known.update(zip(begun.first, map(self._form, answers), strict=False))
        for group, ids in zip(begun.later, answers[len(begun.first) :], strict=True):
            parts = [ids] if self._mark is None else _parts(ids, self._mark[1])
            if len(parts) != len(group):
                parts = [answer.ids for answer in self._cut([f" {word}" for word in group])]
            self._known.update(zip(group, map(self._form, parts), strict=True))

    def _whole(self, texts: Sequence[str]) -> list[Form]:
        return [self._form(answer.ids) for answer in self._cut(texts)]

    def _cut(self, texts: Sequence[str]) -> Sequence[Any]:
        answers: Sequence[Any] = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return answers


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


def _parted(lines: Sequence[str]) -> tuple[list[str], list[int]]:
    """The words of all lines, the first one of each marked, and how many each line has; see :func:`_words`."""
    words: list[str] = []
    counts: list[int] = []
    for at in range(0, len(lines), _TOGETHER):
        some = lines[at : at + _TOGETHER]
        text = " ".join(some)
        # Where a line begins or ends with a space, or is empty, two spaces meet, or one is at an end.
        if text.isprintable() and "  " not in text and text.strip(" ") == text != "":
            words += (_FIRST + f" {_FIRST}".join(some)).split(" ")
            counts += [line.count(" ") + 1 for line in some]
        else:
            parted = list(map(_words, some))
            words += chain.from_iterable(parted)
            counts += map(len, parted)
    return words, counts


def _words(line: str) -> Sequence[str]:
    """The words of a line, the first one marked; none where other white space than single spaces is in it."""
    words = line.split(" ")
    # What can be printed holds no other white space than spaces.
    if "" in words or not (line.isprintable() or words == line.split()):
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
