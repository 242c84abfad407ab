"""How often tokens stand near each other in a text, with word2vec's thinning and noise shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from lexigraft.core.vocabulary import Vocabulary

LINE_END = -1
NOISE_POWER = 0.75
_LINES_AT_ONCE = 10_000
_TOKENS_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class Pairs:
    """How often tokens stand near each other, as a CSR matrix of shape ``(size, size)``.

    Attributes:
        indptr: Row pointers by centre, int64, shape ``(size + 1,)``.
        contexts: Ids of the contexts, int32, shape ``(pairs,)``, ascending for each centre.
        counts: How often, float32, shape ``(pairs,)``.
    """

    indptr: npt.NDArray[np.int64]
    contexts: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]

    @cached_property
    def totals(self) -> npt.NDArray[np.float32]:
        """How many pairs each token is the centre of, shape ``(size,)``."""
        return np.add.reduceat(np.append(self.counts, np.float32(0)), self.indptr[:-1]) * (np.diff(self.indptr) > 0)

    def dense(self, centres: npt.NDArray[np.int64]) -> torch.Tensor:
        """The rows of some centres, float32, shape ``(centres, size)``."""
        import torch

        lengths = np.diff(self.indptr)[centres]
        starts = np.repeat(self.indptr[centres] - np.cumsum(lengths) + lengths, lengths)
        entries = starts + np.arange(lengths.sum())
        rows = torch.zeros(len(centres), len(self.indptr) - 1)
        at = np.repeat(np.arange(len(centres)), lengths), self.contexts[entries].astype(np.int64)
        rows[torch.from_numpy(at[0]), torch.from_numpy(at[1])] = torch.from_numpy(self.counts[entries])
        return rows


def token_stream(vocabulary: Vocabulary, lines: Sequence[str], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """The ids of some tokens of a text in order, with ``LINE_END`` after each line; other tokens are left out.

    Args:
        vocabulary: The vocabulary to encode with.
        lines: The text.
        known: Which tokens to keep, shape ``(size,)``.
    """
    blocks = [np.empty(0, np.int32)]
    for start in range(0, len(lines), _LINES_AT_ONCE):
        encoded = vocabulary.encode(lines[start : start + _LINES_AT_ONCE])
        blocks.append(np.fromiter((i for line in encoded for i in (*line, LINE_END)), np.int32))
    stream = np.concatenate(blocks)
    return stream[(stream == LINE_END) | known[stream]]


def keep_probability(counts: npt.NDArray[np.int64], threshold: float) -> npt.NDArray[np.float64]:
    """How likely an occurrence of each token is kept: ``min(1, sqrt(threshold / f))``, f its share of all tokens.

    Mikolov et al. 2013, equation 5. The share is relative: a threshold of 1e-3 thins out what makes up more than a
    thousandth of the text, however long the text is.

    Args:
        counts: Occurrences by token, shape ``(size,)``.
        threshold: The share above which tokens are thinned out; 0 keeps everything.
    """
    share = counts / max(int(counts.sum()), 1)
    return np.sqrt(np.divide(threshold, share, out=np.ones(len(counts)), where=(share > threshold) & (threshold > 0)))


def count_pairs(stream: npt.NDArray[np.int32], size: int, window: int) -> Pairs:
    """Count the tokens up to ``window`` places before and after each token, within a line.

    Args:
        stream: Token ids with ``LINE_END`` between lines.
        size: How many ids there are.
        window: Reach to each side, in tokens.
    """
    keys, counts = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(stream), _TOKENS_AT_ONCE):
        # Every pair belongs to the block of its left token.
        new_keys, new_counts = _summed(_keys_of(stream[start : start + _TOKENS_AT_ONCE + window], size, window))
        keys, counts = _summed(np.concatenate([keys, new_keys]), np.concatenate([counts, new_counts]))
    indptr = np.searchsorted(keys, np.arange(size + 1) * size)
    return Pairs(indptr.astype(np.int64), (keys % size).astype(np.int32), counts)


def _keys_of(stream: npt.NDArray[np.int32], size: int, window: int) -> npt.NDArray[np.int64]:
    line = np.cumsum(stream == LINE_END)
    found = []
    for distance in range(1, window + 1):
        left, right = stream[:-distance][:_TOKENS_AT_ONCE], stream[distance:][:_TOKENS_AT_ONCE]
        together = (line[:-distance] == line[distance:])[:_TOKENS_AT_ONCE] & (left != LINE_END) & (right != LINE_END)
        a, b = left[together].astype(np.int64), right[together].astype(np.int64)
        found += [a * size + b, b * size + a]
    return np.concatenate(found)


def _summed(
    keys: npt.NDArray[np.int64], counts: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    if counts is None:
        return ordered[first], np.diff(np.append(first, len(keys))).astype(np.float32)
    return ordered[first], np.add.reduceat(counts[order], first) if len(first) else counts


def noise_shares(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """word2vec's noise distribution: occurrences to the power of 0.75, as shares, shape ``(size,)``."""
    raised = counts.astype(np.float64) ** NOISE_POWER
    return (raised / max(raised.sum(), 1.0)).astype(np.float32)
