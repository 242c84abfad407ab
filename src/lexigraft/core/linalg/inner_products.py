"""Inner products of queries with anchors, in tiles."""

from __future__ import annotations

import threading
import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


GROUP = 32
"""Adjacent columns in one group, whose maximum is compared before the single products."""

TILE_COLUMNS = 2**13
"""Wider tiles are not faster, and fewer of their products are still in the cache when they are used."""

MEAN_GAP = 0.01
"""Largest mean gap between bounds and products, as a share of the vectors' lengths, at which bounds save time."""

MIN_PAIRS, SAMPLE = 256, 2**13
"""Pairs per vector from which on bounds save time; vectors of each side that are sampled to find the directions."""

ROUNDING, BOUND_ROUNDING = 1e-6, 1e-5

SHORTEST = 1e-12
"""Smallest length that a vector is divided by: zero vectors stay zero."""


class Products:
    """The matrix ``queries @ anchors.T + offsets`` in tiles of upper bounds, most of them close to the values.

    Where a few principal directions hold nearly all of the vectors' length, as in static vectors learned from little
    text, a bound is the product in these directions plus the product of the residual lengths (Cauchy-Schwarz): a matrix
    product of a fraction of the cost. Elsewhere the bounds are the products themselves.

    Source: Li, Chan, Yiu & Mamoulis, "FEXIPRO: Fast and Exact Inner Product Retrieval in Recommender Systems", SIGMOD
    2017; here as matrix products over all pairs.

    Args:
        queries: float32, ``(rows, dim)``.
        anchors: float32, ``(columns, dim)``.
        offsets: Added to every product with an anchor, ``(columns,)``; a tile then holds the products themselves.
        temperature: Where given, the products are cosines divided by it. Vectors are normalized slice by slice, which
            needs no copy of all of them.

    Attributes:
        columns: Number of anchors.
        slack: How much rounding may add to a product of each row, ``(rows, 1)``.
    """

    def __init__(
        self,
        queries: torch.Tensor,
        anchors: torch.Tensor,
        offsets: torch.Tensor | None = None,
        *,
        temperature: float | None = None,
    ) -> None:
        self._offsets, self.columns = offsets, len(anchors)
        self._queries, self._anchors = (
            _Side(v, None if temperature is None else factor) for v, factor in ((queries, temperature), (anchors, 1.0))
        )
        sides = self._queries, self._anchors
        basis = _leading_directions(*sides) if offsets is None else None
        self.bounded = basis is not None
        longest = self._anchors.lengths.amax() if self.columns else queries.new_zeros(())
        self.slack = (BOUND_ROUNDING if self.bounded else ROUNDING) * self._queries.lengths * longest
        self._left, self._right = sides
        if basis is not None:
            self._left, self._right = (_Side(side.with_residual(basis)) for side in sides)
            _trigger_sparse_warning()
            self._residuals = group_maxima(_padded(self._right.vectors[:, -1][None], 0.0))
        self._memory = threading.local()

    def tile(self, rows: slice, columns: slice) -> torch.Tensor:
        """Upper bounds of a tile, ``(rows, width)``; the same thread's next tile overwrites them.

        The width is a multiple of 32; columns beyond the last anchor hold minus infinity.
        """
        import torch

        left, right = self._left[rows], self._right[columns]
        width = -(-len(right) // GROUP) * GROUP
        if len(getattr(self._memory, "values", ())) < len(left) * width:
            self._memory.values = left.new_empty(len(left) * width)
        bounds = self._memory.values[: len(left) * width].view(len(left), width)
        bounds[:, len(right) :] = -torch.inf
        if self._offsets is None:
            torch.mm(left, right.T, out=bounds[:, : len(right)])
        else:
            torch.addmm(self._offsets[columns], left, right.T, out=bounds[:, : len(right)])
        return bounds

    def group_lower_bounds(self, rows: slice, maxima: torch.Tensor, start: int) -> torch.Tensor:
        """Lower bounds of the largest product of each group.

        Args:
            rows: The rows of a tile.
            maxima: Its :func:`group_maxima`, ``(rows, groups)``.
            start: Its first column.
        """
        if not self.bounded:
            return maxima
        first = start // GROUP
        return maxima - 2 * self._left.vectors[rows, -1:] * self._residuals[:, first : first + maxima.shape[1]]

    def exact(self, start: int, rows: torch.Tensor, columns: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
        """Exact products of some pairs.

        Args:
            start: The first row of the tile that they came from.
            rows: Rows of the pairs, counted from ``start``, ascending, ``(pairs,)``.
            columns: Columns of the pairs, ascending within each row, ``(pairs,)``.
            bounds: Their bounds in the tile, ``(pairs,)``.
        """
        if not self.bounded or not len(rows):
            return bounds
        import torch

        count = int(rows[-1]) + 1
        pointers = torch.cat([rows.new_zeros(1), rows.bincount(minlength=count).cumsum(0)])
        shape, zeros = (count, self.columns), torch.zeros_like(bounds)
        pattern = torch.sparse_csr_tensor(pointers, columns, zeros, shape, check_invariants=False)
        part = self._queries[start : start + count]
        products = torch.sparse.sampled_addmm(pattern, part, self._anchors.vectors.T, beta=0).values()
        return products if self._anchors.divisors is None else products.div_(self._anchors.divisors[columns, 0])


class _Side:
    """Queries or anchors; with a factor, a slice of them is divided by the vectors' lengths times the factor."""

    def __init__(self, vectors: torch.Tensor, factor: float | None = None) -> None:
        self.vectors, self.divisors = vectors, None
        self.lengths = vectors.norm(dim=1, keepdim=True)
        if factor is not None:
            self.divisors = self.lengths.clamp_min(SHORTEST) * factor
            self.lengths = self.lengths / self.divisors

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, span: slice) -> torch.Tensor:
        return self.vectors[span] if self.divisors is None else self.vectors[span] / self.divisors[span]

    def with_residual(self, basis: torch.Tensor) -> torch.Tensor:
        """Coordinates in the leading directions, then an upper bound of the residual length, rounding included."""
        coordinates = self.vectors.new_empty(len(self), basis.shape[1] + 1)
        leading = coordinates[:, :-1]
        leading.copy_(self.vectors @ basis)
        if self.divisors is not None:
            leading /= self.divisors
        residual = (1 + ROUNDING) * self.lengths.square() - leading.square().sum(1, keepdim=True)
        coordinates[:, -1:] = residual.clamp_min_(0).sqrt_()
        return coordinates


@cache
def _trigger_sparse_warning() -> None:
    """Trigger torch's one-time sparse CSR warning here, suppressed: warning filters are per process, not per thread."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)
        torch.eye(1).to_sparse_csr()


def group_maxima(scores: torch.Tensor) -> torch.Tensor:
    """The maximum of each 32 adjacent columns, ``(rows, groups)``, of scores ``(rows, 32 * groups)``."""
    return scores.unflatten(1, (-1, GROUP)).amax(2)


def _padded(scores: torch.Tensor, value: float) -> torch.Tensor:
    import torch

    return torch.nn.functional.pad(scores, (0, -scores.shape[1] % GROUP), value=value)


def _leading_directions(queries: _Side, anchors: _Side) -> torch.Tensor | None:
    """The fewest principal directions that give close bounds, ``(dim, depth)``; ``None`` where bounds save no time."""
    import torch

    dim = queries.vectors.shape[1]
    if len(queries) * len(anchors) < MIN_PAIRS * (len(queries) + len(anchors)):
        return None
    samples = (side[:: len(side) // SAMPLE + 1] for side in (queries, anchors))
    moments = torch.stack([(v.T @ v).double() for v in samples])
    totals = moments.diagonal(dim1=1, dim2=2).sum(1)
    if not bool((totals.isfinite() & (totals > 0)).all()):
        return None
    moments /= totals[:, None, None]
    directions = torch.linalg.eigh(moments.sum(0)).eigenvectors.flip(1)
    shares = torch.einsum("id,sij,jd->sd", directions, moments, directions)
    residuals = (1 - shares.cumsum(1)).clamp_min(0)
    depth = int((residuals.prod(0).sqrt() > MEAN_GAP).sum()) + 1
    depth = -(-(depth + 1) // 8) * 8 - 1  # with the residual, a multiple of 8
    return directions[:, :depth].float() if 2 * (depth + 1) <= dim else None
