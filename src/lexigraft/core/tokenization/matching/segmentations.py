"""Best segmentations of bytes into tokens, counted by dynamic programming without listing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class _Best(NamedTuple):
    """The best splits of the first bytes: how many parts, their long-part score, how many splits, their last starts."""

    parts: int
    score: int
    ways: int
    starts: tuple[int, ...]


def shares_of_best_partitions(data: bytes, tokens: Mapping[bytes, int], longest: int) -> dict[int, float]:
    """Each token's share of the parts, averaged over the best partitions of bytes into tokens.

    Best are the partitions with the fewest parts and, among these, with the longest parts: the longest part as long as
    it can be, then the second longest, and so on, in bytes without spaces. Ties all count. Comparing the sorted lengths
    of equally many parts is comparing ``sum_parts base^length`` for any base above the number of parts, a sum that
    dynamic programming can maximise; the partitions through each part are then counted from both ends, so the work is
    ``len(data) * longest`` however many there are.

    Args:
        data: What to split.
        tokens: Token ids by their bytes.
        longest: The length of the longest token in bytes.

    Returns:
        Each token's share of the parts of all best partitions, summing to 1; empty where there is no partition.
    """
    end, base = len(data), len(data) + 1
    lengths = [stop - data.count(b" ", 0, stop) for stop in range(end + 1)]
    best: list[_Best | None] = [_Best(0, 0, 1, ())] + [None] * end
    for stop in range(1, end + 1):
        here: _Best | None = None
        for start in range(max(0, stop - longest), stop):
            before = best[start]
            if before is None or data[start:stop] not in tokens:
                continue
            score = before.score + base ** (lengths[stop] - lengths[start])
            new = _Best(before.parts + 1, score, before.ways, (start,))
            if here is None or (new.parts, -new.score) < (here.parts, -here.score):
                here = new
            elif (new.parts, new.score) == (here.parts, here.score):
                here = here._replace(ways=here.ways + new.ways, starts=(*here.starts, start))
        best[stop] = here
    whole = best[end]
    if whole is None or not end:
        return {}
    shares: dict[int, float] = {}
    ways_onward = [0] * end + [1]
    for stop in range(end, 0, -1):
        if ways_onward[stop] and (here := best[stop]) is not None:
            for start in here.starts:
                ways_onward[start] += ways_onward[stop]
                before = best[start]
                assert before is not None
                token = tokens[data[start:stop]]
                share = before.ways * ways_onward[stop] / (whole.ways * whole.parts)
                shares[token] = shares.get(token, 0.0) + share
    return shares
