"""Cosine similarities by blocks that fit a memory budget, and the sparse mixtures that come out of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.largest import largest
from lexigraft.core.sparsemax import sparsemax_rows
from lexigraft.core.strategy import Mix

if TYPE_CHECKING:
    import torch

DEFAULT_SHARE = 0.25
BLOCK_ROWS, TILE_COLUMNS = 1024, 2**14
"""Larger products are not faster, and what is done with their scores finds less of them in the cache."""


def default_memory_budget() -> int:
    """A quarter of the memory that is free now, in bytes."""
    pages = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else 2**18
    return max(int(pages * os.sysconf("SC_PAGE_SIZE") * DEFAULT_SHARE), 2**26)


def row_blocks(rows: int, bytes_per_row: int, budget: int) -> Iterator[slice]:
    """Slices of rows such that one block's work stays inside the budget (at least 1, at most 1,024 rows)."""
    size = max(1, min(BLOCK_ROWS, budget // max(bytes_per_row, 1)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def unit_rows(matrix: torch.Tensor) -> torch.Tensor:
    """Rows scaled to length 1; zero rows stay zero."""
    return matrix / matrix.norm(dim=1, keepdim=True).clamp_min(1e-12)


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

    ``w = sparsemax(cos(q, a) / temperature)``; one ``(block, anchors)`` array at a time.

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
    q, a = unit_rows(queries), unit_rows(anchors)
    solve = sparsemax_rows if weights == "sparsemax" else _entmax15_rows
    blocks = []
    for span in row_blocks(len(q), 4 * 4 * len(a), budget):
        scores = q[span] @ a.T
        pointers, ids, values = solve(scores / temperature if temperature != 1 else scores)
        blocks.append(Mix(pointers.numpy(), anchor_source_ids[ids.numpy()].astype(np.int32), values.numpy()))
    return Mix.stack(blocks)


def _entmax15_rows(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    import torch
    from entmax import entmax15

    dense = entmax15(scores, dim=1)
    rows, columns = dense.nonzero(as_tuple=True)
    pointers = torch.zeros(len(dense) + 1, dtype=torch.int64)
    pointers[1:] = rows.bincount(minlength=len(dense)).cumsum(0)
    return pointers, columns, dense[rows, columns]


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
    q, a = unit_rows(queries), unit_rows(anchors)
    return _best(lambda rows, columns: q[rows] @ a[columns].T, len(q), len(a), k, budget)


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

    halves = (anchors * anchors).sum(1) / 2

    def closeness(rows: slice, columns: slice) -> torch.Tensor:
        return torch.addmm(-halves[columns], queries[rows], anchors[columns].T)

    _, ids = _best(closeness, len(queries), len(anchors), k, budget)
    distances = torch.zeros(len(queries), k)
    for span in row_blocks(len(queries), 4 * 2 * k * anchors.shape[1], budget):
        # The expanded square loses small distances to rounding: those of the k are taken again, from the differences.
        exact = (queries[span, None] - anchors[ids[span]]).norm(dim=2)
        distances[span], order = exact.sort(dim=1, stable=True)
        ids[span] = ids[span].gather(1, order)
    return distances, ids


def _best(
    scores: Callable[[slice, slice], torch.Tensor], rows: int, columns: int, k: int, budget: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest scores of each row and their columns, best first; scores are asked for tile by tile."""
    import torch

    values, ids = torch.zeros(rows, k), torch.zeros(rows, k, dtype=torch.int64)
    for span in row_blocks(rows, 4 * 3 * min(columns, TILE_COLUMNS), budget):
        best = scores(span, slice(0, 0)), torch.zeros(span.stop - span.start, 0, dtype=torch.int64)
        for start in range(0, columns, TILE_COLUMNS):
            tile = scores(span, slice(start, start + TILE_COLUMNS))
            more, where = largest(tile, min(k, tile.shape[1]))
            together, candidates = torch.cat([best[0], more], dim=1), torch.cat([best[1], where + start], dim=1)
            kept, order = together.topk(min(k, together.shape[1]), dim=1)
            best = kept, candidates.gather(1, order)
        values[span], ids[span] = best
    return values, ids
