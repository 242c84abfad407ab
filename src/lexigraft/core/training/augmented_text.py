"""Augmented training text: each epoch augments and packs the documents anew; tokens without loss are marked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.annotations import Annotations
from lexigraft.core.data.augmentation import Augmented, added_tokens, augmented_stream
from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.new_tokens import missing_tokens
from lexigraft.core.tokenization.offsets import token_characters
from lexigraft.core.training.packing import ENTITY, ENTITY_START, NO_LOSS, Documents, PackedText, pack

if TYPE_CHECKING:
    from lexigraft.core.models.architecture import ModelKind
    from lexigraft.core.tokenization.vocabulary import Vocabulary

_DOCUMENTS_AT_ONCE = 256


@dataclass(frozen=True)
class Augmentation:
    """How training documents are augmented.

    Attributes:
        augmenters: Configured augmenters, one after the other.
        annotations: The documents' anchors; ``None`` where no augmenter works on them.
    """

    augmenters: tuple[Augmenter, ...]
    annotations: Annotations | None = None

    def documents(self, lines: Iterable[str]) -> Iterator[AnnotatedText]:
        """Lines as documents, with their anchors."""
        return (self.annotations.document(line) if self.annotations else AnnotatedText(line) for line in lines)

    def key(self) -> list[str]:
        """What decides the augmented text beside the lines and the seed, as text."""
        options = [json.dumps([one.name, one.parameters()], sort_keys=True) for one in self.augmenters]
        contents = [one.content for one in self.augmenters if one.content]
        return [*options, *contents, self.annotations.hash if self.annotations else ""]

    def refuse_idle(self, lines: Sequence[str]) -> None:
        """Refuse an augmenter that could change something but finds nothing to do.

        Args:
            lines: The documents.

        Raises:
            LexigraftError: No document has an opportunity for it.
        """
        for augmenter in filter(lambda one: one.active, self.augmenters):
            if not any(augmenter.opportunities(document) for document in self.documents(lines)):
                options = ", ".join(f"{name}={value}" for name, value in augmenter.parameters().items())
                sample = lines[0][:80] if lines else "no line"
                hint = f"With {options} it looks for {augmenter.seeks}; the text has: {sample}"
                raise LexigraftError("augmenter finds nothing to do in the training text", augmenter.name, hint)


def pack_augmented(
    vocabulary: Vocabulary,
    lines: Sequence[str],
    sequence_length: int,
    augmentation: Augmentation,
    *,
    seed: int,
    kind: ModelKind,
    documents: Documents = "separated",
    entities: bool = False,
) -> AugmentedText:
    """Training text that is augmented anew in every epoch, packed as by :func:`lexigraft.core.training.packing.pack`.

    Args:
        vocabulary: The vocabulary, which holds the augmenters' tokens.
        lines: The documents.
        sequence_length: Tokens in a row.
        augmentation: How they are augmented.
        seed: Decides with document and epoch what is drawn.
        kind: What kind of model will read it.
        documents: How documents meet in a row.
        entities: Whether tokens of anchors are marked.

    Raises:
        LexigraftError: The text does not fill one row, an augmenter finds nothing to do in any document, or the
            vocabulary lacks a token.
    """
    if lacking := missing_tokens(vocabulary, list(added_tokens(augmentation.augmenters))):
        raise LexigraftError("the vocabulary lacks tokens of the augmenters", ", ".join(lacking))
    augmentation.refuse_idle(lines)

    def encode(epoch: int, part: Sequence[str]) -> Iterator[list[int]]:
        changed = augmented_stream(augmentation.documents(part), augmentation.augmenters, seed, epoch)
        while batch := list(islice(changed, _DOCUMENTS_AT_ONCE)):
            yield from marked_ids(vocabulary, batch, entities)

    return AugmentedText(
        lambda epoch: pack(
            vocabulary, lines, sequence_length, kind=kind, documents=documents, encode=partial(encode, epoch)
        )
    )


class AugmentedText:
    """Packed text that is another one in every epoch, in an endless, restartable order.

    An epoch is augmented and packed when its first row is asked for; one epoch is held at a time.

    Args:
        pack_epoch: Packs the documents as they are in an epoch.
    """

    def __init__(self, pack_epoch: Callable[[int], PackedText]) -> None:
        self._pack_epoch = pack_epoch
        self._firsts = [0]
        self._held: tuple[int, PackedText] | None = None

    def at(self, position: int, seed: int) -> npt.NDArray[np.int32]:
        """The row at a position of the endless order; see :meth:`lexigraft.core.training.packing.PackedText.at`."""
        while position >= self._firsts[-1]:
            self._firsts.append(self._firsts[-1] + len(self._epoch(len(self._firsts) - 1)))
        epoch = int(np.searchsorted(self._firsts, position, side="right")) - 1
        return self._epoch(epoch).in_epoch(position - self._firsts[epoch], seed, epoch)

    def _epoch(self, epoch: int) -> PackedText:
        if self._held is None or self._held[0] != epoch:
            self._held = None
            self._held = epoch, self._pack_epoch(epoch)
        return self._held[1]


def marked_ids(vocabulary: Vocabulary, documents: Sequence[Augmented], entities: bool = False) -> list[list[int]]:
    """Token ids of augmented documents; tokens that touch a part without loss carry the mark ``NO_LOSS``.

    Args:
        vocabulary: The vocabulary, which holds the tokens that were added.
        documents: The augmented documents.
        entities: Whether tokens that touch an anchor carry ``ENTITY``, the first one of each ``ENTITY_START``.
    """
    encoded = token_characters(vocabulary, [one.document.text for one in documents])
    marked = []
    for one, (_, ids, spans) in zip(documents, islice(encoded, len(documents)), strict=True):
        marks = np.where(_touched(spans, one.without_loss()) >= 0, NO_LOSS, 0)
        if entities:
            anchor = _touched(spans, [(a.start, a.end) for a in one.document.anchors])
            first = np.diff(anchor, prepend=-1) != 0
            marks |= np.where(anchor >= 0, ENTITY | np.where(first, ENTITY_START, 0), 0)
        marked.append((ids | marks).tolist())
    return marked


def _touched(spans: npt.NDArray[np.int64], parts: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """The first part that each token, given by first and last character, shares a character with; -1 for none."""
    if not parts:
        return np.full(len(spans), -1, np.int64)
    bounds = np.array(parts, np.int64)
    first, last = spans[:, 0], np.maximum(spans[:, 1], spans[:, 0] + 1)
    # The first part that ends behind the token's start is the only one that it can meet first.
    at = np.searchsorted(bounds[:, 1], first, side="right")
    starts = np.append(bounds[:, 0], np.iinfo(np.int64).max)
    return np.where(starts[at] < last, at, -1)
