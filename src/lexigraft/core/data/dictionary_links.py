"""Words and phrases of a dictionary found and marked in a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText
from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.data.segments.words import WORD


class Entry(NamedTuple):
    """A pair of a dictionary.

    Attributes:
        word: The word or phrase.
        translation: Its translation.
        weight: How often the pair was counted; 1 where nothing was.
    """

    word: str
    translation: str
    weight: float


class Match(NamedTuple):
    """A place of a text that a dictionary knows.

    Attributes:
        start: Where it starts, in code points.
        end: Where it ends; the character at ``end`` is not part of it.
        entries: Its pairs, those with the largest count first, else in the dictionary's order.
    """

    start: int
    end: int
    entries: tuple[Entry, ...]


class DictionaryMatcher:
    """Finds what a dictionary knows: the longest match first, whole words, whatever their case."""

    def __init__(self, dictionary: Dictionary, match_case: bool = False) -> None:
        """Index the dictionary.

        Args:
            dictionary: Pairs of a word of the text and its translation.
            match_case: Whether a word must have the dictionary's capitals.
        """
        self._match_case = match_case
        entries: dict[str, list[Entry]] = {}
        self._longest: dict[str, int] = {}
        weights = dictionary.weights or [1.0] * len(dictionary)
        for (word, translation), weight in sorted(zip(dictionary.pairs, weights, strict=True), key=lambda one: -one[1]):
            units = WORD.findall(word)
            if not units:
                continue
            entries.setdefault(self._folded(word), []).append(Entry(word, translation, weight))
            first = self._folded(units[0])
            self._longest[first] = max(self._longest.get(first, 0), len(units))
        self._entries = {folded: tuple(found) for folded, found in entries.items()}

    def matches(self, text: str) -> Iterator[Match]:
        """The places of a text, in order; no two overlap."""
        units = list(WORD.finditer(text))
        at = 0
        while at < len(units):
            most = self._longest.get(self._folded(units[at][0]), 0)
            for last in range(min(at + most, len(units)) - 1, at - 1, -1):
                start, end = units[at].start(), units[last].end()
                entries = self._entries.get(self._folded(text[start:end]))
                if entries is not None:
                    yield Match(start, end, entries)
                    at = last
                    break
            at += 1

    def _folded(self, text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split())
        return text if self._match_case else text.casefold()


class DictionaryLinker:
    """Marks what a dictionary knows, see :class:`DictionaryMatcher`.

    Attributes:
        matched: How often each entry was found, by its first form in the dictionary.
    """

    def __init__(self, dictionary: Dictionary, language: str, match_case: bool = False) -> None:
        """Index the dictionary.

        Args:
            dictionary: Pairs of a word of the text and its translation. Of several translations the one with the
                largest count is taken, else the first.
            language: The code of the translations' language.
            match_case: Whether a word must have the dictionary's capitals.
        """
        self.matched: dict[str, int] = {}
        self._language, self._matcher = language, DictionaryMatcher(dictionary, match_case)

    def link(self, texts: Iterable[str]) -> Iterator[AnnotatedText]:
        """Mark texts; each is a document without a title."""
        for text in texts:
            yield AnnotatedText(text, "", tuple(self._anchors(text)))

    def _anchors(self, text: str) -> Iterator[Anchor]:
        for start, end, entries in self._matcher.matches(text):
            word, translation, _ = entries[0]
            self.matched[word] = self.matched.get(word, 0) + 1
            yield Anchor(start, end, word, None, {self._language: translation})
