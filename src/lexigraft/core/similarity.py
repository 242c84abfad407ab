"""Cosine similarities by blocks that fit a memory budget, and the sparse mixtures that come out of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.largest import large_entries
from lexigraft.core.products import BLOCK_ROWS, SHORTEST, TILE_COLUMNS, Products
from lexigraft.core.sparsemax import sparsemax_rows
from lexigraft.core.strategy import Mix

if TYPE_CHECKING:
    import torch

DEFAULT_SHARE = 0.25


def default_memory_budget() -> int:
    """A quarter of the memory that is free now, in bytes."""
    pages = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else 2**18
    return max(int(pages * os.sysconf("SC_PAGE_SIZE") * DEFAULT_SHARE), 2**26)


def row_blocks(rows: int, bytes_per_row: int, budget: int, most: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of rows such that one block's work stays inside the budget (at least 1 row, at most ``most``)."""
    size = max(1, min(most, budget // max(bytes_per_row, 1)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def unit_rows(matrix: torch.Tensor) -> torch.Tensor:
    """Rows scaled to length 1; zero rows stay zero."""
    return matrix / matrix.norm(dim=1, keepdim=True).clamp_min(SHORTEST)


def sparse_mix(
    queries: torch.Tensor,
    anchors: torch.Tensor,
    anchor_source_ids: npt.NDArray[np.int64],
    *,
    temperature: float,
    budget: int,
    weights: str = "sparsemax",
) -> Mix:
    """Each query as a sparse mixture of source rows, by cosine to the anchors.

    ``w = sparsemax(cos(q, a) / temperature)``, by tiles of the cosines.

    Args:
        queries: float32, shape ``(rows, dim)``.
        anchors: float32, shape ``(anchors, dim)``.
        anchor_source_ids: The source row that each anchor stands for, shape ``(anchors,)``.
        temperature: Above 1 spreads the weights, below 1 sharpens them.
        budget: Bytes for one block.
        weights: ``sparsemax``, or ``entmax15`` (Peters, Niculae & Martins 2019), which keeps more anchors.

    Returns:
        A Mix with one row for each query.
    """
    if weights == "sparsemax":
        blocks = _sparsemax_blocks(Products(queries, anchors, temperature=temperature), len(queries), budget)
    else:
        blocks = _entmax15_blocks(unit_rows(queries) / temperature, unit_rows(anchors), budget)
    return Mix.stack([Mix(at, anchor_source_ids[ids].astype(np.int32), values) for at, ids, values in blocks])


Blocks = Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]]


def _sparsemax_blocks(scores: Products, rows: int, budget: int) -> Blocks:
    for span in _blocks(scores, rows, budget):
        pointers, ids, values = sparsemax_rows(scores, span)
        yield pointers.numpy(), ids.numpy(), values.numpy()


def _entmax15_blocks(q: torch.Tensor, a: torch.Tensor, budget: int) -> Blocks:
    from entmax import entmax15

    for span in row_blocks(len(q), 4 * 4 * len(a), budget):
        dense = entmax15(q[span] @ a.T, dim=1)
        rows, ids = dense.nonzero(as_tuple=True)
        lengths = rows.bincount(minlength=len(dense)).numpy()
        yield np.concatenate([np.zeros(1, np.int64), lengths.cumsum()]), ids.numpy(), dense[rows, ids].numpy()


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
    for span in row_blocks(len(queries), 4 * 2 * k * anchors.shape[1], budget):
        # The expanded square loses small distances to rounding: those of the k are taken again, from the differences.
        exact = (queries[span, None] - anchors[ids[span]]).norm(dim=2)
        distances[span], order = exact.sort(dim=1, stable=True)
        ids[span] = ids[span].gather(1, order)
    return distances, ids


def _best(scores: Products, rows: int, k: int, budget: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest scores of each row and their columns, best first."""
    import torch

    def floor_of(some: torch.Tensor) -> torch.Tensor:
        return some.topk(k, dim=1).values[:, -1:] if some.shape[1] >= k else some.new_full((len(some), 1), -torch.inf)

    values, ids = torch.zeros(rows, k), torch.zeros(rows, k, dtype=torch.int64)
    for span in _blocks(scores, rows, budget):
        found, columns = large_entries(scores, span, floor_of, most=k)
        values[span], order = found.topk(k, dim=1)
        ids[span] = columns.gather(1, order)
    return values, ids


def _blocks(scores: Products, rows: int, budget: int) -> Iterator[slice]:
    return row_blocks(rows, 4 * 3 * min(scores.columns, TILE_COLUMNS), budget)
