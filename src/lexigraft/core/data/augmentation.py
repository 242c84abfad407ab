"""Augmentation of documents by seeded edits of their text."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmenter import Augmenter, Edit
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make


@dataclass(frozen=True, slots=True)
class AddedSpan:
    """A part of a text that augmentation put there.

    Attributes:
        start: Where it starts, in code points.
        end: Where it ends; the character at ``end`` is not part of it.
        kind: What it is, see :class:`lexigraft.core.data.augmenter.Piece`.
        loss: Whether the model learns to predict it.
        token: Whether it is one added token.
    """

    start: int
    end: int
    kind: str
    loss: bool = True
    token: bool = False


@dataclass(frozen=True, slots=True)
class Augmented:
    """An augmented document.

    Attributes:
        document: The new text, with its anchors where they are now; an anchor that an edit reaches into from outside is
            gone, one that was replaced as a whole covers the replacement.
        added: What was put there, in the order of the text.
    """

    document: AnnotatedText
    added: tuple[AddedSpan, ...] = ()

    def without_loss(self) -> list[tuple[int, int]]:
        """The parts of the text that the model does not learn to predict."""
        return [(span.start, span.end) for span in self.added if not span.loss]


def make_augmenters(entries: Iterable[Mapping[str, Mapping[str, Any]]]) -> tuple[Augmenter, ...]:
    """The configured augmenters of a recipe, in order.

    Args:
        entries: Each a name with its options.

    Raises:
        UnknownName: No such augmenter or option.
        LexigraftError: A value that an option cannot take, or a file that cannot be used.
    """
    made = tuple(make("augmenter", name, dict(options)) for entry in entries for name, options in entry.items())
    for augmenter in made:
        augmenter.check()
    return made


def added_tokens(augmenters: Iterable[Augmenter]) -> dict[str, str]:
    """The tokens that augmenters put into text, each with the strategy of its rows; the first one's word counts."""
    found: dict[str, str] = {}
    for augmenter in augmenters:
        found = {**augmenter.added_tokens(), **found}
    return found


def augmented_stream(
    documents: Iterable[AnnotatedText], augmenters: Sequence[Augmenter], seed: int, epoch: int
) -> Iterator[Augmented]:
    """Augment documents one after the other, each when it is asked for; see :func:`augment`."""
    return (augment(document, augmenters, seed, epoch) for document in documents)


def augment(document: AnnotatedText, augmenters: Sequence[Augmenter], seed: int, epoch: int) -> Augmented:
    """Let augmenters change a document, one after the other.

    What is drawn depends on the document's text, the epoch, the seed and the augmenter's place alone, so that neither
    the order of the documents nor the number of processes changes it. No augmenter changes what an earlier one added.

    Args:
        document: The document.
        augmenters: Configured augmenters.
        seed: Seed of the run.
        epoch: Number of the pass over the documents.

    Returns:
        The augmented document; without an edit it holds the document itself.

    Raises:
        LexigraftError: An augmenter returned edits that overlap or lie outside the text.
    """
    done = Augmented(document)
    for place, augmenter in enumerate(augmenters):
        edits = augmenter.edits(done.document, document_generator(document.text, seed, epoch, place))
        try:
            done = apply_edits(done, _outside(edits, done.added) if done.added else edits)
        except LexigraftError as error:
            raise LexigraftError(f"augmenter '{augmenter.name}': {error.what}", error.value, error.hint) from None
    return done


def document_generator(text: str, seed: int, epoch: int, place: int = 0) -> np.random.Generator:
    """The generator of one document in one epoch.

    Args:
        text: The document's text.
        seed: Seed of the run.
        epoch: Number of the pass.
        place: The augmenter's place in its chain.
    """
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.random.default_rng([int.from_bytes(digest, "little"), seed, epoch, place])


def apply_edits(augmented: Augmented, edits: Sequence[Edit]) -> Augmented:
    """Put edits into a document, and move anchors and earlier additions to where they are then.

    Args:
        augmented: The document.
        edits: Edits in the order of the text; no two overlap.

    Returns:
        The edited document.

    Raises:
        LexigraftError: Edits overlap, are not in order, or lie outside the text.
    """
    document = augmented.document
    if not edits:
        return augmented
    _refuse_misplaced(edits, len(document.text))
    parts: list[str] = []
    added: list[AddedSpan] = []
    read = written = 0
    for edit in edits:
        parts.append(document.text[read : edit.start])
        written += edit.start - read
        for piece in edit.pieces:
            parts.append(piece.text)
            if piece.text:
                added.append(AddedSpan(written, written + len(piece.text), piece.kind, piece.loss, piece.token))
            written += len(piece.text)
        read = edit.end
    parts.append(document.text[read:])
    moved = _Moved(edits)
    anchors = [
        dataclasses.replace(anchor, start=where[0], end=where[1])
        for anchor in document.anchors
        if (where := moved(anchor.start, anchor.end)) is not None
    ]
    for span in augmented.added:
        if (where := moved(span.start, span.end)) is not None:
            added.append(dataclasses.replace(span, start=where[0], end=where[1]))
    new = AnnotatedText("".join(parts), document.title, tuple(anchors))
    return Augmented(new, tuple(sorted(added, key=lambda span: span.start)))


class _Moved:
    """Where a span of the old text is in the new one; ``None`` where an edit reaches into it from outside.

    Args:
        edits: The edits in order.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits
        self.starts, self.ends = [edit.start for edit in edits], [edit.end for edit in edits]
        growth = (sum(len(piece.text) for piece in edit.pieces) - (edit.end - edit.start) for edit in edits)
        self.growth = list(accumulate(growth, initial=0))

    def __call__(self, start: int, end: int) -> tuple[int, int] | None:
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        for edit in self.edits[first:last]:
            if edit.start < start or edit.end > end:
                return None
        # What is put in right before a span or right behind it is no part of it.
        where = start + self.growth[first], end + self.growth[last]
        return where if where[0] < where[1] else None


def _refuse_misplaced(edits: Sequence[Edit], length: int) -> None:
    for edit in edits:
        if not 0 <= edit.start <= edit.end <= length:
            raise LexigraftError("an edit lies outside the text", f"{edit.start} to {edit.end} of {length} characters")
    for one, two in pairwise(edits):
        if two.start < one.end:
            place = f"{one.start} to {one.end} and {two.start} to {two.end}"
            raise LexigraftError("edits overlap or are not in the order of the text", place)


def _outside(edits: Sequence[Edit], added: Sequence[AddedSpan]) -> list[Edit]:
    """The edits that leave alone what was added before; adjacent additions belong together."""
    borders = [one.end for one, two in pairwise(added) if one.end != two.start]
    starts = [added[0].start, *(two.start for one, two in pairwise(added) if one.end != two.start)]
    ends = [*borders, added[-1].end]
    return [edit for edit in edits if bisect_right(ends, edit.start) >= bisect_left(starts, edit.end)]
