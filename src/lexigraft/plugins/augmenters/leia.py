"""LEIA: English names beside, or instead of, the mentions of entities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.augmenters import AnnotatedText, Augmenter, Edit, Piece

if TYPE_CHECKING:
    import numpy as np

OPENING, CLOSING = "<translate>", "</translate>"
_NAMESPACES = (
    "Wikipedia", "Category", "File", "Portal", "Template", "MediaWiki", "User", "Help", "Book", "Draft", "WikiProject",
    "Special", "Talk",
)  # fmt: skip
_NO_ENTITY = re.compile(rf"(?:{'|'.join(_NAMESPACES)}):|List of")
_DISAMBIGUATOR = re.compile(r"\(.*?\)")


@dataclass(frozen=True)
class Leia(Augmenter):
    """Put an entity's English name beside its mention, with probability p, between two tags.

    ``Lundúnir`` becomes ``Lundúnir<translate>London</translate>``. A disambiguator in parentheses is left out of the
    name (``Mercury (planet)`` gives ``Mercury``); titles of lists (``List of …``) and of other namespaces
    (``Category:…``) are no names. The published code changes tokens and passes over mentions that do not begin and end
    with one; this changes the text, which is then tokenized with the tags as tokens, so that every tokenizer reads the
    same text. A bare name (``tags: false``) stands apart by a space.

    Source: Yamada and Ri 2024, "LEIA", section 3 and the published defaults (right, p 0.5, names learned, tags not).

    Attributes:
        p: The probability with which a mention gets a name.
        side: Where the name goes: before the mention, after it, in its place, or nowhere.
        language: The language of the names, as the anchors' ``surface`` has it.
        tags: Whether the name stands between tags, which become tokens of the vocabulary.
        loss_on_names: Whether the model learns to predict the names.
        loss_on_tags: Whether it learns to predict the tags (a masked model predicts no special token in any case).
        tag_rows: The strategy that makes the tags' input and output rows; one that needs nothing.
    """

    name: ClassVar[str] = "leia"
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "anchors"
    loss_options: ClassVar[Mapping[str, str]] = {"name": "loss_on_names", "tag": "loss_on_tags"}
    side: Literal["left", "right", "replace", "none"] = "right"
    language: str = "en"
    tags: bool = True
    loss_on_names: bool = True
    loss_on_tags: bool = False
    tag_rows: str = "mean"

    @property
    def active(self) -> bool:
        """Whether it may change anything at all."""
        return self.p > 0 and self.side != "none"

    @property
    def seeks(self) -> str:
        """What it looks for in a text."""
        return f"anchors whose `surface` has a name in '{self.language}'"

    def added_tokens(self) -> Mapping[str, str]:
        """The two tags, unless names are bare or go nowhere."""
        return dict.fromkeys((OPENING, CLOSING), self.tag_rows) if self.tags and self.side != "none" else {}

    def opportunities(self, document: AnnotatedText) -> int:
        """How many anchors have a name.

        Args:
            document: The document.
        """
        return 0 if self.side == "none" else sum(bool(self._name(a.surface)) for a in document.anchors)

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """A name for each anchor that is drawn.

        Args:
            document: The document.
            generator: Draws the anchors.

        Returns:
            One edit for each.
        """
        if not self.active:
            return ()
        draws = generator.random(len(document.anchors))
        edits = []
        for anchor, draw in zip(document.anchors, draws.tolist(), strict=True):
            if draw < self.p and (name := self._name(anchor.surface)):
                start = anchor.end if self.side == "right" else anchor.start
                end = anchor.start if self.side == "left" else anchor.end
                edits.append(Edit(start, end, self._pieces(name)))
        return edits

    def _name(self, surface: Mapping[str, str]) -> str:
        name = surface.get(self.language, "")
        return "" if _NO_ENTITY.match(name) else _DISAMBIGUATOR.sub("", name).strip()

    def _pieces(self, name: str) -> tuple[Piece, ...]:
        said = Piece(name, "name", self.loss_on_names)
        if self.tags:
            opening, closing = (Piece(tag, "tag", self.loss_on_tags, token=True) for tag in (OPENING, CLOSING))
            return opening, said, closing
        space = Piece(" ", "space")
        return {"left": (said, space), "right": (space, said)}.get(self.side, (said,))
