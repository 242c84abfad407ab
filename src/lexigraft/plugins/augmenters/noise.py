"""Noise in words: some are left out, some change places with the next one, some are misspelled."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.augmenters import AnnotatedText, Augmenter, Edit, Piece
from lexigraft.core.data.segments.words import WORD
from lexigraft.core.utils.not_none import not_none

if TYPE_CHECKING:
    import numpy as np

_SPACES = re.compile(r"\s*")


@dataclass(frozen=True)
class Noise(Augmenter):
    """Leave a word out, let it change places with the next one, or misspell it, with probability p.

    What is misspelled has one letter less, one letter twice, or two neighboring letters in the wrong order; letters
    keep their marks. A word changes places only with a word that is itself left alone: at the end, or before another
    word that was drawn, it is misspelled instead.

    Source: Lample et al. 2018, "Unsupervised Machine Translation Using Monolingual Corpora Only", section 2.3 (words
    left out with probability 0.1, words out of order); Belinkov and Bisk 2018, "Synthetic and Natural Noise Both Break
    Neural Machine Translation", section 4.2 (letters).

    Attributes:
        p: The probability with which a word is touched.
        drop_share: Share of the touched words that are left out.
        swap_share: Share that change places with the next word; the rest are misspelled.
        loss_on_noise: Whether the model learns to predict what noise made; without it the model only reads it.
    """

    name: ClassVar[str] = "noise"
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "words"
    loss_options: ClassVar[Mapping[str, str]] = {"noise": "loss_on_noise"}
    p: float = 0.1
    drop_share: float = 0.3
    swap_share: float = 0.3
    loss_on_noise: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that add up to more than all."""
        super().__post_init__()
        if min(self.drop_share, self.swap_share) < 0 or self.drop_share + self.swap_share > 1:
            raise ValueError("drop_share and swap_share must be shares that add up to at most 1")

    def opportunities(self, document: AnnotatedText) -> int:
        """How many words there are.

        Args:
            document: The document.
        """
        return sum(1 for _ in WORD.finditer(document.text))

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """One edit for each word that is drawn.

        Args:
            document: The document.
            generator: Draws the words and what becomes of them.

        Returns:
            The edits.
        """
        text = document.text
        words = [word.span() for word in WORD.finditer(text)]
        touched = (generator.random(len(words)) < self.p).tolist()
        fates = generator.random((len(words), 3)).tolist()
        edits = []
        for n, (start, end) in enumerate(words):
            if not touched[n]:
                continue
            fate, how, where = fates[n]
            if fate < self.drop_share:
                edits.append(Edit(start, not_none(_SPACES.match(text, end)).end(), ()))
            elif fate < self.drop_share + self.swap_share and n + 1 < len(words) and not touched[n + 1]:
                first, last = words[n + 1]
                swapped = text[first:last] + text[end:first] + text[start:end]
                edits.append(Edit(start, last, (Piece(swapped, "noise", self.loss_on_noise),)))
            else:
                misspelled = _misspelled(text[start:end], how, where)
                edits.append(Edit(start, end, (Piece(misspelled, "noise", self.loss_on_noise),)))
        return edits


def _misspelled(word: str, how: float, where: float) -> str:
    """A word with one letter less, twice, or after the next one; both numbers, from 0 to 1, are draws."""
    letters: list[str] = []
    for character in word:
        if letters and unicodedata.category(character).startswith("M"):
            letters[-1] += character
        else:
            letters.append(character)
    if len(letters) == 1:
        return letters[0] * 2
    at = int(where * (len(letters) - 1))
    kind = int(how * 3)
    changed = ([letters[at + 1]], [letters[at], letters[at], letters[at + 1]], [letters[at + 1], letters[at]])[kind]
    return "".join([*letters[:at], *changed, *letters[at + 2 :]])
