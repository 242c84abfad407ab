"""Plans that strategies return, as mixtures of source rows (Mix) or finished rows (Dense)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.linalg.blocks import BLOCK_ROWS
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


DENSE, MANY = 0.25, 1024
"""From this share of nonzero weights and this many weights a row on, a dense matrix product is faster than sums."""


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
    """Convert only the rows in use to float32 and renumber the weights: a float32 copy of the table would be large."""
    import torch

    used = np.zeros(len(table), np.bool_)
    used[mix.indices] = True
    positions = (used.cumsum() - 1).astype(np.int32)
    return Mix(mix.indptr, positions[mix.indices], mix.weights), table[torch.from_numpy(used)].float()


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
            positions = torch.from_numpy((used.cumsum() - 1)[part.indices])
            dense.index_put_((owners, positions), weights, accumulate=True)
            return dense @ flat[torch.from_numpy(columns)]
    starts = torch.from_numpy(part.indptr[:-1].astype(np.int32))
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(part.indices), flat, starts, per_sample_weights=weights, mode="sum"
    )


@dataclass(frozen=True)
class Mix:
    """Sparse combinations of source rows: a CSR matrix of shape ``(asked, source)``.

    Core applies the same Mix to the input table, the output table and the head bias, and keeps it as provenance.
    An empty row means "not covered": the next strategy of the chain, or the fallback, fills it.

    Attributes:
        indptr: Row pointers, int64, shape ``(asked + 1,)``.
        indices: Source ids, int32, shape ``(entries,)``.
        weights: Weights, float32, shape ``(entries,)``.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[Sequence[int], Sequence[float]]]) -> Mix:
        """Build from one ``(source ids, weights)`` pair for each row asked for; empty pairs are uncovered rows."""
        pairs = list(rows)
        lengths = np.fromiter((len(ids) for ids, _ in pairs), dtype=np.int64, count=len(pairs))
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        indices = np.fromiter((i for ids, _ in pairs for i in ids), dtype=np.int32, count=int(indptr[-1]))
        weights = np.fromiter((w for _, ws in pairs for w in ws), dtype=np.float32, count=int(indptr[-1]))
        return cls(indptr, indices, weights)

    @classmethod
    def mean_of(cls, rows: Iterable[Sequence[int]]) -> Mix:
        """Build rows that are plain means of the given source ids; no ids make an uncovered row."""
        return cls.from_rows((ids, [1.0 / len(ids)] * len(ids) if ids else []) for ids in rows)

    @classmethod
    def stack(cls, blocks: Sequence[Mix]) -> Mix:
        """Concatenate blocks of consecutive rows."""
        if not blocks:
            return cls.from_rows([])
        offsets = np.cumsum([0, *(len(b.indices) for b in blocks[:-1])])
        pointers = [b.indptr[1:] + o for b, o in zip(blocks, offsets, strict=True)]
        return cls(
            np.concatenate([np.zeros(1, np.int64), *pointers]),
            np.concatenate([b.indices for b in blocks]),
            np.concatenate([b.weights for b in blocks]),
        )

    @classmethod
    def of_single(cls, ids: npt.NDArray[np.int64]) -> Mix:
        """Rows that are one source row each; -1 is an uncovered row."""
        one = ids >= 0
        indptr = np.concatenate([np.zeros(1, np.int64), one.cumsum()])
        return cls(indptr, ids[one].astype(np.int32), np.ones(int(indptr[-1]), np.float32))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, span: slice) -> Mix:
        """Consecutive rows; no step."""
        start, stop, _ = span.indices(len(self))
        first, last = self.indptr[start], self.indptr[stop]
        return Mix(self.indptr[start : stop + 1] - first, self.indices[first:last], self.weights[first:last])

    def take(self, rows: npt.NDArray[np.int64]) -> Mix:
        """Some of the rows, in any order; -1 gives an uncovered one."""
        lengths = np.where(rows >= 0, np.diff(self.indptr, append=self.indptr[-1:])[rows], 0)
        indptr = np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])
        entries = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Mix(indptr, self.indices[entries], self.weights[entries])

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Which of the rows asked for have at least one source row, shape ``(asked,)``."""
        return np.diff(self.indptr) > 0

    @property
    def effective_sources(self) -> npt.NDArray[np.float64]:
        """The effective number of source rows, ``(Σ w)² / Σ w²``; 0 for an uncovered row, shape ``(asked,)``."""
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        weights = self.weights.astype(np.float64)
        totals, squares = (np.bincount(rows, w, minlength=len(self)) for w in (weights, weights**2))
        return np.divide(totals**2, squares, out=np.zeros(len(self)), where=squares > 0)

    def row(self, i: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Source ids and weights of row ``i``."""
        span = slice(self.indptr[i], self.indptr[i + 1])
        return self.indices[span], self.weights[span]


@dataclass(frozen=True)
class Dense:
    """Finished rows.

    Attributes:
        rows: float32, shape ``(asked, hidden)``; ``(asked,)`` for the bias.
        covered: Which rows count, bool, shape ``(asked,)``; ``None`` means all.
        mix: Source rows and weights behind the rows, where they are known in part; for provenance only.
    """

    rows: torch.Tensor
    covered: npt.NDArray[np.bool_] | None = None
    mix: Mix | None = None

    def __len__(self) -> int:
        return int(self.rows.shape[0])


Plan = Mix | Dense | Mapping[Role, Mix | Dense]
