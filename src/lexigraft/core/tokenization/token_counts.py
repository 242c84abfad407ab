"""Token frequencies in a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import made_once, replacing
from lexigraft.core.utils.hashing import hash_of

BATCH_LINES = 4096


def token_counts(vocabulary: Vocabulary, lines: Sequence[str]) -> npt.NDArray[np.int64]:
    """How often each token occurs in some lines, int64, shape ``(size,)``."""
    counts = np.zeros(vocabulary.size, np.int64)
    for start in range(0, len(lines), BATCH_LINES):
        batch = vocabulary.encode(lines[start : start + BATCH_LINES])
        flat = np.fromiter((i for ids in batch for i in ids), np.int64)
        counts += np.bincount(flat, minlength=vocabulary.size)
    return counts


def stored_counts(vocabulary: Vocabulary, corpus: Corpus, folder: Path) -> npt.NDArray[np.int64]:
    """As :func:`token_counts`, counted once for each vocabulary and text: the next process or cell reads them.

    Args:
        vocabulary: The vocabulary.
        corpus: The text.
        folder: Where counts are kept, in files named by content.
    """
    path = counts_file(folder, corpus.hash, vocabulary.hash)
    with made_once(path):
        found = _read(path, vocabulary.size)
        if found is None:
            found = token_counts(vocabulary, corpus.lines)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, found)
    return found


def counts_file(folder: Path, corpus: str, vocabulary: str) -> Path:
    """Where the counts of a text's tokens are kept.

    Args:
        folder: The folder of counts.
        corpus: The text's hash.
        vocabulary: The vocabulary's hash.
    """
    return folder / f"counts-{hash_of([corpus, vocabulary])[:12]}.npy"


def _read(path: Path, size: int) -> npt.NDArray[np.int64] | None:
    """The counts in a file; None where there is none, or a damaged one."""
    try:
        counts = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return counts if counts.dtype == np.int64 and counts.shape == (size,) else None
