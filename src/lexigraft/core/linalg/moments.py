"""Mean, deviation and covariance of a table's rows, by blocks whose sums are added in double precision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.utils.threads import parallel_map

if TYPE_CHECKING:
    import torch

_BLOCKS_PER_BATCH = 64
"""Blocks that one thread sums up one after another in a single buffer."""


def mean_and_deviation(
    table: torch.Tensor, ids: npt.NDArray[np.int64] | None = None, budget: int = 2**22
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and sample deviation of rows, per dimension; the deviation of a single row is 0.

    Args:
        table: Of any float type, ``(source, hidden)``.
        ids: Which rows count, at least one; all where not given.
        budget: Bytes for one block.

    Returns:
        Both float32, ``(hidden,)``.
    """
    import torch

    rows, width = len(table) if ids is None else len(ids), table.shape[1]

    def chosen(span: slice) -> torch.Tensor:
        return table[span] if ids is None else table[ids[span]]

    # Centered on a vector near the mean, so that one pass over the table is as exact as two.
    blocks = list(row_blocks(rows, 2 * 4 * width, budget))
    near = chosen(blocks[0]).float().mean(0)

    def sums_of(batch: Sequence[slice]) -> torch.Tensor:
        sums = torch.zeros(2, width, dtype=torch.float64)
        # Allocated by numpy: torch's memory is aligned, and glibc rarely reuses freed aligned blocks.
        buffer = torch.from_numpy(np.empty((batch[0].stop - batch[0].start, width), np.float32))
        for span in batch:
            centered = buffer[: span.stop - span.start].copy_(chosen(span)).sub_(near)
            sums[0] += centered.sum(0)
            sums[1] += centered.square_().sum(0)
        return sums

    batches = (blocks[n : n + _BLOCKS_PER_BATCH] for n in range(0, len(blocks), _BLOCKS_PER_BATCH))
    sums, squares = torch.stack(parallel_map(sums_of, batches)).sum(0)
    deviation = ((squares - sums.square() / rows).clamp_min(0) / max(1, rows - 1)).sqrt()
    return (near.double() + sums / rows).float(), deviation.float()


def mean_row(table: torch.Tensor, budget: int = 2**24) -> torch.Tensor:
    """Mean of all rows of a table, ``(source, hidden)``, or of a bias, ``(source,)``, of any float type.

    Args:
        table: The table or the bias.
        budget: Bytes for one block.

    Returns:
        float32, ``(hidden,)`` or ``()``.
    """
    return _mean(table, budget).float()


def mean_and_covariance(table: torch.Tensor, budget: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance of all rows, the latter over their number (not one less).

    Args:
        table: Of any float type, ``(source, hidden)``.
        budget: Bytes for one block.

    Returns:
        float64, ``(hidden,)`` and ``(hidden, hidden)``.
    """
    import torch

    mean = _mean(table, budget)
    total = torch.zeros(table.shape[1], table.shape[1], dtype=torch.float64)
    for block in _blocks(table, budget):
        centered = block - mean.float()
        total += (centered.T @ centered).double()
    return mean, total / len(table)


def factor(covariance: torch.Tensor) -> torch.Tensor:
    """``L`` with ``L @ L.T`` equal to a covariance, whatever its rank.

    The Cholesky factor where it exists; for a covariance without full rank a factor from its eigenvalues, of which
    those that rounding made negative are set to 0.

    Args:
        covariance: float64, ``(hidden, hidden)``, symmetric.

    Returns:
        float64, ``(hidden, hidden)``.
    """
    import torch

    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not int(failed):
        return lower
    values, vectors = torch.linalg.eigh(covariance)
    root: torch.Tensor = vectors * values.clamp_min(0).sqrt()
    return root


def all_finite(table: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite, checked without a temporary of the table's size."""
    return not table.numel() or all(bool(extreme.isfinite()) for extreme in table.detach().aminmax())


def _blocks(table: torch.Tensor, budget: int) -> Iterator[torch.Tensor]:
    for span in row_blocks(len(table), 2 * 4 * math.prod(table.shape[1:]), budget):
        yield table[span].float()


def _mean(table: torch.Tensor, budget: int) -> torch.Tensor:
    import torch

    total = torch.zeros(table.shape[1:], dtype=torch.float64)
    for block in _blocks(table, budget):
        total += block.sum(0).double()
    return total / len(table)
