"""Row-wise sparsemax, exact, in one pass over the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.linalg.inner_products import Products
from lexigraft.core.linalg.top_entries import large_entries

if TYPE_CHECKING:
    import torch


def sparsemax_rows(scores: Products, rows: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Project rows of scores on the simplex, keeping only the entries that stay above zero.

    ``w = max(z - tau, 0)`` with ``sum(w) = 1`` (Martins & Astudillo 2016). Fewer or smaller entries never raise tau, so
    the tau of some of a row's entries is a lower bound of the row's own, and the few entries above that bound decide
    the row. Scores are taken relative to the row's maximum, which changes no weight and keeps sums accurate.

    Args:
        scores: Inner products, at least one column.
        rows: Which rows.

    Returns:
        Row pointers ``(rows + 1,)`` int64, column ids and weights of the entries above zero, row by row.
    """
    import torch

    values, columns = large_entries(scores, rows, _floor)
    # Double precision, so that no sum depends on the width that the longest row sets.
    shifted = (values - values.amax(1, keepdim=True)).clamp_min(-2).double()
    weights = (shifted - _threshold(shifted)).to(values.dtype)
    kept = weights > 0
    pointers = torch.zeros(len(values) + 1, dtype=torch.int64, device=values.device)
    pointers[1:] = kept.sum(1).cumsum(0)
    return pointers, columns[kept], weights[kept]


def _floor(scores: torch.Tensor) -> torch.Tensor:
    highest = scores.amax(1, keepdim=True)
    # Entries below -1 have no weight; infinity times 0 would be NaN.
    floor = highest + _threshold((scores - highest).clamp_min(-2))
    return floor - 1e-6 * (1 + highest.abs())


def _threshold(shifted: torch.Tensor) -> torch.Tensor:
    """Tau of each row, ``(rows, 1)``, for scores relative to the row's largest.

    It is the fixed point of ``tau = (sum of entries above tau - 1) / their number`` (Michelot 1986): entries are only
    ever removed, so a few passes end exactly. Rounding must not add one again, or the loop would never end.
    """
    import torch

    tau = torch.full_like(shifted[:, :1], -1.0)
    size = torch.zeros_like(tau)
    # Row sums as products with ones take a third of the time of comparing to booleans and adding these up.
    above, ones = torch.empty_like(shifted), torch.ones_like(shifted[:1]).T
    while True:
        torch.gt(shifted, tau, out=above)
        count = above @ ones
        if torch.equal(count, size):
            return tau
        size = count
        tau = torch.maximum(tau, (above.mul_(shifted) @ ones - 1) / count)
