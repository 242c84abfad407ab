"""Words and phrases of a dictionary marked in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText
from lexigraft.core.data.dictionary import Dictionary

_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARK = "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0971-\u0df3"
_UNIT = re.compile(rf"[{_ALONE}]|(?:[^\W{_ALONE}]|[{_MARK}])(?:[^\W{_ALONE}]|[{_MARK}]|['’ʼ‘](?=[^\W\d_]))*")
"""A word with its marks and inner apostrophes; a character alone in scripts that put no spaces between words."""


class DictionaryLinker:
    """Marks what a dictionary knows: the longest match first, whole words, whatever their case.

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
        self._language, self._match_case = language, match_case
        self._entries: dict[str, tuple[str, str]] = {}
        self._longest: dict[str, int] = {}
        weights = dictionary.weights or [0.0] * len(dictionary)
        ranked = sorted(zip(dictionary.pairs, weights, strict=True), key=lambda one: -one[1])
        for (word, translation), _ in ranked:
            units = _UNIT.findall(word)
            if not units or self._folded(word) in self._entries:
                continue
            self._entries[self._folded(word)] = (word, translation)
            first = self._folded(units[0])
            self._longest[first] = max(self._longest.get(first, 0), len(units))

    def link(self, texts: Iterable[str]) -> Iterator[AnnotatedText]:
        """Mark texts; each is a document without a title."""
        for text in texts:
            yield AnnotatedText(text, "", tuple(self._anchors(text)))

    def _anchors(self, text: str) -> Iterator[Anchor]:
        units = list(_UNIT.finditer(text))
        at = 0
        while at < len(units):
            most = self._longest.get(self._folded(units[at][0]), 0)
            for last in range(min(at + most, len(units)) - 1, at - 1, -1):
                start, end = units[at].start(), units[last].end()
                entry = self._entries.get(self._folded(text[start:end]))
                if entry is not None:
                    word, translation = entry
                    self.matched[word] = self.matched.get(word, 0) + 1
                    yield Anchor(start, end, word, None, {self._language: translation})
                    at = last
                    break
            at += 1

    def _folded(self, text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split())
        return text if self._match_case else text.casefold()
