"""word2vec's skip-gram with negative sampling over counted pairs: the loss in expectation, and its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.pair_counts import LINE_END, Pairs, count_pairs, keep_probability, noise_shares

if TYPE_CHECKING:
    import torch


CENTRES_AT_ONCE = 128  # fixed, not by memory: other blocks would round the sums otherwise, and learning spreads it


def skipgram_loss(
    centres: torch.Tensor, contexts: torch.Tensor, counts: torch.Tensor, noise: torch.Tensor
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Negative sampling's loss over all pairs of a block, and its gradients.

    ``L = -sum_co n_co log sigma(s_co) - sum_co m_co log sigma(-s_co)`` with ``s_co = w_c . v_o``: ``n`` counts the
    pairs, ``m = negatives * (pairs of c) * noise share of o`` is how often o is expected to be drawn as noise (Levy &
    Goldberg 2014, equations 1 to 3). That is the loss word2vec follows pair by pair, here without its sampling noise.
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
    slope = both * scores.sigmoid() - counts
    return loss, slope @ contexts, slope.T @ centres


@dataclass(frozen=True, eq=False)
class SkipGram:
    """The loss of a whole text in two tables (or one that serves for both), by blocks of centres.

    Attributes:
        pairs: The counted pairs.
        noise: How often each token is expected as noise for one pair, float32, shape ``(size,)``.
        tokens: Tokens of text that the pairs come from, what sub-sampling dropped left out.
        tables: The centres' vectors and the contexts' vectors, or the one table of both, float32, ``(size, hidden)``;
            what learns writes into them.
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
        """Thin out a text and count its pairs.

        Args:
            stream: Token ids with ``LINE_END`` between lines.
            tables: The tables.
            window: Reach to each side, in tokens.
            negatives: Noise tokens for each pair.
            subsampling: The share of the text above which a token is thinned out; 0 keeps everything.
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
        """Ids of the tokens that stand near another, ascending."""
        return np.flatnonzero(self.pairs.totals > 0)

    def slopes(self, centres: npt.NDArray[np.int64]) -> tuple[float, list[torch.Tensor]]:
        """The mean loss of the pairs of some centres, in nats, and its gradient in each table."""
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
        return loss / pairs, [slope / pairs for slope in found]
