"""The large entries of each row, by way of the maxima of small groups of columns: exact, and read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

GROUP = 32


def group_maxima(scores: torch.Tensor) -> torch.Tensor:
    """The largest entry of each 32 neighbouring columns, the last group possibly shorter.

    Args:
        scores: Shape ``(rows, columns)``, at least one column.

    Returns:
        Shape ``(rows, groups)``.
    """
    import torch

    whole = scores.shape[1] // GROUP
    maxima = scores[:, : whole * GROUP].unflatten(1, (whole, GROUP)).amax(2)
    rest = scores[:, whole * GROUP :]
    return torch.cat([maxima, rest.amax(1, keepdim=True)], dim=1) if rest.shape[1] else maxima


def largest(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``scores.topk(k)`` finds, several times as fast where there are many columns.

    The k largest entries lie in the k groups of largest maxima: of any other group, k entries are at least as large as
    its largest.

    Args:
        scores: Shape ``(rows, columns)``.
        k: How many, at most the number of columns.

    Returns:
        Values and columns, both ``(rows, k)``, largest first.
    """
    import torch

    if scores.shape[1] <= 2 * k * GROUP:
        found = scores.topk(k, dim=1)
        return found.values, found.indices
    groups = group_maxima(scores).topk(k, dim=1, sorted=False).indices
    rows = torch.arange(len(scores), device=scores.device).repeat_interleave(k)
    columns, values = _members(scores, rows, groups.flatten())
    found = values.view(len(scores), -1).topk(k, dim=1)
    return found.values, columns.view(len(scores), -1).gather(1, found.indices)


def entries_above(
    scores: torch.Tensor, maxima: torch.Tensor, floor: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The entries above their row's floor, row by row in the order of the columns.

    Args:
        scores: Shape ``(rows, columns)``.
        maxima: Their :func:`group_maxima`.
        floor: Shape ``(rows, 1)``.

    Returns:
        Rows, columns and values of the entries, each ``(entries,)``.
    """
    rows, groups = (maxima > floor).nonzero(as_tuple=True)
    columns, values = _members(scores, rows, groups)
    owners, places = (values > floor[rows]).nonzero(as_tuple=True)
    return rows[owners], columns[owners, places], values[owners, places]


def _members(scores: torch.Tensor, rows: torch.Tensor, groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns and values of some groups, both ``(groups, 32)``; minus infinity where the last group has no column."""
    import torch

    last = scores.shape[1] - 1
    columns = groups[:, None] * GROUP + torch.arange(GROUP, device=scores.device)
    values = scores[rows[:, None], columns.clamp_max(last)]
    return columns, values.masked_fill_(columns > last, -torch.inf)
