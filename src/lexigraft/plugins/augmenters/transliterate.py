"""Transliteration of words into Latin letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.augmenters import AnnotatedText, Augmenter, Edit, Piece
from lexigraft.core.data.transliteration.transliterators import transliterator

if TYPE_CHECKING:
    import numpy as np

_UNITS = {"word": re.compile(r"\S+"), "document": re.compile(r"\S(?:.*\S)?", re.DOTALL)}


@dataclass(frozen=True)
class Transliterate(Augmenter):
    """Write words of a text in Latin letters, with probability p.

    A text then mixes scripts, as people write: the model meets a word's Latin spelling where it knows the other one.
    What the transliterator leaves as it is, such as plain Latin text, is no opportunity.

    Source: Khanuja et al. 2021, "MuRIL", which trains on documents and their transliterations; single words are ours.

    Attributes:
        p: The probability with which a unit is transliterated.
        unit: What is drawn: each word (between white space), or the document as a whole.
        transliterator: ``uroman``, or ``icu``.
        language: The language whose rules it takes: an ISO 639-3 code for uroman, transforms for ICU.
        loss_on_transliterations: Whether the model learns to predict them.
    """

    name: ClassVar[str] = "transliterate"
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "words"
    loss_options: ClassVar[Mapping[str, str]] = {"transliteration": "loss_on_transliterations"}
    unit: Literal["word", "document"] = "word"
    transliterator: Literal["uroman", "icu"] = "uroman"
    language: str | None = None
    loss_on_transliterations: bool = True

    def check(self) -> None:
        """Refuse a transliterator that is not installed, or does not know the language."""
        transliterator(self.transliterator, self.language)

    def opportunities(self, document: AnnotatedText) -> int:
        """How many units another spelling has.

        Args:
            document: The document.
        """
        return sum(1 for _ in self._changes(document.text))

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """A transliteration for each unit that is drawn.

        Args:
            document: The document.
            generator: Draws the units.

        Returns:
            One edit for each.
        """
        if not self.active:
            return ()
        return [edit for edit in self._changes(document.text) if generator.random() < self.p]

    def _changes(self, text: str) -> Iterator[Edit]:
        written: Callable[[str], str] = transliterator(self.transliterator, self.language)
        for unit in _UNITS[self.unit].finditer(text):
            if (latin := written(unit[0]).strip()) and latin != unit[0]:
                yield Edit(*unit.span(), (Piece(latin, "transliteration", self.loss_on_transliterations),))
