"""Cosine similarities by blocks that fit a memory budget, and the sparse mixtures that come out of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.largest import large_entries
from lexigraft.core.products import BLOCK_ROWS, SHORTEST, TILE_COLUMNS, Products
from lexigraft.core.side_by_side import side_by_side
from lexigraft.core.sparsemax import sparsemax_rows
from lexigraft.core.strategy import Mix

if TYPE_CHECKING:
    import torch

DEFAULT_SHARE = 0.25
SIDE_ROWS = 512
"""Rows of a block where each thread has one of its own."""


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
    rows_of, bytes_per_row = (
        _sparsemax(Products(queries, anchors, temperature=temperature))
        if weights == "sparsemax"
        else _entmax15(unit_rows(queries) / temperature, unit_rows(anchors))
    )

    def mixed(span: slice) -> Mix:
        pointers, ids, values = rows_of(span)
        return Mix(pointers.numpy(), anchor_source_ids[ids.numpy()].astype(np.int32), values.numpy())

    return Mix.stack(side_by_side(mixed, _blocks(len(queries), bytes_per_row, budget)))


SparseRows = Callable[[slice], "tuple[torch.Tensor, torch.Tensor, torch.Tensor]"]


def _sparsemax(scores: Products) -> tuple[SparseRows, int]:
    return lambda span: sparsemax_rows(scores, span), _tile_row(scores)


def _entmax15(q: torch.Tensor, a: torch.Tensor) -> tuple[SparseRows, int]:
    import torch
    from entmax import entmax15

    def rows_of(span: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        dense = entmax15(q[span] @ a.T, dim=1)
        rows, ids = dense.nonzero(as_tuple=True)
        pointers = torch.zeros(len(dense) + 1, dtype=torch.int64)
        pointers[1:] = rows.bincount(minlength=len(dense)).cumsum(0)
        return pointers, ids, dense[rows, ids]

    return rows_of, 4 * 4 * len(a)


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

    def measure(span: slice) -> None:
        # The expanded square loses small distances to rounding: those of the k are taken again, from the differences.
        exact = (queries[span, None] - anchors[ids[span]]).norm(dim=2)
        distances[span], order = exact.sort(dim=1, stable=True)
        ids[span] = ids[span].gather(1, order)

    side_by_side(measure, _blocks(len(queries), 4 * 2 * k * anchors.shape[1], budget))
    return distances, ids


def _best(scores: Products, rows: int, k: int, budget: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest scores of each row and their columns, best first."""
    import torch

    def floor_of(some: torch.Tensor) -> torch.Tensor:
        return some.topk(k, dim=1).values[:, -1:] if some.shape[1] >= k else some.new_full((len(some), 1), -torch.inf)

    values, ids = torch.zeros(rows, k), torch.zeros(rows, k, dtype=torch.int64)

    def find(span: slice) -> None:
        found, columns = large_entries(scores, span, floor_of, most=k)
        values[span], order = found.topk(k, dim=1)
        ids[span] = columns.gather(1, order)

    side_by_side(find, _blocks(rows, _tile_row(scores), budget))
    return values, ids


def _tile_row(scores: Products) -> int:
    return 4 * 3 * min(scores.columns, TILE_COLUMNS)


def _blocks(rows: int, bytes_per_row: int, budget: int) -> Iterator[slice]:
    """Blocks such that as many as torch has threads fit the budget together, and each thread gets some."""
    import torch

    threads = torch.get_num_threads()
    return row_blocks(rows, threads * bytes_per_row, budget, min(SIDE_ROWS, -(-rows // threads)))
