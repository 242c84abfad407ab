"""Cosine similarities by blocks that fit a memory budget, and the sparse mixtures that come out of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.largest import largest
from lexigraft.core.sparsemax import sparsemax_rows
from lexigraft.core.strategy import Mix

if TYPE_CHECKING:
    import torch

DEFAULT_SHARE = 0.25
BLOCK_ROWS = 1024
"""More rows are not multiplied faster, and what is done with their scores finds less of them in the cache."""


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
    import torch

    q, a = unit_rows(queries), unit_rows(anchors)
    found = [largest(q[span] @ a.T, k) for span in row_blocks(len(q), 2 * 4 * len(a), budget)]
    if not found:
        return torch.zeros(0, k), torch.zeros(0, k, dtype=torch.int64)
    return torch.cat([v for v, _ in found]), torch.cat([i for _, i in found])


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

    distances, ids = torch.zeros(len(queries), k), torch.zeros(len(queries), k, dtype=torch.int64)
    halves = (anchors * anchors).sum(1) / 2
    for span in row_blocks(len(queries), 4 * (3 * len(anchors) + 3 * k * anchors.shape[1]), budget):
        _, found = largest(torch.addmm(-halves, queries[span], anchors.T), k)
        # The expanded square loses small distances to rounding: those of the k are taken again, from the differences.
        exact = (queries[span, None] - anchors[found]).norm(dim=2)
        distances[span], order = exact.sort(dim=1, stable=True)
        ids[span] = found.gather(1, order)
    return distances, ids
