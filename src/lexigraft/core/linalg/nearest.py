"""Nearest neighbors by cosine or distance, exactly, in blocks that fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.inner_products import SHORTEST, TILE_COLUMNS, Products
from lexigraft.core.linalg.top_entries import large_entries
from lexigraft.core.utils.threads import parallel_map

if TYPE_CHECKING:
    import torch


SIDE_ROWS = 512
"""Most rows of a block when each thread works on a block of its own."""


def unit_rows(matrix: torch.Tensor) -> torch.Tensor:
    """Rows scaled to length 1; zero rows stay zero."""
    return matrix / matrix.norm(dim=1, keepdim=True).clamp_min(SHORTEST)


def nearest(queries: torch.Tensor, anchors: torch.Tensor, k: int, budget: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k anchors of highest cosine for each query, by blocks.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        k: How many; at most the number of anchors.
        budget: Bytes for one block.

    Returns:
        Cosines and anchor positions, both ``(rows, k)``, best first.
    """
    return _best(Products(queries, anchors, temperature=1.0), len(queries), k, budget)


def nearest_products(
    queries: torch.Tensor, anchors: torch.Tensor, k: int, budget: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k anchors of highest inner product with each query, by blocks.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        k: How many; at most the number of anchors.
        budget: Bytes for one block.

    Returns:
        Inner products and anchor positions, both ``(rows, k)``, best first.
    """
    return _best(Products(queries, anchors), len(queries), k, budget)


def nearest_points(
    queries: torch.Tensor, anchors: torch.Tensor, k: int, budget: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k anchors at the smallest Euclidean distance from each query, by blocks.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        k: How many; at most the number of anchors.
        budget: Bytes for one block.

    Returns:
        Distances and anchor positions, both ``(rows, k)``, nearest first.
    """
    import torch

    closeness = Products(queries, anchors, offsets=(anchors * anchors).sum(1) / -2)
    _, ids = _best(closeness, len(queries), k, budget)
    distances = torch.zeros(len(queries), k)

    def measure(span: slice) -> None:
        # The expanded square loses small distances to rounding: those of the k are recomputed from the differences.
        exact = (queries[span, None] - anchors[ids[span]]).norm(dim=2)
        distances[span], order = exact.sort(dim=1, stable=True)
        ids[span] = ids[span].gather(1, order)

    parallel_map(measure, thread_blocks(len(queries), 4 * 2 * k * anchors.shape[1], budget))
    return distances, ids


def _best(scores: Products, rows: int, k: int, budget: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest scores of each row and their columns, best first."""
    import torch

    def floor_of(entries: torch.Tensor) -> torch.Tensor:
        if entries.shape[1] < k:
            return entries.new_full((len(entries), 1), -torch.inf)
        return entries.topk(k, dim=1).values[:, -1:]

    values, ids = torch.zeros(rows, k), torch.zeros(rows, k, dtype=torch.int64)

    def find(span: slice) -> None:
        entries, columns = large_entries(scores, span, floor_of, most=k)
        values[span], order = entries.topk(k, dim=1)
        ids[span] = columns.gather(1, order)

    parallel_map(find, thread_blocks(rows, tile_row_bytes(scores), budget))
    return values, ids


def tile_row_bytes(scores: Products) -> int:
    return 4 * 3 * min(scores.columns, TILE_COLUMNS)


def thread_blocks(rows: int, bytes_per_row: int, budget: int) -> Iterator[slice]:
    """Row blocks such that one block per torch thread fits the budget, and every thread gets some blocks."""
    import torch

    threads = torch.get_num_threads()
    return row_blocks(rows, threads * bytes_per_row, budget, min(SIDE_ROWS, -(-rows // threads)))
