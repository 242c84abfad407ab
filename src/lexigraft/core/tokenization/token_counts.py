"""Token frequencies in a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.vocabulary import Vocabulary

BATCH_LINES = 4096


def token_counts(vocabulary: Vocabulary, lines: Sequence[str]) -> npt.NDArray[np.int64]:
    """How often each token occurs in some lines, int64, shape ``(size,)``."""
    counts = np.zeros(vocabulary.size, np.int64)
    for start in range(0, len(lines), BATCH_LINES):
        batch = vocabulary.encode(lines[start : start + BATCH_LINES])
        flat = np.fromiter((i for ids in batch for i in ids), np.int64)
        counts += np.bincount(flat, minlength=vocabulary.size)
    return counts
