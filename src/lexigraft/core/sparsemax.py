"""Sparsemax by rows, exact, at the cost of a small top-k instead of a full sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sparsemax_rows(scores: torch.Tensor, k: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Project each row of scores on the simplex, keeping only the entries that stay above zero.

    The support of sparsemax is a prefix of the sorted scores (Martins & Astudillo 2016, Algorithm 1), so the top k
    scores decide it exactly unless all k are kept; such rows are solved again with k doubled.

    Args:
        scores: float32, shape ``(rows, columns)``.
        k: How many top scores to look at first.

    Returns:
        Row pointers ``(rows + 1,)`` int64, column ids and weights of the entries above zero, best first in each row.
    """
    import torch

    rows, columns = scores.shape
    k = min(k, columns)
    top, ids = scores.topk(k, dim=1)
    steps = torch.arange(1, k + 1, dtype=scores.dtype, device=scores.device)
    sums = top.cumsum(1)
    support = (1 + steps * top > sums).sum(1)
    if k < columns and bool((full := support == k).any()):
        where = full.nonzero().squeeze(1)
        inner = sparsemax_rows(scores[where], 2 * k)
        return _merge(_compress(top, ids, sums, support), inner, where, rows)
    return _compress(top, ids, sums, support)


def _compress(
    top: torch.Tensor, ids: torch.Tensor, sums: torch.Tensor, support: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    import torch

    threshold = (sums.gather(1, support.unsqueeze(1) - 1) - 1) / support.unsqueeze(1)
    kept = torch.arange(top.shape[1], device=top.device) < support.unsqueeze(1)
    weights = (top - threshold).clamp_min_(0)
    kept &= weights > 0
    pointers = torch.zeros(len(top) + 1, dtype=torch.int64, device=top.device)
    pointers[1:] = kept.sum(1).cumsum(0)
    return pointers, ids[kept], weights[kept]


def _merge(
    outer: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    inner: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    where: torch.Tensor,
    rows: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Put the rows that were solved again in the place of their first tries."""
    import torch

    replaced = {int(w): n for n, w in enumerate(where.tolist())}
    ids, weights, lengths = [], [], []
    for row in range(rows):
        pointers, i, w = (inner[0], inner[1], inner[2]) if row in replaced else outer
        at = replaced.get(row, row)
        span = slice(int(pointers[at]), int(pointers[at + 1]))
        ids.append(i[span])
        weights.append(w[span])
        lengths.append(span.stop - span.start)
    pointers = torch.zeros(rows + 1, dtype=torch.int64)
    pointers[1:] = torch.tensor(lengths).cumsum(0)
    return pointers, torch.cat(ids), torch.cat(weights)
