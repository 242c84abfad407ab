"""The search for two markers: by hand, and beside all pairs of places under random models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from zlib import crc32

import numpy as np
import pytest

from lexigraft.api.corpus.marker_search import BATCH, Floats, Found, Hypothesis, Markers, Query, Scores, most_likely

OPEN, CLOSE, END = 100, 101, 0
MARKERS = Markers((OPEN,), (CLOSE,))


def model(probability: Callable[[tuple[int, ...], int], float]) -> Scores:
    """A model that knows the probability of each token behind those before it."""

    def log(before: Sequence[int], token: int) -> float:
        return math.log(p) if (p := probability(tuple(before), token)) else -math.inf

    def scores(queries: Sequence[Query]) -> list[tuple[Floats, Floats]]:
        return [
            (
                np.array([log(tokens[:n], token) for n, token in enumerate(tokens)]),
                np.array([log(tokens[:n], marker) for n in places]),
            )
            for tokens, marker, places in queries
        ]

    return scores


def test_the_places_of_the_markers_by_hand() -> None:
    """Three tokens 1 2 3; behind each prefix the model divides between the next token and the marker that is due.

    Without a marker so far, "[" has 0.1 before 1, 0.8 before 2 and 0.5 before 3, and the token has the rest. Behind
    "[" a token always follows. After the first token in the span "]" has 0.25 before 3 and 0.6 before the end; once it
    stands, what is left is certain:

        [ 1 ] 2 3    0.1 * 1 * m(2),             m(2) = 0.3:               0.030
        [ 1 2 ] 3    0.1 * 1 * 0.7 * 0.25:                                 0.0175
        [ 1 2 3 ]    0.1 * 1 * 0.7 * 0.75 * 0.6:                           0.0315
        1 [ 2 ] 3    0.9 * 0.8 * 1 * 0.25:                                 0.180
        1 [ 2 3 ]    0.9 * 0.8 * 1 * 0.75 * 0.6:                           0.324
        1 2 [ 3 ]    0.9 * 0.2 * 0.5 * 1 * 0.6:                            0.054
    """
    opens, closes = {1: 0.1, 2: 0.8, 3: 0.5, END: 0.0}, {1: 0.0, 2: 0.3, 3: 0.25, END: 0.6}
    line = (1, 2, 3, END)

    def probability(before: tuple[int, ...], token: int) -> float:
        following = line[sum(t not in (OPEN, CLOSE) for t in before)]
        if CLOSE in before:
            return float(token == following)
        marker, shares = (CLOSE, closes) if OPEN in before else (OPEN, opens)
        share = 0.0 if before[-1:] == (OPEN,) else shares[following]
        return {marker: share, following: 1 - share}.get(token, 0.0)

    found = most_likely(line, [0, 1, 2, 3], MARKERS, model(probability), candidates=6)
    assert [(h.start, h.end) for h in found.hypotheses] == [(1, 3), (1, 2), (2, 3), (0, 3), (0, 1), (0, 2)]
    assert np.exp([h.log_probability for h in found.hypotheses]) == pytest.approx(
        [0.324, 0.18, 0.054, 0.0315, 0.03, 0.0175]
    )
    # Only the places that a word's borders leave: before token 1, before 3, and at the end.
    words = most_likely(line, [0, 2, 3], MARKERS, model(probability))
    assert [h[1:] for h in words.hypotheses] == [(2, 3)]
    assert most_likely(line, [0], MARKERS, model(probability)).hypotheses == []


def test_a_translation_that_the_model_cannot_write_has_no_places() -> None:
    found = most_likely([1, 2, END], [0, 1, 2], MARKERS, model(lambda before, token: float(token != CLOSE)))
    assert found == Found([], 3)


@pytest.mark.parametrize("markers", [MARKERS, Markers((OPEN, 102), (CLOSE, 103, 104))])
@pytest.mark.parametrize("candidates", [1, 4])
def test_nothing_more_likely_is_missed(markers: Markers, candidates: int) -> None:
    scored = possible = 0
    for seed in range(3):
        tokens, places = [*range(1, 30 + seed), END], [*range(0, 30 + seed, 2)]
        scores = model(lambda before, token, seed=seed: (1 + crc32(bytes([seed, *before, token]))) / 2**32)

        def whole(a: int, b: int, tokens: list[int] = tokens, scores: Scores = scores) -> Hypothesis:
            written = [*tokens[:a], *markers.opening, *tokens[a:b], *markers.closing, *tokens[b:]]
            [(own, _)] = scores([Query(written, 0, ())])
            return Hypothesis(float(own.sum()), a, b)

        every = sorted((whole(a, b) for a, b in combinations(places, 2)), reverse=True)
        found = most_likely(tokens, places, markers, scores, candidates)
        assert found.hypotheses == every[:candidates]
        scored, possible = scored + found.scored, possible + len(every)
    assert scored < possible


def test_a_sure_model_is_asked_for_few_of_many_places() -> None:
    """One of 40 * 41 / 2 = 820 pairs: "[" has 0.9 before token 20 and 0.001 elsewhere, "]" 0.9 before 23 likewise."""
    line, sure = [*range(1, 41), END], {OPEN: 20, CLOSE: 23}

    def probability(before: tuple[int, ...], token: int) -> float:
        if CLOSE in before:
            return 1.0
        marker, following = CLOSE if OPEN in before else OPEN, line[sum(t < OPEN for t in before)]
        share = 0.9 if following == sure[marker] else 0.001
        return share if token == marker else 1 - share

    found = most_likely(line, range(41), MARKERS, model(probability))
    assert [h[1:] for h in found.hypotheses] == [(19, 22)]
    assert found.scored == 1 + BATCH + BATCH
