"""Two tokenisations of one text cut at every place where both end a token: the smallest segments they share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class Segments(NamedTuple):
    """The segments of a text.

    Attributes:
        first: The segment of each token of the first tokenisation, never decreasing.
        second: The same for the second.
        number: How many segments there are.
    """

    first: list[int]
    second: list[int]
    number: int


def common_segments(first_ends: Sequence[int], second_ends: Sequence[int]) -> Segments:
    """Cut two tokenisations of a text wherever both end a token.

    Only ends count, since tokenizers differ in which token they give the space between words. Tokens that end at the
    same place (the bytes of one character) stay together. What follows the last common end belongs to no segment.

    Args:
        first_ends: Where each token of one tokenisation ends in the text.
        second_ends: The same for the other.

    Returns:
        Segment numbers of the leading tokens of both that lie in a segment.
    """
    one, two = list(accumulate(first_ends, max)), list(accumulate(second_ends, max))
    cuts = sorted(set(one) & set(two))
    first, second = ([bisect_left(cuts, end) for end in ends if end <= cuts[-1]] if cuts else [] for ends in (one, two))
    return Segments(first, second, len(cuts))
