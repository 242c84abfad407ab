"""Entries above a threshold in each row of products, found exactly in one pass through group maxima."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lexigraft.core.linalg.inner_products import GROUP, TILE_COLUMNS, Products, group_maxima

if TYPE_CHECKING:
    import torch

FloorOf = Callable[["torch.Tensor"], "torch.Tensor"]


def large_entries(
    products: Products, rows: slice, floor_of: FloorOf, most: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every entry that may lie above the floor of its row.

    Args:
        products: The products.
        rows: Which rows of them.
        floor_of: Computes the threshold of each row, ``(rows, 1)``, from some entries of each row, ``(rows, some)``;
            smaller or fewer entries must not raise it.
        most: How many entries of a row are wanted at most.

    Returns:
        Values, and their columns, both ``(rows, width)``; minus infinity where a row has fewer.
    """
    import torch

    slack = products.slack[rows]
    values = slack.new_zeros(len(slack), 0)
    columns = torch.zeros(len(slack), 0, dtype=torch.int64, device=slack.device)
    floor = torch.full_like(slack, -torch.inf)
    for start in range(0, products.columns, TILE_COLUMNS):
        values, columns = _still_large(values, columns, floor, most)
        tile = products.tile(rows, slice(start, start + TILE_COLUMNS))
        maxima = group_maxima(tile)
        # Each group has an entry at least as large as its bound, and these are different entries.
        floor = floor_of(torch.cat([values, products.group_lower_bounds(rows, maxima, start)], dim=1)) - slack
        floor = floor.clamp_min(torch.finfo(floor.dtype).min)  # the padding of a tile is no entry
        owners, positions, bounds = _entries_from(tile, maxima, floor)
        exact = products.exact(rows.start, owners, positions + start, bounds)
        values, columns = _append(values, columns, _by_row(owners, len(slack)), exact, positions + start)
    if products.columns > TILE_COLUMNS:
        columns, order = columns.sort(dim=1)
        values = values.gather(1, order)
    return values, columns


def _still_large(
    values: torch.Tensor, columns: torch.Tensor, floor: torch.Tensor, most: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Drop entries that fell below the floor, and those beyond the wanted number."""
    width = int((values >= floor).sum(1).amax()) if values.numel() else 0
    values, order = values.topk(width if most is None else min(width, most), dim=1)
    return values, columns.gather(1, order)


def _entries_from(
    tile: torch.Tensor, maxima: torch.Tensor, floor: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, columns and values of the entries at or above their row's floor, row by row in the order of the columns."""
    rows, groups = (maxima >= floor).nonzero(as_tuple=True)
    members = tile.view(-1, GROUP).index_select(0, rows * maxima.shape[1] + groups)
    owners, positions = (members >= floor[rows]).nonzero(as_tuple=True)
    return rows[owners], groups[owners] * GROUP + positions, members[owners, positions]


def _by_row(rows: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """For entries sorted by row: their rows, the position of each within its row, and the length of the longest row."""
    import torch

    lengths = rows.bincount(minlength=count)
    starts = lengths.cumsum(0) - lengths
    positions = torch.arange(len(rows), device=rows.device) - starts[rows]
    return rows, positions, int(lengths.amax()) if count else 0


def _append(
    values: torch.Tensor,
    columns: torch.Tensor,
    layout: tuple[torch.Tensor, torch.Tensor, int],
    new_values: torch.Tensor,
    new_columns: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Append the entries of another tile, laid out by :func:`_by_row`, to those kept so far."""
    import torch

    rows, positions, width = layout
    appended = values.new_full((len(values), width), -torch.inf)
    appended[rows, positions] = new_values
    ids = columns.new_zeros(len(values), width)
    ids[rows, positions] = new_columns
    return torch.cat([values, appended], dim=1), torch.cat([columns, ids], dim=1)
