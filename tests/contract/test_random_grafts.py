"""1,000 random grafts keep every law: no wrong row, the same logits, the same folder, or a refusal that helps.

Each case draws two small tokenizers (or one and its permuted, extended or equal twin) and a tiny model of its own. All
are matched and held against the meanings that the generator knows. Every third case is a whole graft in memory, and
every tenth of those is written and read back by plain transformers: about half a minute for all.
``fixtures.random_grafts.check(seed)`` runs one case alone.
"""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path

import pytest

from fixtures.random_grafts import Broken, check, make

BLOCK = 100
WHOLE, WRITTEN = 3, 30
MOST_REFUSED = 0.15
"""The largest share of a block that may be refused; the seeds are fixed, and no block refuses more than 12 of 100."""


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("first", range(0, 1000, BLOCK))
def test_random_grafts(first: int, tmp_path: Path) -> None:
    ends: Counter[str] = Counter()
    faults = []
    for seed in range(first, first + BLOCK):
        folder = tmp_path / str(seed) if seed % WRITTEN == 0 else None
        try:
            ends[check(seed, folder, whole=seed % WHOLE == 0)] += 1
        except Broken as error:
            faults.append(f"{make(seed)}\n    {error}")
        except Exception:
            faults.append(f"{make(seed)}\n    {traceback.format_exc()}")
    assert not faults, "\n".join([f"{len(faults)} of {BLOCK} cases; how the others ended: {dict(ends)}", *faults])
    assert ends["done"] >= (1 - MOST_REFUSED) * BLOCK, f"too many refusals: {dict(ends)}"
