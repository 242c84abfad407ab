"""Sparsemax by rows: exact, at the cost of one look at each score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.largest import entries_above, group_maxima

if TYPE_CHECKING:
    import torch

SLACK = 1e-6
"""What rounding may add to a threshold, for scores within 1 of the largest."""


def sparsemax_rows(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Project each row of scores on the simplex, keeping only the entries that stay above zero.

    ``w = max(z - tau, 0)`` with ``sum(w) = 1`` (Martins & Astudillo 2016). Fewer entries never raise tau, so the tau of
    a row's group maxima is a floor under the row's own, and the few entries above that floor decide the row.
    Scores are taken relative to the row's maximum, which changes no weight and keeps float32 sums accurate.

    Args:
        scores: float32, shape ``(rows, columns)``, at least one column.

    Returns:
        Row pointers ``(rows + 1,)`` int64, column ids and weights of the entries above zero, row by row.
    """
    import torch

    maxima = group_maxima(scores)
    highest = maxima.amax(1, keepdim=True)
    floor = highest + _threshold(maxima - highest) - SLACK
    rows, columns, values = entries_above(scores, maxima, floor)
    places, width = _places(rows, len(scores))
    # Entries that are not there lie below every threshold. Double, so that no sum depends on the longest row beside it.
    shifted = torch.full((len(scores), width), -2.0, dtype=torch.float64, device=scores.device)
    shifted[rows, places] = (values - highest[rows, 0]).double()
    weights = (shifted - _threshold(shifted))[rows, places].to(scores.dtype)
    kept = weights > 0
    pointers = torch.zeros(len(scores) + 1, dtype=torch.int64, device=scores.device)
    pointers[1:] = rows[kept].bincount(minlength=len(scores)).cumsum(0)
    return pointers, columns[kept], weights[kept]


def _places(rows: torch.Tensor, count: int) -> tuple[torch.Tensor, int]:
    """The place of each entry within its row, for entries row by row, and the length of the longest row."""
    import torch

    lengths = rows.bincount(minlength=count)
    starts = lengths.cumsum(0) - lengths
    return torch.arange(len(rows), device=rows.device) - starts[rows], int(lengths.amax()) if count else 0


def _threshold(shifted: torch.Tensor) -> torch.Tensor:
    """Tau of each row, ``(rows, 1)``, for scores relative to the row's largest.

    It is the fixed point of ``tau = (sum of entries above tau - 1) / their number`` (Michelot 1986): entries only ever
    leave, so a few passes end exactly.
    """
    import torch

    tau = torch.full_like(shifted[:, :1], -1.0)
    size = torch.zeros_like(tau)
    while True:
        above = shifted > tau
        count = above.sum(1, keepdim=True, dtype=shifted.dtype)
        if torch.equal(count, size):
            return tau
        size = count
        tau = ((shifted * above).sum(1, keepdim=True) - 1) / count
