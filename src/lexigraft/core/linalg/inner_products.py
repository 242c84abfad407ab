"""Inner products of many queries with many anchors by tiles: bounds of all of them, exact values where they matter."""

from __future__ import annotations

import threading
import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


GROUP = 32
"""Neighbouring columns whose largest product is looked at first."""

TILE_COLUMNS = 2**13
"""Wider tiles are not faster, and what is done with their products finds less of them in the cache."""

NARROW = 0.01
"""How far apart, as a share of the vectors' lengths, bounds and products may be on average for bounds to pay."""

ENOUGH, SAMPLE = 256, 2**13
"""Pairs for each vector from which on it pays to look for bounds; of how many vectors a side is known well enough."""

ROUNDING, BOUND_ROUNDING = 1e-6, 1e-5

SHORTEST = 1e-12
"""What the length of a vector counts as at least where it divides: zeros have a direction nowhere."""


class Products:
    """``queries @ anchors.T + offsets``, of which a tile holds upper bounds that are seldom far from the values.

    Where few directions hold nearly all of the vectors' length, as they do of static vectors learned from little text,
    a bound is the product in the leading principal directions plus the product of the lengths that are left, by Cauchy
    and Schwarz: a matrix product of a fraction of the work. Elsewhere the bounds are the products themselves.

    Source: Li, Chan, Yiu & Mamoulis, "FEXIPRO: Fast and Exact Inner Product Retrieval in Recommender Systems", SIGMOD
    2017; here as matrix products over all pairs.

    Args:
        queries: float32, ``(rows, dim)``.
        anchors: float32, ``(columns, dim)``.
        offsets: What is added to every product with an anchor, ``(columns,)``; such products are not bounded.
        temperature: Where given, vectors count by their direction alone: the products are cosines over it. No copy of
            the vectors is made for that.

    Attributes:
        columns: How many anchors there are.
        slack: What rounding may add to a product of each row, ``(rows, 1)``.
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
            self._left, self._right = (_Side(side.with_rest(basis)) for side in sides)
            _take_sparse_warning()
            self._rests = group_maxima(_padded(self._right.vectors[:, -1][None], 0.0))
        self._memory = threading.local()

    def tile(self, rows: slice, columns: slice) -> torch.Tensor:
        """Upper bounds of a tile, ``(rows, width)``; the same thread's next tile takes their place.

        The width is a multiple of 32; beyond the last anchor lies minus infinity.
        """
        import torch

        left, right = self._left[rows], self._right[columns]
        width = -(-len(right) // GROUP) * GROUP
        if len(getattr(self._memory, "values", ())) < len(left) * width:
            self._memory.values = left.new_empty(len(left) * width)
        found = self._memory.values[: len(left) * width].view(len(left), width)
        found[:, len(right) :] = -torch.inf
        if self._offsets is None:
            torch.mm(left, right.T, out=found[:, : len(right)])
        else:
            torch.addmm(self._offsets[columns], left, right.T, out=found[:, : len(right)])
        return found

    def below(self, rows: slice, maxima: torch.Tensor, start: int) -> torch.Tensor:
        """What the largest product of each group is at least.

        Args:
            rows: The rows of a tile.
            maxima: Its :func:`group_maxima`, ``(rows, groups)``.
            start: Its first column.
        """
        if not self.bounded:
            return maxima
        first = start // GROUP
        return maxima - 2 * self._left.vectors[rows, -1:] * self._rests[:, first : first + maxima.shape[1]]

    def exact(self, start: int, rows: torch.Tensor, columns: torch.Tensor, bounds: torch.Tensor) -> torch.Tensor:
        """The products themselves of some pairs whose bounds are known.

        Args:
            start: The first row of the tile that they came from.
            rows: Counted from there, ascending, ``(pairs,)``.
            columns: Ascending within each row, ``(pairs,)``.
            bounds: ``(pairs,)``.
        """
        if not self.bounded or not len(rows):
            return bounds
        import torch

        count = int(rows[-1]) + 1
        pointers = torch.cat([rows.new_zeros(1), rows.bincount(minlength=count).cumsum(0)])
        shape, zeros = (count, self.columns), torch.zeros_like(bounds)
        at = torch.sparse_csr_tensor(pointers, columns, zeros, shape, check_invariants=False)
        part = self._queries[start : start + count]
        found = torch.sparse.sampled_addmm(at, part, self._anchors.vectors.T, beta=0).values()
        return found if self._anchors.divisors is None else found.div_(self._anchors.divisors[columns, 0])


class _Side:
    """Vectors, divided by their length times a factor where one is given: whenever a part of them is asked for."""

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

    def with_rest(self, basis: torch.Tensor) -> torch.Tensor:
        """Coordinates in the leading directions, and the length of what they leave out, or that rounding may hide."""
        found = self.vectors.new_empty(len(self), basis.shape[1] + 1)
        leading = found[:, :-1]
        leading.copy_(self.vectors @ basis)
        if self.divisors is not None:
            leading /= self.divisors
        rest = (1 + ROUNDING) * self.lengths.square() - leading.square().sum(1, keepdim=True)
        found[:, -1:] = rest.clamp_min_(0).sqrt_()
        return found


@cache
def _take_sparse_warning() -> None:
    """Have torch say now, to nobody, what it says once of sparse matrices: which warnings count is no thread's own."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)
        torch.eye(1).to_sparse_csr()


def group_maxima(scores: torch.Tensor) -> torch.Tensor:
    """The largest of each 32 neighbouring columns, ``(rows, groups)``, of scores ``(rows, 32 * groups)``."""
    return scores.unflatten(1, (-1, GROUP)).amax(2)


def _padded(scores: torch.Tensor, value: float) -> torch.Tensor:
    import torch

    return torch.nn.functional.pad(scores, (0, -scores.shape[1] % GROUP), value=value)


def _leading_directions(queries: _Side, anchors: _Side) -> torch.Tensor | None:
    """The fewest principal directions, ``(dim, depth)``, for narrow bounds; ``None`` where bounds would not pay."""
    import torch

    dim = queries.vectors.shape[1]
    if len(queries) * len(anchors) < ENOUGH * (len(queries) + len(anchors)):
        return None
    some = (side[:: len(side) // SAMPLE + 1] for side in (queries, anchors))
    moments = torch.stack([(v.T @ v).double() for v in some])
    totals = moments.diagonal(dim1=1, dim2=2).sum(1)
    if not bool((totals.isfinite() & (totals > 0)).all()):
        return None
    moments /= totals[:, None, None]
    directions = torch.linalg.eigh(moments.sum(0)).eigenvectors.flip(1)
    shares = torch.einsum("id,sij,jd->sd", directions, moments, directions)
    rests = (1 - shares.cumsum(1)).clamp_min(0)
    depth = int((rests.prod(0).sqrt() > NARROW).sum()) + 1
    depth = -(-(depth + 1) // 8) * 8 - 1  # with the rest, a multiple of 8
    return directions[:, :depth].float() if 2 * (depth + 1) <= dim else None
