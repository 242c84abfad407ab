"""EntityCS: all entities of a sentence in exchange for their names in one other language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.augmenters import Anchor, AnnotatedText, Augmenter, Edit, Piece
from lexigraft.core.data.segments.sentences import Sentences

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class EntitySwitch(Augmenter):
    """Put names in one other language in the place of all entities of a sentence, with probability p.

    The language is drawn from those in which every entity of the sentence has a name; entities without a name in any
    language stay as they are. A sentence whose entities share no language stays whole. With tags a name stands between
    ``<de>`` and ``</de>``, which become tokens of the vocabulary.

    Source: Whitehouse et al. 2022, "EntityCS", section 3.1 (there every sentence is switched, into up to five
    languages; here the language is drawn anew in every epoch).

    Attributes:
        p: The probability with which a sentence, or a document, is switched.
        languages: The languages of the names, as the anchors' ``surface`` has them; any language where none is named.
        per: What gets one language: a sentence or a whole document.
        tags: Whether a name stands between tags of its language; ``languages`` must then be named.
        loss_on_names: Whether the model learns to predict the names.
        loss_on_tags: Whether it learns to predict the tags (a masked model predicts no special token in any case).
        tag_rows: The strategy that makes the tags' input and output rows; one that needs nothing.
    """

    name: ClassVar[str] = "entity_switch"
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "anchors"
    loss_options: ClassVar[Mapping[str, str]] = {"name": "loss_on_names", "tag": "loss_on_tags"}
    languages: tuple[str, ...] = ()
    per: Literal["sentence", "document"] = "sentence"
    tags: bool = False
    loss_on_names: bool = True
    loss_on_tags: bool = False
    tag_rows: str = "mean"

    def __post_init__(self) -> None:
        """Refuse tags of languages that are not named."""
        super().__post_init__()
        if self.tags and not self.languages:
            raise ValueError("tags are tokens of a language: name the languages")

    @property
    def seeks(self) -> str:
        """What it looks for in a text."""
        named = f"'{', '.join(self.languages)}'" if self.languages else "any language"
        return f"anchors whose `surface` has a name in {named}, the same for all of a {self.per}"

    def added_tokens(self) -> Mapping[str, str]:
        """Two tags for each language, where tags are used."""
        tags = [tag for language in self.languages for tag in _tags(language)] if self.tags else []
        return dict.fromkeys(tags, self.tag_rows)

    def opportunities(self, document: AnnotatedText) -> int:
        """How many entities have a name in a language that they share with their neighbors.

        Args:
            document: The document.
        """
        return sum(len(anchors) for anchors, _ in self._switchable(document))

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """Names for all entities of each sentence that is drawn.

        Args:
            document: The document.
            generator: Draws the sentences and their languages.

        Returns:
            One edit for each entity.
        """
        edits = []
        for anchors, languages in self._switchable(document):
            used, choice = generator.random(2).tolist()
            if used < self.p:
                language = languages[int(choice * len(languages))]
                edits += [Edit(a.start, a.end, self._pieces(a.surface[language], language)) for a in anchors]
        return edits

    def _switchable(self, document: AnnotatedText) -> Iterator[tuple[list[Anchor], list[str]]]:
        """The entities of each sentence that have a name, with the languages that all of them have one in."""
        sentences = Sentences(document.text)
        groups: dict[int, list[tuple[Anchor, set[str]]]] = {}
        for anchor in document.anchors:
            named = {language for language, name in anchor.surface.items() if name.strip()}
            known = named.intersection(self.languages) if self.languages else named
            if known:
                group = sentences.at(anchor.start) if self.per == "sentence" else 0
                groups.setdefault(group, []).append((anchor, known))
        for found in groups.values():
            if shared := set.intersection(*(known for _, known in found)):
                yield [anchor for anchor, _ in found], sorted(shared)

    def _pieces(self, name: str, language: str) -> tuple[Piece, ...]:
        said = Piece(name, "name", self.loss_on_names)
        if not self.tags:
            return (said,)
        opening, closing = (Piece(tag, "tag", self.loss_on_tags, token=True) for tag in _tags(language))
        return opening, said, closing


def _tags(language: str) -> tuple[str, str]:
    return f"<{language}>", f"</{language}>"
