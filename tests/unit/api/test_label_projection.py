"""Entities carried over word links, by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from lexigraft.api.corpus.label_projection import projected_labels


@pytest.mark.parametrize(
    ("labels", "links", "words", "wanted", "counted"),
    [
        # "Maria lives in New York" to "Nueva York pi Maria tiyan": the order changes, B- follows the translation.
        (
            "B-PER O O B-LOC I-LOC",
            [(0, 3), (1, 4), (2, 2), (3, 0), (4, 1)],
            5,
            "B-LOC I-LOC O B-PER O",
            {"entities": 2, "projected": 2},
        ),
        # One word for two, and two for one.
        ("B-LOC I-LOC", [(0, 1), (1, 1)], 2, "O B-LOC", {"entities": 1, "projected": 1}),
        ("B-LOC O", [(0, 0), (0, 1)], 3, "B-LOC I-LOC O", {"entities": 1, "projected": 1}),
        # A gap of one word is filled; over one of two words the part with more links stays, or the first.
        ("B-ORG I-ORG", [(0, 0), (1, 2)], 3, "B-ORG I-ORG I-ORG", {"entities": 1, "projected": 1, "filled_words": 1}),
        ("B-ORG I-ORG I-ORG", [(0, 0), (1, 3), (2, 4)], 5, "O O O B-ORG I-ORG", {"projected": 1, "split": 1}),
        ("B-ORG I-ORG", [(0, 0), (1, 3)], 4, "B-ORG O O O", {"projected": 1, "split": 1}),
        # Two entities that cross: the person's word lies in the filled gap of the place's.
        ("B-LOC I-LOC B-PER", [(0, 0), (1, 2), (2, 1)], 3, "B-LOC I-LOC I-LOC", {"projected": 1, "overlapping": 1}),
        ("B-LOC O", [(1, 0)], 1, "O", {"entities": 1, "projected": 0, "without_links": 1}),
        ("O O", [(0, 0)], 0 + 1, "O", {"entities": 0}),
        ("B-LOC", [], 0, "", {"without_links": 1}),
        # Two neighbours of one type stay two.
        ("B-LOC B-LOC", [(0, 0), (1, 1)], 2, "B-LOC B-LOC", {"entities": 2, "projected": 2}),
    ],
)
def test_entities_go_where_their_words_are_linked(
    labels: str, links: list[tuple[int, int]], words: int, wanted: str, counted: dict[str, int]
) -> None:
    counts: Counter[str] = Counter()
    assert projected_labels(labels.split(), links, words, counts) == tuple(wanted.split())
    assert {name: counts[name] for name in counted} == counted


def test_without_a_gap_only_neighbours_stay_together() -> None:
    assert projected_labels(["B-A", "I-A"], [(0, 0), (1, 2)], 3, Counter(), max_gap=0) == ("B-A", "O", "O")
