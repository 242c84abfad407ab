"""Sparsemax by rows: exact, by finding each row's threshold instead of sorting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sparsemax_rows(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Project each row of scores on the simplex, keeping only the entries that stay above zero.

    ``w = max(z - tau, 0)`` with ``sum(w) = 1`` (Martins & Astudillo 2016). The threshold is found as the fixed point of
    ``tau = (sum of entries above tau - 1) / their number`` (Michelot 1986): entries only ever leave, so a few passes end
    exactly, whatever the size of the support. Scores are taken relative to the row's maximum, which changes no weight and
    keeps float32 sums accurate.

    Args:
        scores: float32, shape ``(rows, columns)``, at least one column.

    Returns:
        Row pointers ``(rows + 1,)`` int64, column ids and weights of the entries above zero, columns ascending.
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
    pointers = torch.zeros(len(scores) + 1, dtype=torch.int64, device=scores.device)
    pointers[1:] = size.squeeze(1).to(torch.int64).cumsum(0)
    return pointers, above.nonzero()[:, 1], (shifted - tau)[above]
