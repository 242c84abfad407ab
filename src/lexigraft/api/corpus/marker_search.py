"""Exact search for the places of two markers in a translation."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BATCH = 16
"""Sequences scored at a time."""

Floats = npt.NDArray[np.float64]


class Query(NamedTuple):
    """A sequence to score.

    Attributes:
        tokens: What the decoder writes.
        marker: A token that it could write instead.
        places: Before which of its tokens that one is scored.
    """

    tokens: Sequence[int]
    marker: int
    places: Sequence[int]


Scores = Callable[[Sequence[Query]], Sequence[tuple[Floats, Floats]]]
"""For each query the log-probabilities of its tokens, each behind those before it, and of the marker at each place."""


class Markers(NamedTuple):
    """The tokens of the marker that opens a span, and of the one that closes it."""

    opening: tuple[int, ...]
    closing: tuple[int, ...]


class Hypothesis(NamedTuple):
    """A translation with its markers.

    Attributes:
        log_probability: Of the whole sequence.
        start: The token before which the opening marker stands.
        end: The token before which the closing marker stands.
    """

    log_probability: float
    start: int
    end: int


class Found(NamedTuple):
    """What the search found.

    Attributes:
        hypotheses: The most likely ones, in descending order.
        scored: How many sequences were scored.
        is_complete: Whether nothing more likely is left: the search ended before its limit.
    """

    hypotheses: list[Hypothesis]
    scored: int
    is_complete: bool = True


def most_likely(
    tokens: Sequence[int],
    places: Sequence[int],
    markers: Markers,
    scores: Scores,
    candidates: int = 1,
    limit: float = math.inf,
) -> Found:
    """The most likely ways to write a translation with both markers, and nothing else added.

    A decoder that may only copy the next token of the translation, or write the marker that is due, has as many ways
    through as there are pairs of places. Each is as likely as the model says that the whole sequence is: the sum over
    its tokens of log P(token | tokens before it, marked source). Such a sum never rises with another token, so that
    what is decided bounds what can follow. Branches are followed from the highest bound down: behind the opening marker
    first, for each place where it may stand, then behind the closing one; they end where no bound is above the
    hypotheses found. So nothing more likely is missed. One pass of the model over a sequence bounds all branches that
    leave it.

    Source: Le et al., Constrained Decoding for Cross-lingual Label Projection, ICLR 2024; there the search
    goes depth first, and its bounds are a heuristic.

    Args:
        tokens: What the decoder writes without markers, special tokens included.
        places: Before which tokens a marker may stand, ascending, at least one.
        markers: The markers' tokens.
        scores: The model.
        candidates: How many hypotheses are asked for.
        limit: After this many sequences the search is given up.
    """
    opening, closing = markers
    [(own, marked)] = scores([Query(tokens, opening[0], places[:-1])])
    before = _sums(own)
    # A branch whose two places are the same has no closing marker yet.
    branches = [(-(before[a] + m), a, a) for a, m in zip(places[:-1], marked, strict=True)]
    heapq.heapify(branches)
    found: list[Hypothesis] = []
    scored = 1
    while True:
        least = found[-1].log_probability if len(found) == candidates else -math.inf
        followed: list[tuple[int, int]] = []
        while branches and len(followed) < BATCH and -branches[0][0] > least:
            followed.append(heapq.heappop(branches)[1:])
        if not followed or scored >= limit:
            return Found(found, scored, not followed)
        queries = []
        for a, b in followed:
            end = b if b > a else len(tokens)
            rest = [*closing, *tokens[b:]] if b > a else []
            due = [c + len(opening) for c in places if c > a] if b == a else []
            queries.append(Query([*tokens[:a], *opening, *tokens[a:end], *rest], closing[0], due))
        scored += len(queries)
        for (a, b), (own, marked) in zip(followed, scores(queries), strict=True):
            if b > a:
                found.append(Hypothesis(float(own.sum()), a, b))
                continue
            before, ends = _sums(own), [c for c in places if c > a]
            for c, m in zip(ends, marked, strict=True):
                heapq.heappush(branches, (-(before[c + len(opening)] + m), a, c))
        found = sorted(found, reverse=True)[:candidates]


def _sums(values: Floats) -> Floats:
    """Sums of the first 0, 1, 2, … values."""
    return np.concatenate([[0.0], np.cumsum(values)])
