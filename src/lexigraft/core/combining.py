"""Rows out of a Mix and a table: ``W @ table``, W sparse or, where it is not, dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.products import BLOCK_ROWS
from lexigraft.core.strategy import Mix

if TYPE_CHECKING:
    import torch

DENSE, MANY = 0.25, 1024
"""Where this share of the weights is above zero, and this many are in a row, a matrix product is faster than sums."""


def combine(mix: Mix, table: torch.Tensor) -> torch.Tensor:
    """``rows = W @ table``, summed in float32; uncovered rows are zero.

    Args:
        mix: The weights, one row for each row asked for.
        table: Source rows of any float type, ``(source, hidden)``; for a bias ``(source,)``.

    Returns:
        float32, ``(asked, hidden)`` or ``(asked,)``.
    """
    import torch

    if table.dtype != torch.float32:
        mix, table = _used(mix, table)
    flat = table if table.ndim == 2 else table.unsqueeze(1)
    rows = torch.zeros(len(mix), flat.shape[1])
    for start in range(0, len(mix), BLOCK_ROWS):
        part = mix[start : start + BLOCK_ROWS]
        if len(part.indices):
            rows[start : start + BLOCK_ROWS] = _product(part, flat)
    return rows if table.ndim == 2 else rows.squeeze(1)


def _used(mix: Mix, table: torch.Tensor) -> tuple[Mix, torch.Tensor]:
    """The rows in use alone in float32, and the same weights over them: the whole table would be twice as large."""
    import torch

    used = np.zeros(len(table), np.bool_)
    used[mix.indices] = True
    places = (used.cumsum() - 1).astype(np.int32)
    return Mix(mix.indptr, places[mix.indices], mix.weights), table[torch.from_numpy(used)].float()


def _product(part: Mix, flat: torch.Tensor) -> torch.Tensor:
    import torch

    weights = torch.from_numpy(part.weights)
    if len(weights) > MANY * len(part):
        used = np.zeros(len(flat), np.bool_)
        used[part.indices] = True
        columns = np.flatnonzero(used)
        if len(weights) > DENSE * len(part) * len(columns):
            dense = torch.zeros(len(part), len(columns))
            owners = torch.arange(len(part)).repeat_interleave(torch.from_numpy(np.diff(part.indptr)))
            places = torch.from_numpy((used.cumsum() - 1)[part.indices])
            dense.index_put_((owners, places), weights, accumulate=True)
            return dense @ flat[torch.from_numpy(columns)]
    starts = torch.from_numpy(part.indptr[:-1].astype(np.int32))
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(part.indices), flat, starts, per_sample_weights=weights, mode="sum"
    )
