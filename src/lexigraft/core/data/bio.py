"""BIO labels (IOB2) of named entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Entity(NamedTuple):
    """A named entity with its type and words.

    It goes from the word ``start`` up to ``end``, which is not included.
    """

    type: str
    start: int
    end: int


def is_bio(label: str) -> bool:
    """Whether a label is ``O``, or ``B-`` or ``I-`` with a type."""
    return label == OUTSIDE or (label[:2] in ("B-", "I-") and len(label) > 2)


def entities(labels: Sequence[str]) -> list[Entity]:
    """The entities of a sentence by strict IOB2: one begins with ``B-`` and goes on as long as ``I-`` of its type.

    An ``I-`` that continues nothing belongs to no entity.

    Args:
        labels: The label of each word.
    """
    found: list[Entity] = []
    start = 0
    while start < len(labels):
        end = start + 1
        if labels[start].startswith("B-"):
            kind = labels[start][2:]
            while end < len(labels) and labels[end] == f"I-{kind}":
                end += 1
            found.append(Entity(kind, start, end))
        start = end
    return found


def repaired(labels: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Labels in which every ``I-`` that continues nothing became ``B-``, and how many did."""
    mended: list[str] = []
    for n, label in enumerate(labels):
        kind = label[2:]
        continues = n and labels[n - 1] in (f"B-{kind}", f"I-{kind}")
        mended.append(f"B-{kind}" if label.startswith("I-") and not continues else label)
    return tuple(mended), sum(a != b for a, b in zip(labels, mended, strict=True))


class EntityCounts(NamedTuple):
    """Entities of a sentence that agree in type and span, and those that only one side has."""

    true_positives: int
    false_positives: int
    false_negatives: int


def count_entities(gold: Sequence[str], predicted: Sequence[str]) -> EntityCounts:
    """Compare the entities of a sentence.

    Args:
        gold: The right label of each word.
        predicted: The predicted label of each word.
    """
    right, found = set(entities(gold)), set(entities(predicted))
    return EntityCounts(len(right & found), len(found - right), len(right - found))
