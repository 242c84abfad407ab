"""Scores of lexicon induction: a case by hand with several translations, words that are not covered, and ties."""

from __future__ import annotations

import pytest
import torch

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.lexicon import Lexicon, induction_scores

BUDGET = 2**26


def at(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_a_dictionary_becomes_words_with_their_different_translations() -> None:
    lexicon = Lexicon.of([("a", "x"), ("b", "y"), ("a", "z"), ("Lima", "lima"), ("a", "x")])
    assert lexicon.translations == {"a": ("x", "z"), "b": ("y",)}
    assert lexicon.targets == ("x", "z", "y")
    assert lexicon.identical == 1


def test_a_case_by_hand() -> None:
    pairs = [("a", "x"), ("b", "y"), ("b", "z"), ("c", "w"), ("d", "x"), ("e", "none"), ("f", "x"), ("f", "F")]
    lexicon = Lexicon.of(pairs)
    # Candidates: x 0, y 40, z 80 and w 60 degrees. a 5: x is nearest, rank 1. b 71: z (9) before w (11) and y (31), and
    # z is as right as y: rank 1. c 31: y (9), then w (29), x (31): rank 2. d 90: z, w, y, then x: rank 4. No
    # translation of e has a vector, and f has none itself.
    rows = {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
    target = {"x": 0, "y": 1, "z": 2, "w": 3}
    source_vectors, target_vectors = at(5, 71, 31, 90, 50), at(0, 40, 80, 60)
    scores = induction_scores(lexicon, rows, target, source_vectors, target_vectors, BUDGET)
    figures, items = scores.figures, scores.items
    assert items["mean_reciprocal_rank_cosine"].numerators.tolist() == [1, 1, 1 / 2, 1 / 4, 0, 0]
    assert items["precision_at_1_cosine"].numerators.tolist() == [1, 1, 0, 0, 0, 0]
    assert items["precision_at_5_cosine"].numerators.tolist() == [1, 1, 1, 1, 0, 0]
    assert items["coverage"].numerators.tolist() == [1, 1, 1, 1, 0, 0]
    assert figures["precision_at_1_cosine"] == pytest.approx(2 / 6)
    assert figures["precision_at_5_cosine"] == pytest.approx(4 / 6)
    assert figures["mean_reciprocal_rank_cosine"] == pytest.approx((1 + 1 + 0.5 + 0.25) / 6)
    assert figures["coverage"] == pytest.approx(4 / 6)
    assert figures["candidates"] == 4
    assert scores.main == "precision_at_1"
    assert scores.notes == ("1 pairs of equal words are left out.", "2 of 6 words are not covered and count as wrong.")


def test_csls_counts_in_the_main_figures() -> None:
    # k = 1; candidates x 0 and y 50 degrees; b 0 belongs to x, a to y, though x is nearer to it. a at 22 degrees: cos
    # to x 0.927, which is r of a, and to y 0.883, which is r of y; r of x is 1, from b. csls to x: 2 * 0.927 - 0.927
    # - 1 = -0.073, to y: 2 * 0.883 - 0.927 - 0.883 = -0.044: y is found. a at 20: x -0.060, y -0.074: x.
    lexicon = Lexicon.of([("a", "y"), ("b", "x")])
    places = {"a": 0, "b": 1}, {"x": 0, "y": 1}
    scores = induction_scores(lexicon, *places, at(22, 0), at(0, 50), BUDGET, neighbors=1)
    assert scores.figures["precision_at_1_cosine"] == 0.5
    assert scores.figures["precision_at_1"] == scores.figures["covered_precision_at_1"] == 1
    nearer = induction_scores(lexicon, *places, at(20, 0), at(0, 50), BUDGET, neighbors=1)
    assert nearer.figures["precision_at_1"] == 0.5


def test_vectors_that_are_all_the_same_find_nothing() -> None:
    lexicon = Lexicon.of([("a", "x"), ("b", "y")])
    same = torch.ones(2, 3)
    scores = induction_scores(lexicon, {"a": 0, "b": 1}, {"x": 0, "y": 1}, same, same, BUDGET)
    assert scores.figures["precision_at_1"] == scores.figures["precision_at_1_cosine"] == 0
    assert scores.figures["coverage"] == 1


def test_no_covered_word_is_refused() -> None:
    with pytest.raises(LexigraftError, match=r"have vectors: 1 words.*direction"):
        induction_scores(Lexicon.of([("a", "x")]), {"x": 0}, {"a": 0}, torch.ones(1, 2), torch.ones(1, 2), BUDGET)
