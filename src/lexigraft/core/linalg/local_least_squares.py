"""Vectors as linear combinations of a few rows each, by least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.linalg.blocks import row_blocks

if TYPE_CHECKING:
    import torch

RANK = 1e-10
"""Eigenvalues of the rows' Gram matrix below this share of the largest count as zero."""


def fit_each(
    vectors: torch.Tensor,
    rows: torch.Tensor,
    pointers: npt.NDArray[np.int64],
    ids: npt.NDArray[np.int64],
    *,
    budget: int,
    affine: bool = False,
) -> npt.NDArray[np.float32]:
    """Least-squares coefficients of each vector on its own rows; those of least norm where there are several.

    ``c = v pinv(R)``; affine (barycentric coordinates, sum 1): ``c = 1/n + (v - mean) pinv(R - mean)``. The small
    systems are solved in double precision, those of similar size together.

    Args:
        vectors: float32, shape ``(vectors, dim)``.
        rows: float32, shape ``(rows, dim)``.
        pointers: Vector i uses ``ids[pointers[i]:pointers[i + 1]]``, int64, shape ``(vectors + 1,)``.
        ids: Row numbers, shape ``(entries,)``.
        budget: Bytes for one block.
        affine: Whether each vector's coefficients must sum to 1.

    Returns:
        One coefficient for each entry of ``ids``.
    """
    import torch

    counts = np.diff(pointers)
    order = np.argsort(counts, kind="stable")[np.count_nonzero(counts == 0) :]
    weights = np.zeros(len(ids), np.float32)
    widest = int(counts.max(initial=0))
    for span in row_blocks(len(order), widest * (24 * rows.shape[1] + 40 * widest), budget):
        block = order[span]
        columns = np.arange(counts[block].max())
        used = columns < counts[block, None]
        positions = np.where(used, pointers[block, None] + columns, pointers[block, None])
        coefficients = _coefficients(vectors[block], rows[ids[positions]], torch.from_numpy(~used), affine)
        weights[positions[used]] = coefficients.numpy()[used]
    return weights


def _coefficients(vectors: torch.Tensor, rows: torch.Tensor, unused: torch.Tensor, affine: bool) -> torch.Tensor:
    """Solve ``(batch, dim)`` vectors on ``(batch, n, dim)`` rows, some of them unused: float64, ``(batch, n)``."""
    import torch

    goal, used = vectors.double()[:, None], rows.double().masked_fill_(unused[:, :, None], 0)
    if not affine:
        return _solved(used @ used.mT, (goal @ used.mT)[:, 0], unused)
    counts = (~unused).sum(1)[:, None, None]
    mean = used.sum(1, keepdim=True) / counts
    # Centered rows add up to 0, so their least-norm coefficients do too: the sum of all stays 1.
    centered = (used - mean).masked_fill_(unused[:, :, None], 0)
    offsets = _solved(centered @ centered.mT, ((goal - mean) @ centered.mT)[:, 0], unused)
    return torch.where(unused, 0, offsets + 1 / counts[:, :, 0])


def _solved(gram: torch.Tensor, products: torch.Tensor, unused: torch.Tensor) -> torch.Tensor:
    """``pinv(gram) products``: by Cholesky where the Gram matrix has full rank, by its eigenvectors elsewhere."""
    import torch

    largest = gram.diagonal(dim1=1, dim2=2).amax(1)
    factor, failed = torch.linalg.cholesky_ex(gram + torch.diag_embed(unused * largest[:, None]))
    heights = factor.diagonal(dim1=1, dim2=2)
    full_rank = (failed == 0) & (heights.amin(1) ** 2 > RANK * largest)
    solution = torch.zeros_like(products)
    if bool(full_rank.any()):
        solution[full_rank] = torch.cholesky_solve(products[full_rank][:, :, None], factor[full_rank])[:, :, 0]
    if not bool(full_rank.all()):
        values, axes = torch.linalg.eigh(gram[~full_rank])
        kept = values > RANK * values.amax(1, keepdim=True)
        along = (axes.mT @ products[~full_rank][:, :, None])[:, :, 0] * torch.where(kept, 1 / values, 0)
        solution[~full_rank] = (axes @ along[:, :, None])[:, :, 0]
    return solution
