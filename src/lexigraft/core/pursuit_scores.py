"""Which atom has the largest inner product with a residual: the work of a matching pursuit, two exact ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

ENTRIES = 2**22
"""Scores of one block of rows: enough to keep the processor busy, few enough to stay near it."""
GROUP = 64
"""Atoms whose largest score is looked at together."""
CROWD = 64
"""A row with more candidates than this is scored without the Gram matrix."""
GATHER = 7.0
"""Multiply-adds of a matrix product in the time that one entry of the Gram matrix takes to gather (measured on CPU)."""
ROUNDING = 2.0**-11
"""Relative rounding of half precision."""


class Scores(Protocol):
    """Finds the best atom of each row of a block.

    Attributes:
        atoms: The atoms, ``(atoms, dim)``, none longer than 1, in the precision of the pursuit.
        bytes_per_row: Working memory of one row of a block.
    """

    atoms: torch.Tensor
    bytes_per_row: int

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the pursuit works in."""
        ...

    def budget(self, budget: int) -> int:
        """What is left of a budget for one block."""
        ...

    def begin(self, vectors: torch.Tensor) -> None:
        """Start on a block of unit vectors, ``(rows, dim)``."""
        ...

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The atom not taken whose inner product with the residual is largest in absolute value, ``(rows,)``."""
        ...


def gram_pays(rows: int, atoms: int, dim: int, k: int, budget: int) -> bool:
    """Whether scores through the Gram matrix fit half the budget and are faster than multiplying all residuals out."""
    fits = 2 * (atoms + ENTRIES // max(atoms, 1)) * (atoms + GROUP) <= budget // 2
    direct = rows * k * dim
    return fits and (atoms / 2 + rows) * dim + rows * k * (k / 2 + 2) * GATHER < direct


class ExactScores:
    """Multiplies every residual with every atom; double precision where late, small residuals matter."""

    def __init__(self, atoms: torch.Tensor, k: int) -> None:
        import torch

        self.dtype = torch.float64 if 4 * k > atoms.shape[1] else torch.float32
        self.atoms = atoms.to(self.dtype)
        width = 8 if self.dtype is torch.float64 else 4
        # Scores with a copy for the matrix product's transposes, the picked atoms with a copy, the Cholesky factors.
        self.bytes_per_row = width * (2 * len(atoms) + 2 * k * atoms.shape[1]) + 24 * k * k

    def budget(self, budget: int) -> int:
        """All of it, but no more than keeps a block near the processor."""
        return min(budget, self.bytes_per_row * max(64, ENTRIES // len(self.atoms)))

    def begin(self, vectors: torch.Tensor) -> None:
        """Nothing to prepare."""

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """See :class:`Scores`."""
        return (residual @ self.atoms.T).abs_().scatter_(1, taken, -1).argmax(1)


class GramScores:
    """Batch OMP (Rubinstein, Zibulevsky & Elad 2008): ``<r, a> = <v, a> - sum_j c_j G[j, a]``, from a Gram matrix.

    The matrix and the scores are held in half precision, which halves the memory and the time; they only choose
    candidates. With ``u = 2^-11``, what is stored, the weights and the result are each off by a factor of at most
    ``1 + u``, so a score is off by less than ``e = 2u (max|<v, a>| + sum_j |c_j| max_a |G[j, a]|) + u |score|``. Every
    atom within ``2e`` of the best is a candidate, and candidates are compared by exact inner products.
    """

    def __init__(self, atoms: torch.Tensor, k: int, budget: int) -> None:
        import torch

        self.dtype, self.atoms = torch.float32, atoms
        count, self._spare = len(atoms), max(64, ENTRIES // len(atoms))
        self._columns = -(-count // GROUP) * GROUP
        self.bytes_per_row = 4 * count + 2 * 2 * self._columns + 4 * 2 * k * atoms.shape[1] + 24 * k * k
        self._table = torch.zeros(count + self._spare, self._columns, dtype=torch.float16)
        self._reach = torch.zeros(count)
        step = max(1, min(2048, budget // 4 // (6 * count)))
        for start in range(0, count, step):
            # Symmetric: from the diagonal on, and mirrored. Its diagonal is never read: those atoms are taken.
            rows = slice(start, min(start + step, count))
            block = (atoms[rows] @ atoms[start:].T).half()
            block.diagonal().zero_()
            self._table[rows, start:count] = block
            self._table[rows.stop : count, rows] = block[:, rows.stop - start :].T
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            self._reach[rows] = self._table[rows].float().abs_().amax(1)

    def budget(self, budget: int) -> int:
        """The half that the Gram matrix leaves, but no more rows than there is room for beside it."""
        return min(budget // 2, self.bytes_per_row * self._spare)

    def begin(self, vectors: torch.Tensor) -> None:
        """Put the inner products with the vectors themselves below the Gram matrix: one more row to gather."""
        import torch

        count = len(self.atoms)
        first = vectors @ self.atoms.T
        self._table[count : count + len(vectors), :count] = first
        self._first = torch.arange(count, count + len(vectors))[:, None]
        self._first_reach = first.abs_().amax(1)

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """See :class:`Scores`."""
        import torch

        factors = torch.cat([torch.ones(len(residual), 1), -weights.float()], 1).half()
        scores = torch.nn.functional.embedding_bag(
            torch.cat([self._first, taken], 1), self._table, per_sample_weights=factors, mode="sum"
        )
        # Without their sign, halves are ordered as the integers with the same bits are.
        bits = scores.view(torch.int16).bitwise_and_(0x7FFF).scatter_(1, taken, 0).view(len(residual), -1, GROUP)
        peaks = bits.amax(2)
        best = peaks.amax(1).view(torch.float16).float()
        sizes = factors[:, 1:].float().abs()
        reach = 2 * ROUNDING * (self._first_reach + (sizes * self._reach[taken]).sum(1))
        # Numbers too small for half precision, and the rounding of single precision, add no more than this.
        reach += ROUNDING * best + 2.0**-18 * (1 + sizes.sum(1))
        least = best - 2 * reach
        sure = least > 0
        bound = torch.where(sure, least, torch.inf).half().view(torch.int16) - 1
        rows, groups = (peaks >= bound[:, None]).nonzero(as_tuple=True)
        places, members = (bits[rows, groups] >= bound[rows, None]).nonzero(as_tuple=True)
        rows, atoms = rows[places], groups[places] * GROUP + members
        return self._exactly(residual, taken, rows, atoms, sure)

    def _exactly(
        self, residual: torch.Tensor, taken: torch.Tensor, rows: torch.Tensor, atoms: torch.Tensor, sure: torch.Tensor
    ) -> torch.Tensor:
        """The best candidate of each row by exact inner products; all atoms where there are too many candidates."""
        import torch

        sure = sure & (rows.bincount(minlength=len(residual)) <= CROWD)
        rows, atoms = rows[sure[rows]], atoms[sure[rows]]
        products = (residual[rows] * self.atoms[atoms]).sum(1).abs_()
        top = torch.zeros(len(residual)).scatter_reduce_(0, rows, products, "amax")
        best = torch.full((len(residual),), len(self.atoms))
        winners = products == top[rows]
        best.scatter_reduce_(0, rows[winners], atoms[winners], "amin")
        open_rows = (~sure).nonzero().squeeze(1)
        if len(open_rows):
            products = (residual[open_rows] @ self.atoms.T).abs_().scatter_(1, taken[open_rows], -1)
            best[open_rows] = products.argmax(1)
        return best
