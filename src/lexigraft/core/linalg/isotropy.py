"""Isotropy of the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.nearest import unit_rows

if TYPE_CHECKING:
    import torch

_MOST_ROWS = 2**14
"""Rows of a block at most: each block of a large table costs a copy of its ``(dim, dim)`` products."""


def mean_cosine(table: torch.Tensor, ids: npt.NDArray[np.int64], budget: int = 2**28) -> float:
    """Mean cosine of two different rows, over all pairs: what the cosine of a random pair is on average.

    The cosines of all pairs add up to the squared length of the sum of the unit rows, less the rows' own: no pair needs
    to be drawn. Zero rows have no direction and are left out.

    Args:
        table: Of any float type, ``(rows, dim)``.
        ids: Which rows count.
        budget: Bytes for one block.

    Returns:
        The mean: 0 for rows in all directions, 1 for rows in the same one; 0 where fewer than two rows are not zero.
    """
    import torch

    total = torch.zeros(table.shape[1], dtype=torch.float64)
    count = 0
    for rows in _blocks(table, ids, budget):
        units = unit_rows(rows[rows.norm(dim=1) > 0])
        total += units.sum(0).double().cpu()
        count += len(units)
    return (total.square().sum().item() - count) / (count * (count - 1)) if count > 1 else 0.0


def partition_ratio(table: torch.Tensor, ids: npt.NDArray[np.int64], budget: int = 2**28) -> float:
    """Smallest over largest partition function ``Z(c) = sum over rows w of exp(c . w)``, over directions ``c``.

    The directions are the eigenvectors of ``W^T W`` with both signs (the sign of an eigenvector means nothing, and both
    make the ratio the same everywhere). It is 1 where all directions are alike and near 0 where one dominates; it
    depends on the rows' lengths, so tables are only comparable at the same scale.

    Source: Mu and Viswanath, "All-but-the-Top", ICLR 2018, section 2.

    Args:
        table: Of any float type, ``(rows, dim)``.
        ids: Which rows count.
        budget: Bytes for one block.

    Returns:
        The ratio, between 0 and 1.
    """
    import torch

    products = torch.zeros(table.shape[1], table.shape[1], dtype=torch.float64)
    for rows in _blocks(table, ids, budget):
        products += (rows.T @ rows).double().cpu()
    directions = torch.linalg.eigh(products).eigenvectors.float().to(table.device)
    sums = torch.full((2, table.shape[1]), -torch.inf, dtype=torch.float64)
    for rows in _blocks(table, ids, budget):
        along = rows @ directions
        of_block = torch.stack([along.logsumexp(0), (-along).logsumexp(0)])
        sums = torch.logaddexp(sums, of_block.double().cpu())
    return math.exp(sums.min().item() - sums.max().item())


def _blocks(table: torch.Tensor, ids: npt.NDArray[np.int64], budget: int) -> Iterator[torch.Tensor]:
    import torch

    chosen = torch.from_numpy(ids).to(table.device)
    for span in row_blocks(len(ids), 4 * 4 * table.shape[1], budget, _MOST_ROWS):
        yield table[chosen[span]].float()
