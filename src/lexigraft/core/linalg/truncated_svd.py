"""Truncated singular value decomposition of a table into coordinates and primitives, as in OFA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Primitives:
    """The r leading singular values S and directions V of a table ``E = U S V^T``.

    Attributes:
        values: S, descending, ``(r,)``.
        directions: V, ``(hidden, r)``.
    """

    values: torch.Tensor
    directions: torch.Tensor

    @property
    def matrix(self) -> torch.Tensor:
        """``P = S V^T``, ``(r, hidden)``."""
        return (self.directions * self.values).T.contiguous()

    def coordinates(self, rows: torch.Tensor) -> torch.Tensor:
        """``F = rows V S^-1``, ``(n, r)``: for the table's own rows its left singular vectors, ``U[:, :r]``."""
        return rows @ self.directions / self.values

    def rows(self, coordinates: torch.Tensor) -> torch.Tensor:
        """``F P``, ``(n, hidden)``."""
        return coordinates @ self.matrix


def primitives_of(table: torch.Tensor, rank: int) -> Primitives:
    """The leading singular values and directions of a table, by its Gram matrix in double precision.

    Source: OFA (Liu et al. 2024), section 3.1.

    Args:
        table: float32 or wider, ``(rows, hidden)``.
        rank: How many, at most the number of rows and of columns.

    Returns:
        Values and directions in the table's dtype; each direction's largest entry is positive, which makes
        the signs deterministic.

    Raises:
        LexigraftError: The table has no such rank.
    """
    import torch

    table = table.detach()
    if not 0 < rank <= min(table.shape):
        raise LexigraftError("rank is beyond the table's", f"{rank} of {min(table.shape)}", "Give a smaller rank")
    squares, axes = torch.linalg.eigh(table.double().T @ table.double())
    values = squares[-rank:].flip(0).clamp_min(0).sqrt()
    if float(values[-1]) <= float(values[0]) * 1e-7:
        raise LexigraftError(
            "rank is beyond the table's", f"{rank} of {int((squares.clamp_min(0).sqrt() > values[0] * 1e-7).sum())}"
        )
    directions = axes[:, -rank:].flip(1)
    peaks = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return Primitives(values.to(table.dtype), (directions * peaks.sign()).to(table.dtype))
