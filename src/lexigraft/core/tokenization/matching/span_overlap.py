"""Overlap of the tokens of two tokenizers in the same text."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.offsets import token_spans
from lexigraft.core.tokenization.vocabulary import Vocabulary

Runs = Mapping[int, Counter[tuple[int, ...]]]


def overlapping_runs(
    source: Vocabulary, target: Vocabulary, lines: Sequence[str], target_ids: npt.NDArray[np.int64]
) -> Runs:
    """Count, for each of some target tokens, the runs of source tokens that overlap its bytes in a text.

    Special and unknown source tokens are left out of a run; an occurrence whose run is then empty is not counted.

    Args:
        source: The vocabulary of the overlapping runs.
        target: The vocabulary of ``target_ids``.
        lines: The text.
        target_ids: The target tokens asked for.
    """
    wanted = np.zeros(target.size, np.bool_)
    wanted[target_ids] = True
    usable = np.ones(source.size, np.bool_)
    usable[[*source.special_ids, *([source.specials["unk"]] if "unk" in source.specials else [])]] = False
    runs: defaultdict[int, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for ours, theirs in zip(token_spans(target, lines), token_spans(source, lines), strict=True):
        here = theirs.starts < theirs.ends
        ids, starts, ends = (side[here] for side in theirs)
        asked = np.flatnonzero(wanted[ours.ids] & (ours.starts < ours.ends))
        first = np.searchsorted(ends, ours.starts[asked], side="right")
        last = np.searchsorted(starts, ours.ends[asked], side="left")
        for i, a, b in zip(ours.ids[asked].tolist(), first.tolist(), last.tolist(), strict=True):
            if run := tuple(ids[a:b][usable[ids[a:b]]].tolist()):
                runs[i][run] += 1
    return runs


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
    same position (the bytes of one character) stay together. What follows the last common end belongs to no segment.

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
