"""Sparsemax by rows: exact, at the cost of a small top-k instead of a full sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FIRST_LOOK = 128


def sparsemax_rows(scores: torch.Tensor, k: int = FIRST_LOOK) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Project each row of scores on the simplex, keeping only the entries that stay above zero.

    ``w = max(z - tau, 0)`` with ``sum(w) = 1`` (Martins & Astudillo 2016). The support is a prefix of the sorted
    scores, so the k largest decide a row exactly unless all k are kept; those rows are solved on all their entries.
    Scores are taken relative to the row's maximum, which changes no weight and keeps float32 sums accurate.

    Args:
        scores: float32, shape ``(rows, columns)``, at least one column.
        k: How many of the largest scores to look at first.

    Returns:
        Row pointers ``(rows + 1,)`` int64, column ids and weights of the entries above zero, row by row.
    """
    import torch

    if scores.shape[1] <= k:
        rows, columns, weights, lengths = _solve(scores)
    else:
        top, ids = scores.topk(k, dim=1)
        rows, places, weights, lengths = _solve(top)
        columns = ids[rows, places]
        whole = (lengths == k).nonzero().squeeze(1)
        if len(whole):
            decided = lengths[rows] < k
            more_rows, more_columns, more_weights, lengths[whole] = _solve(scores[whole])
            rows = torch.cat([rows[decided], whole[more_rows]])
            order = rows.argsort(stable=True)
            columns = torch.cat([columns[decided], more_columns])[order]
            weights = torch.cat([weights[decided], more_weights])[order]
    pointers = torch.zeros(len(scores) + 1, dtype=torch.int64, device=scores.device)
    pointers[1:] = lengths.cumsum(0)
    return pointers, columns, weights


def _solve(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, columns and weights of the entries above each row's threshold, and how many there are in each row.

    The threshold is the fixed point of ``tau = (sum of entries above tau - 1) / their number`` (Michelot 1986): entries
    only ever leave, so a few passes end exactly.
    """
    import torch

    shifted = scores - scores.amax(1, keepdim=True)
    tau = torch.full_like(shifted[:, :1], -1.0)
    size = torch.zeros_like(tau)
    while True:
        above = shifted > tau
        count = above.sum(1, keepdim=True, dtype=shifted.dtype)
        if torch.equal(count, size):
            break
        size = count
        tau = ((shifted * above).sum(1, keepdim=True) - 1) / count
    rows, columns = above.nonzero(as_tuple=True)
    return rows, columns, (shifted - tau)[above], size.squeeze(1).to(torch.int64)
