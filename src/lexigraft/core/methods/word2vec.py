"""Skip-gram with negative sampling on pair counts (word2vec)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from lexigraft.core.tokenization.vocabulary import Vocabulary


LINE_END = -1

NOISE_POWER = 0.75

_LINES_AT_ONCE = 10_000

BLOCK_TOKENS = 2**20


@dataclass(frozen=True, eq=False)
class Pairs:
    """Co-occurrence counts of tokens, as a CSR matrix of shape ``(size, size)``.

    Attributes:
        indptr: Row pointers by center, int64, shape ``(size + 1,)``.
        contexts: Ids of the contexts, int32, shape ``(pairs,)``, ascending for each center.
        counts: How often, float32, shape ``(pairs,)``.
    """

    indptr: npt.NDArray[np.int64]
    contexts: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]

    @cached_property
    def totals(self) -> npt.NDArray[np.float32]:
        """How many pairs each token is the center of, shape ``(size,)``."""
        return np.add.reduceat(np.append(self.counts, np.float32(0)), self.indptr[:-1]) * (np.diff(self.indptr) > 0)

    def dense(self, centres: npt.NDArray[np.int64]) -> torch.Tensor:
        """The rows of some centers, float32, shape ``(centres, size)``."""
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
    """Probability to keep an occurrence (sub-sampling): ``min(1, sqrt(threshold / f))``, f its share of all tokens.

    Mikolov et al. 2013, equation 5. The share is relative: a threshold of 1e-3 sub-samples tokens that make up more
    than a thousandth of the text, however long the text is.

    Args:
        counts: Occurrences by token, shape ``(size,)``.
        threshold: The share above which tokens are sub-sampled; 0 keeps everything.
    """
    share = counts / max(int(counts.sum()), 1)
    return np.sqrt(np.divide(threshold, share, out=np.ones(len(counts)), where=(share > threshold) & (threshold > 0)))


def count_pairs(stream: npt.NDArray[np.int32], size: int, window: int, *, block: int = BLOCK_TOKENS) -> Pairs:
    """Count the tokens up to ``window`` positions before and after each token, within a line.

    Args:
        stream: Token ids with ``LINE_END`` between lines.
        size: How many ids there are.
        window: Reach to each side, in tokens.
        block: How many tokens are counted at once.
    """
    keys, counts = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(stream), block):
        # Every pair belongs to the block of its left token.
        new_keys, new_counts = _summed(_keys_of(stream[start : start + block + window], size, window, block))
        keys, counts = _summed(np.concatenate([keys, new_keys]), np.concatenate([counts, new_counts]))
    indptr = np.searchsorted(keys, np.arange(size + 1) * size)
    return Pairs(indptr.astype(np.int64), (keys % size).astype(np.int32), counts)


def _keys_of(stream: npt.NDArray[np.int32], size: int, window: int, block: int) -> npt.NDArray[np.int64]:
    line = np.cumsum(stream == LINE_END)
    found = []
    for distance in range(1, window + 1):
        left, right = stream[:-distance][:block], stream[distance:][:block]
        together = (line[:-distance] == line[distance:])[:block] & (left != LINE_END) & (right != LINE_END)
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


CENTRES_AT_ONCE = 128  # fixed, not by memory: other block sizes round the sums differently, and training amplifies that


def skipgram_loss(
    centres: torch.Tensor, contexts: torch.Tensor, counts: torch.Tensor, noise: torch.Tensor
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Negative sampling's loss over all pairs of a block, and its gradients.

    ``L = -sum_co n_co log sigma(s_co) - sum_co m_co log sigma(-s_co)`` with ``s_co = w_c . v_o``: ``n`` counts the
    pairs, ``m = negatives * (pairs of c) * noise share of o`` is how often o is expected as noise (Levy &
    Goldberg 2014, equations 1 to 3). That is the loss that word2vec samples pair by pair, here in expectation.
    As ``-log sigma(s) = softplus(s) - s``, ``L = sum (n + m) softplus(s) - n s`` and ``dL/ds = (n + m) sigma(s) - n``.

    Args:
        centres: Vectors w, float32, ``(block, hidden)``.
        contexts: Vectors v, float32, ``(size, hidden)``.
        counts: n, float32, ``(block, size)``.
        noise: m, float32, ``(block, size)``.

    Returns:
        The loss in nats, and its gradients ``(block, hidden)`` and ``(size, hidden)``.
    """
    import torch
    from torch.nn.functional import softplus

    scores = centres @ contexts.T
    both = counts + noise
    loss = float((both * softplus(scores) - counts * scores).sum(dtype=torch.float64))
    gradient = both * scores.sigmoid() - counts
    return loss, gradient @ contexts, gradient.T @ centres


@dataclass(frozen=True, eq=False)
class SkipGram:
    """The loss of a whole text in two tables (or one that serves for both), by blocks of centers.

    Attributes:
        pairs: The counted pairs.
        noise: How often each token is expected as noise for one pair, float32, shape ``(size,)``.
        tokens: Tokens of text that the pairs come from, what sub-sampling dropped left out.
        tables: The centers' vectors and the contexts' vectors, or the one table of both, float32, ``(size, hidden)``;
            training writes into them.
    """

    pairs: Pairs
    noise: torch.Tensor
    tokens: int
    tables: Sequence[torch.Tensor]

    @classmethod
    def of(
        cls,
        stream: npt.NDArray[np.int32],
        tables: Sequence[torch.Tensor],
        *,
        window: int,
        negatives: int,
        subsampling: float,
        generator: torch.Generator,
    ) -> SkipGram:
        """Sub-sample a text and count its pairs.

        Args:
            stream: Token ids with ``LINE_END`` between lines.
            tables: The tables.
            window: Reach to each side, in tokens.
            negatives: Noise tokens for each pair.
            subsampling: The share of the text above which a token is sub-sampled; 0 keeps everything.
            generator: Decides which occurrences are dropped.
        """
        import torch

        counts = np.bincount(stream[stream != LINE_END], minlength=len(tables[0]))
        keep = np.append(keep_probability(counts, subsampling), 1.0)  # the last entry is LINE_END's
        draws = torch.rand(len(stream), generator=generator, dtype=torch.float64).numpy()
        kept = stream[draws < keep[stream]]
        noise = negatives * torch.from_numpy(noise_shares(counts))
        pairs = count_pairs(kept, len(counts), window)
        return cls(pairs, noise, int((kept != LINE_END).sum()), tables)

    @property
    def centres(self) -> npt.NDArray[np.int64]:
        """Ids of the tokens that co-occur with another, ascending."""
        return np.flatnonzero(self.pairs.totals > 0)

    def gradients(self, centres: npt.NDArray[np.int64]) -> tuple[float, list[torch.Tensor]]:
        """The mean loss of the pairs of some centers, in nats, and its gradient in each table."""
        import torch

        totals = self.pairs.totals[centres]
        found = [torch.zeros_like(table) for table in self.tables]
        loss = 0.0
        for start in range(0, len(centres), CENTRES_AT_ONCE):
            span = slice(start, start + CENTRES_AT_ONCE)
            ids = torch.from_numpy(centres[span])
            noise = torch.from_numpy(totals[span]).unsqueeze(1) * self.noise
            part, of_centres, of_contexts = skipgram_loss(
                self.tables[0][ids], self.tables[-1], self.pairs.dense(centres[span]), noise
            )
            loss += part
            found[0][ids] += of_centres
            found[-1] += of_contexts
        pairs = max(float(totals.sum(dtype=np.float64)), 1.0)
        return loss / pairs, [gradient / pairs for gradient in found]
