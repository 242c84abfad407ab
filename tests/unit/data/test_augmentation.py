"""Augmentation: offsets after edits, chains, and draws that hang on document, epoch and seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from fixtures.annotated import annotated, documents
from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmentation import (
    Augmented,
    added_tokens,
    apply_edits,
    augment,
    augmented_stream,
    make_augmenters,
)
from lexigraft.core.data.augmenter import Augmenter, Edit, Piece
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.plugins.augmenters.leia import Leia


def covered(done: Augmented) -> list[str]:
    return [done.document.text[anchor.start : anchor.end] for anchor in done.document.anchors]


def insert(at: int, text: str, end: int | None = None) -> Edit:
    return Edit(at, at if end is None else end, (Piece(text, "test"),))


DOCUMENT = annotated("Wien an der Donau", ("Wien", "Vienna"), ("Donau", "Danube"))


@pytest.mark.parametrize(
    ("edit", "text", "anchors"),
    [
        (insert(0, "[x]"), "[x]Wien an der Donau", ["Wien", "Donau"]),
        (insert(4, "[x]"), "Wien[x] an der Donau", ["Wien", "Donau"]),
        (insert(2, "[x]"), "Wi[x]en an der Donau", ["Wi[x]en", "Donau"]),
        (insert(12, "[x]"), "Wien an der [x]Donau", ["Wien", "Donau"]),
        (insert(17, "[x]"), "Wien an der Donau[x]", ["Wien", "Donau"]),
        (insert(0, "Vienna", 4), "Vienna an der Donau", ["Vienna", "Donau"]),
        (insert(2, "", 6), "Win der Donau", ["Donau"]),
        (insert(0, "", 17), "", []),
        (insert(0, "", 4), " an der Donau", ["Donau"]),
    ],
)
def test_anchors_move_with_the_text(edit: Edit, text: str, anchors: list[str]) -> None:
    done = apply_edits(Augmented(DOCUMENT), [edit])
    assert done.document.text == text
    assert covered(done) == anchors
    assert all(text[span.start : span.end] == edit.pieces[0].text for span in done.added)


def test_several_edits_each_know_their_place() -> None:
    # Vienna (6) for Wien (4) moves all by 2; [a] at 8 moves what follows by 3 more.
    done = apply_edits(Augmented(DOCUMENT), [insert(0, "Vienna", 4), insert(8, "[a]"), insert(12, "", 15)])
    assert done.document.text == "Vienna an [a]der au"
    assert [(span.start, span.end) for span in done.added] == [(0, 6), (10, 13)]
    assert covered(done) == ["Vienna", "au"]


@pytest.mark.parametrize("edits", [[insert(3, "x", 5), insert(4, "y")], [insert(5, "x"), insert(2, "y")]])
def test_edits_that_overlap_or_are_out_of_order_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(LexigraftError, match="edits overlap or are not in the order"):
        apply_edits(Augmented(DOCUMENT), edits)


def test_an_edit_beyond_the_text_is_refused() -> None:
    with pytest.raises(LexigraftError, match="lies outside the text"):
        apply_edits(Augmented(DOCUMENT), [insert(17, "x", 18)])


@dataclass(frozen=True)
class Everywhere(Augmenter):
    """Puts a dot at every border of the text."""

    name: ClassVar[str] = "everywhere"

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        return [insert(at, ".") for at in range(len(document.text) + 1)]


def test_a_later_augmenter_leaves_what_was_added_alone() -> None:
    done = augment(annotated("ab", ("a", "A")), [Leia(p=1), Everywhere()], 0, 0)
    assert done.document.text == ".a.<translate>A</translate>.b."
    assert [done.document.text[s.start : s.end] for s in done.added if s.token] == ["<translate>", "</translate>"]
    assert covered(done) == ["a"]


def test_draws_hang_on_document_epoch_seed_and_place_alone() -> None:
    texts, chain = documents(), [Leia(p=0.5)]
    forward = list(augmented_stream(texts, chain, 3, 0))
    assert list(augmented_stream(texts[::-1], chain, 3, 0))[::-1] == forward
    assert augment(texts[0], chain, 3, 0) == forward[0]
    assert list(augmented_stream(texts, chain, 3, 1)) != forward
    assert list(augmented_stream(texts, chain, 4, 0)) != forward


def test_a_document_is_augmented_when_it_is_asked_for() -> None:
    read = []

    def reading() -> Iterator[AnnotatedText]:
        for document in documents():
            read.append(document)
            yield document

    stream = augmented_stream(reading(), [Leia()], 0, 0)
    assert read == []
    next(stream)
    assert len(read) == 1


def test_without_an_edit_the_document_is_the_same_object() -> None:
    assert augment(DOCUMENT, [Leia(p=0), Leia(side="none", p=1)], 0, 0).document is DOCUMENT


def test_augmenters_of_a_recipe() -> None:
    assert make_augmenters([{"leia": {"p": 0.25, "side": "left"}}]) == (Leia(p=0.25, side="left"),)
    assert added_tokens([Leia(tag_rows="zero"), Leia()]) == {"<translate>": "zero", "</translate>": "zero"}
    with pytest.raises(UnknownName, match="leia"):
        make_augmenters([{"lea": {}}])
    with pytest.raises(UnknownName, match="side"):
        make_augmenters([{"leia": {"sid": "left"}}])
    with pytest.raises(LexigraftError, match="p must lie between 0 and 1"):
        make_augmenters([{"leia": {"p": 1.5}}])
