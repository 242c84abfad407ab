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

_LOT = 64
"""Blocks that one thread sums up before the next takes its turn: they share one room for what is computed."""


def mean_and_deviation(
    table: torch.Tensor, ids: npt.NDArray[np.int64] | None = None, budget: int = 2**22
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and sample deviation of rows, per dimension; one row alone deviates by 0.

    Args:
        table: Of any float type, ``(source, hidden)``.
        ids: Which rows count, at least one; all where not given.
        budget: Bytes for one block.

    Returns:
        Both float32, ``(hidden,)``.
    """
    import torch

    rows, width = len(table) if ids is None else len(ids), table.shape[1]

    def taken(span: slice) -> torch.Tensor:
        return table[span] if ids is None else table[ids[span]]

    # Around a row near the mean, so that one pass over the table is as exact as two.
    blocks = list(row_blocks(rows, 2 * 4 * width, budget))
    near = taken(blocks[0]).float().mean(0)

    def sums_of(lot: Sequence[slice]) -> torch.Tensor:
        found = torch.zeros(2, width, dtype=torch.float64)
        # Of numpy's, as torch's are aligned, and glibc seldom uses what was freed of those again.
        room = torch.from_numpy(np.empty((lot[0].stop - lot[0].start, width), np.float32))
        for span in lot:
            centred = room[: span.stop - span.start].copy_(taken(span)).sub_(near)
            found[0] += centred.sum(0)
            found[1] += centred.square_().sum(0)
        return found

    lots = (blocks[start : start + _LOT] for start in range(0, len(blocks), _LOT))
    sums, squares = torch.stack(parallel_map(sums_of, lots)).sum(0)
    deviation = ((squares - sums.square() / rows).clamp_min(0) / max(1, rows - 1)).sqrt()
    return (near.double() + sums / rows).float(), deviation.float()


def mean_row(table: torch.Tensor, budget: int = 2**24) -> torch.Tensor:
    """Mean of all rows of a table, ``(source, hidden)``, or of a bias, ``(source,)``, of any float type.

    Args:
        table: Where the rows are.
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
        centred = block - mean.float()
        total += (centred.T @ centred).double()
    return mean, total / len(table)


def factor(covariance: torch.Tensor) -> torch.Tensor:
    """``L`` with ``L @ L.T`` equal to a covariance, whatever its rank.

    Cholesky's where it exists; else, for a covariance without full rank, from the eigenvalues, those that rounding made
    negative set to 0.

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
    """Whether no value is NaN or infinite; nothing of the table's size is made to find out."""
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
