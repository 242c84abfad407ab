"""All best ways to split bytes into tokens at once: counted, never listed."""

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
    """Average over the best partitions of bytes into tokens.

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
    written = [at - data.count(b" ", 0, at) for at in range(end + 1)]
    best: list[_Best | None] = [_Best(0, 0, 1, ())] + [None] * end
    for at in range(1, end + 1):
        here: _Best | None = None
        for start in range(max(0, at - longest), at):
            before = best[start]
            if before is None or data[start:at] not in tokens:
                continue
            new = _Best(before.parts + 1, before.score + base ** (written[at] - written[start]), before.ways, (start,))
            if here is None or (new.parts, -new.score) < (here.parts, -here.score):
                here = new
            elif (new.parts, new.score) == (here.parts, here.score):
                here = here._replace(ways=here.ways + new.ways, starts=(*here.starts, start))
        best[at] = here
    whole = best[end]
    if whole is None or not end:
        return {}
    shares: dict[int, float] = {}
    onward = [0] * end + [1]
    for at in range(end, 0, -1):
        if onward[at] and (here := best[at]) is not None:
            for start in here.starts:
                onward[start] += onward[at]
                before = best[start]
                assert before is not None
                token = tokens[data[start:at]]
                share = before.ways * onward[at] / (whole.ways * whole.parts)
                shares[token] = shares.get(token, 0.0) + share
    return shares
