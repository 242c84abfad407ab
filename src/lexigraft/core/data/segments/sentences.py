"""Sentences of a text, by punctuation."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

_BOUNDARY = re.compile(r"""[.!?…؟۔।॥]+["'»”’)\]]*\s+|[。！？]+[」』”’)）]*\s*|\n\s*""")


class Sentences:
    """The sentences of a text: they end with a mark of punctuation and white space, or with a line.

    No abbreviation is known: ``Dr. Who`` is two sentences.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in _BOUNDARY.finditer(text) if found.end() < len(text))]

    def __iter__(self) -> Iterator[str]:
        """The sentences without white space around them, none empty."""
        for start, end in pairwise([*self._starts, len(self._text)]):
            if sentence := self._text[start:end].strip():
                yield sentence

    def __len__(self) -> int:
        return len(self._starts)

    def at(self, position: int) -> int:
        """The number of the sentence that holds a character, from 0."""
        return bisect_right(self._starts, position) - 1
