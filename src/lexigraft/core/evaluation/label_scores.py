"""Accuracy and F1 of predicted labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lexigraft.core.data.bio import count_entities
from lexigraft.core.evaluation.scores import ItemScores, Scores

Labels = Sequence[str]
"""The labels of one item: of the words of a sentence, or the one of a text."""


def label_scores(gold: Sequence[Labels], predicted: Sequence[Labels]) -> Scores:
    """Scores of labels.

    Args:
        gold: The right labels of each item.
        predicted: The predicted ones; an empty string is no label.

    Returns:
        ``accuracy`` with its items; ``macro_f1``, the mean F1 of all labels that are right or predicted somewhere;
        ``chance``, the share of the most frequent label.
    """
    from sklearn.metrics import f1_score

    right = [sum(a == b for a, b in zip(*pair, strict=True)) for pair in zip(gold, predicted, strict=True)]
    items = ItemScores.of(right, [len(labels) for labels in gold])
    flat, found = ([label for labels in side for label in labels] for side in (gold, predicted))
    known = sorted({label for label in [*flat, *found] if label})
    macro = float(f1_score(flat, found, labels=known, average="macro", zero_division=0))
    chance = max(Counter(flat).values()) / len(flat)
    return Scores.of({"accuracy": items}, {"macro_f1": macro, "chance": chance})


def entity_scores(gold: Sequence[Labels], predicted: Sequence[Labels]) -> Scores:
    """Scores of entities, which count where type and span agree (strict IOB2).

    Args:
        gold: The right BIO labels of each sentence, with one entity at least.
        predicted: The predicted ones.

    Returns:
        ``f1`` over all entities (micro) with its items; ``precision`` and ``recall``, 0 where nothing is predicted.
    """
    counts = [count_entities(*pair) for pair in zip(gold, predicted, strict=True)]
    true, invented, missed = (sum(column) for column in zip(*counts, strict=True))
    items = ItemScores.of(
        [2 * c.true_positives for c in counts],
        [2 * c.true_positives + c.false_positives + c.false_negatives for c in counts],
    )
    precision, recall = true / max(1, true + invented), true / max(1, true + missed)
    return Scores.of({"f1": items}, {"precision": precision, "recall": recall})
