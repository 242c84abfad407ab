"""Scores of labels, worked out by hand."""

from __future__ import annotations

import pytest

from lexigraft.core.evaluation.label_scores import entity_scores, label_scores


def test_accuracy_macro_f1_and_chance() -> None:
    scores = label_scores([["N", "V"], ["N"], ["N", "D"]], [["N", "N"], ["N"], ["V", ""]])
    assert scores.main == "accuracy"
    # Right: the first word of the first sentence, and the second sentence: 2 of 5.
    assert scores.items["accuracy"].numerators.tolist() == [1, 1, 0]
    assert scores.items["accuracy"].denominators.tolist() == [2, 1, 2]
    assert scores.figures["accuracy"] == pytest.approx(2 / 5)
    # N: TP 2, FP 1, FN 1, F1 = 4/6. V: TP 0, FP 1, FN 1, F1 = 0. D: TP 0, FN 1, F1 = 0. Their mean is 2/9.
    assert scores.figures["macro_f1"] == pytest.approx(2 / 9)
    # N is the most frequent label: 3 of 5.
    assert scores.figures["chance"] == pytest.approx(3 / 5)


def test_micro_f1_of_entities() -> None:
    gold = [["B-PER", "I-PER", "O"], ["O", "B-LOC"], ["O"], ["B-LOC", "B-LOC"]]
    predicted = [["B-PER", "I-PER", "B-LOC"], ["O", "B-ORG"], ["O"], ["B-LOC", "O"]]
    scores = entity_scores(gold, predicted)
    assert scores.main == "f1"
    # TP FP FN: 1 1 0; 0 1 1; 0 0 0; 1 0 1.
    assert scores.items["f1"].numerators.tolist() == [2, 0, 0, 2]
    assert scores.items["f1"].denominators.tolist() == [3, 2, 0, 3]
    assert scores.figures == pytest.approx({"f1": 4 / 8, "precision": 2 / 4, "recall": 2 / 4})


def test_no_predicted_entity_is_no_nan() -> None:
    assert entity_scores([["B-PER"]], [["I-PER"]]).figures == {"f1": 0, "precision": 0, "recall": 0}
