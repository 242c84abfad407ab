"""Learnable mixture weights over source rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.plan import Mix
from lexigraft.core.linalg.blocks import row_blocks

if TYPE_CHECKING:
    import torch

    from lexigraft.core.tokenization.vocabulary import Vocabulary

ALIGNMENT = 64


def mixable(vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Which tokens may be mixed or learned on: text and bytes, no special and no unknown token; ``(size,)``."""
    found = vocabulary.surfaces.is_text
    if (unknown := vocabulary.specials.get("unk")) is not None:
        found[unknown] = False
    return found


def aligned(table: torch.Tensor) -> torch.Tensor:
    """The table, copied if its memory is not aligned for vector instructions (as in a mapped file).

    Unaligned memory changes the rounding of last bits, training amplifies that, and the same table must always give the
    same rows.
    """
    return table.clone() if table.data_ptr() % ALIGNMENT else table


def convex_part(mix: Mix) -> Mix:
    """A mixture without its weights of 0 and below, the rest scaled to sum to 1 in each row; empty where none is."""
    rows = np.repeat(np.arange(len(mix)), np.diff(mix.indptr))
    kept = mix.weights > 0
    rows, weights = rows[kept], mix.weights[kept].astype(np.float64)
    scaled = weights / np.bincount(rows, weights, minlength=len(mix))[rows]
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=len(mix))))
    return Mix(indptr.astype(np.int64), mix.indices[kept], scaled.astype(np.float32))


def widened(mix: Mix, extra: npt.NDArray[np.int64], share: float) -> Mix:
    """Let each row use further source rows.

    Args:
        mix: Weights to begin with.
        extra: Further source ids for each row, shape ``(rows, k)``; -1 means none.
        share: The part of a row's weight that the further ids get, in equal parts; the weights of the mix are scaled
            down to the rest. In an empty row they get the whole weight (none where ``share`` is 0).

    Returns:
        The wider mixture, source ids ascending in each row.
    """
    held = np.repeat(np.arange(len(mix)), np.diff(mix.indptr))
    rows = np.concatenate([held, np.repeat(np.arange(len(extra)), extra.shape[1])])
    ids = np.concatenate([mix.indices.astype(np.int64), extra.reshape(-1)])
    old = np.arange(len(ids)) < len(held)
    # Of two entries with the same row and source id the first is kept: the one of the mix.
    order = np.lexsort((~old, ids, rows))
    rows, ids, old, values = rows[order], ids[order], old[order], np.append(mix.weights, np.zeros(extra.size))[order]
    fresh = np.append(True, (np.diff(rows) != 0) | (np.diff(ids) != 0)) & (ids >= 0)
    rows, ids, old, values = rows[fresh], ids[fresh], old[fresh], values[fresh]
    added = np.bincount(rows[~old], minlength=len(mix))
    whole = np.where(np.diff(mix.indptr) > 0, share, float(share > 0))
    kept = np.where(added > 0, 1 - whole, 1.0)
    weights = np.where(old, values * kept[rows], (whole / np.maximum(added, 1))[rows])
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=len(mix))))
    return Mix(indptr.astype(np.int64), ids.astype(np.int32), weights.astype(np.float32))


def steepest(
    gradients: torch.Tensor,
    table: torch.Tensor,
    usable: npt.NDArray[np.int64],
    k: int,
    budget: int,
    *,
    either_way: bool = False,
) -> npt.NDArray[np.int64]:
    """For each row the source rows along which a loss falls fastest: those of the least ``gradient . row``.

    Args:
        gradients: The loss's gradients, ``(rows, hidden)``.
        table: Source rows, ``(source, hidden)``.
        usable: Ids that may be chosen.
        k: How many for each row.
        budget: Bytes for one block.
        either_way: A weight may be negative too, so the greatest ``|gradient . row|`` count.

    Returns:
        Source ids, steepest first, ``(rows, min(k, usable))``.
    """
    import torch

    k = min(k, len(usable))
    barred = torch.ones(len(table), dtype=torch.bool)
    barred[torch.from_numpy(usable)] = False
    found = [np.zeros((0, k), np.int64)]
    for span in row_blocks(len(gradients), 2 * 4 * len(table), budget):
        falls = -(gradients[span] @ table.T)
        falls = (falls.abs_() if either_way else falls).masked_fill_(barred, -torch.inf)
        found.append(falls.topk(k, dim=1).indices.numpy())
    return np.concatenate(found)


def mixed(mix: Mix, weights: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """``rows = W @ table`` with the mixture's ids and other weights, which gradients flow to.

    Args:
        mix: Which source rows.
        weights: One for each entry of the mixture.
        table: float32, ``(source, hidden)``, or the bias, ``(source,)``.

    Returns:
        ``(rows, hidden)``, or ``(rows,)`` for a bias.
    """
    import torch
    from torch.nn.functional import embedding_bag

    ids = torch.from_numpy(mix.indices.astype(np.int64))
    flat = table if table.ndim == 2 else table.unsqueeze(1)
    rows = embedding_bag(
        ids, flat, torch.from_numpy(mix.indptr), mode="sum", per_sample_weights=weights, include_last_offset=True
    )
    return rows if table.ndim == 2 else rows.squeeze(1)


@dataclass(frozen=True, eq=False)
class SparseWeights:
    """``row_n = sum_k w_nk table[c_nk]`` over a few source ids of its own for each row.

    Attributes:
        table: Source rows, float32, ``(source, hidden)``.
        support: The ids c, with the initial weights.
        values: The trained parameters, one for each entry of the support.
    """

    table: torch.Tensor
    support: Mix
    values: torch.Tensor

    @property
    def parameters(self) -> list[torch.Tensor]:
        """The trained parameters."""
        return [self.values]

    def weights(self) -> torch.Tensor:
        """w, shape ``(entries,)``."""
        raise NotImplementedError(f"{type(self).__name__} has no weights()")

    def rows(self, table: torch.Tensor | None = None) -> torch.Tensor:
        """The rows, float32, ``(rows, hidden)``; of another table, or a bias, ``(rows,)``, if given."""
        return mixed(self.support, self.weights(), self.table if table is None else table)

    def mix(self) -> Mix:
        """The current mixture."""
        return Mix(self.support.indptr, self.support.indices, self.weights().detach().numpy().copy())


class FreeWeights(SparseWeights):
    """Weights that are learned as they are, of either sign and any sum."""

    @classmethod
    def of(cls, table: torch.Tensor, support: Mix) -> FreeWeights:
        """Begin at the support's own weights."""
        import torch

        return cls(table, support, torch.from_numpy(support.weights.copy()).requires_grad_())

    def weights(self) -> torch.Tensor:
        """The values themselves."""
        return self.values


class SparseHull(SparseWeights):
    """Convex weights, the softmax of the values within each row."""

    @classmethod
    def of(cls, table: torch.Tensor, support: Mix) -> SparseHull:
        """Begin at the support's own weights, which must be positive and sum to 1."""
        import torch

        return cls(table, support, torch.from_numpy(np.log(support.weights)).requires_grad_())

    def weights(self) -> torch.Tensor:
        """The softmax within each row."""
        import torch

        lengths = torch.from_numpy(np.diff(self.support.indptr))
        owners = torch.arange(len(lengths)).repeat_interleave(lengths)
        none = self.values.new_zeros(len(lengths))
        top = none.scatter_reduce(0, owners, self.values.detach(), "amax", include_self=False)
        raised = (self.values - top[owners]).exp()
        return raised / none.index_add(0, owners, raised)[owners]


@dataclass(frozen=True, eq=False)
class FullHull:
    """``rows = softmax(A1 A2) @ table`` over all usable source rows, A factorized as in Mundra et al. 2024.

    A1 is drawn from N(0, 1 / rank) and A2 is zero, so that every row begins as the mean of the table.

    Attributes:
        table: Source rows, float32, ``(source, hidden)``.
        usable: Ids of those that may be used, int64.
        left: A1, ``(rows, rank)``.
        right: A2, ``(rank, usable)``.
        budget: Bytes for one block of rows.
    """

    table: torch.Tensor
    usable: npt.NDArray[np.int64]
    left: torch.Tensor
    right: torch.Tensor
    budget: int

    @classmethod
    def of(
        cls,
        table: torch.Tensor,
        usable: npt.NDArray[np.int64],
        rows: int,
        *,
        rank: int,
        generator: torch.Generator,
        budget: int,
    ) -> FullHull:
        """Begin at the mean."""
        import torch

        left = torch.randn(rows, rank, generator=generator) / rank**0.5
        right = torch.zeros(rank, len(usable))
        return cls(table, usable, left.requires_grad_(), right.requires_grad_(), budget)

    @property
    def parameters(self) -> list[torch.Tensor]:
        """The trained parameters."""
        return [self.left, self.right]

    def rows(self, table: torch.Tensor | None = None) -> torch.Tensor:
        """The rows, float32, ``(rows, hidden)``; a block's weights are computed again for its gradient.

        Args:
            table: Another table (or the bias, then ``(rows,)``) to mix with the same weights.
        """
        import torch
        from torch.utils.checkpoint import checkpoint

        values = (self.table if table is None else table)[torch.from_numpy(self.usable)]

        def block(left: torch.Tensor) -> torch.Tensor:
            mixed_rows: torch.Tensor = (left @ self.right).softmax(1) @ values
            return mixed_rows

        spans = row_blocks(len(self.left), 4 * 4 * len(values), self.budget)
        blocks = [checkpoint(block, self.left[s], use_reentrant=False, preserve_rng_state=False) for s in spans]
        return torch.cat(blocks) if blocks else torch.zeros(0, *values.shape[1:])


Hull = SparseHull | FullHull
