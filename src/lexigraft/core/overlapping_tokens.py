"""Which tokens of one vocabulary stand where a token of another stands in the same text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.token_spans import token_spans
from lexigraft.core.vocabulary import Vocabulary

Runs = Mapping[int, Counter[tuple[int, ...]]]


def overlapping_runs(
    source: Vocabulary, target: Vocabulary, lines: Sequence[str], target_ids: npt.NDArray[np.int64]
) -> Runs:
    """For each of some target tokens, how often which run of source tokens overlaps its bytes in a text.

    Special and unknown source tokens are left out of a run; an occurrence with nothing else under it is not counted.

    Args:
        source: The vocabulary whose tokens are looked for.
        target: The vocabulary whose tokens are looked under.
        lines: The text.
        target_ids: The target tokens asked for.
    """
    wanted = np.zeros(target.size, np.bool_)
    wanted[target_ids] = True
    usable = np.ones(source.size, np.bool_)
    usable[[*source.special_ids, *([source.specials["unk"]] if "unk" in source.specials else [])]] = False
    found: defaultdict[int, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for ours, theirs in zip(token_spans(target, lines), token_spans(source, lines), strict=True):
        here = theirs.starts < theirs.ends
        ids, starts, ends = (side[here] for side in theirs)
        asked = np.flatnonzero(wanted[ours.ids] & (ours.starts < ours.ends))
        first = np.searchsorted(ends, ours.starts[asked], side="right")
        last = np.searchsorted(starts, ours.ends[asked], side="left")
        for i, a, b in zip(ours.ids[asked].tolist(), first.tolist(), last.tolist(), strict=True):
            if run := tuple(ids[a:b][usable[ids[a:b]]].tolist()):
                found[i][run] += 1
    return found
