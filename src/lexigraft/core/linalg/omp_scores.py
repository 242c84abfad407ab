"""Choice of the next atom in matching pursuit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

ENTRIES = 2**23
"""Scores of one block of rows: enough to keep the processor busy, few enough to stay in its caches."""
GROUP = 64
"""Adjacent atoms in one group, whose maximum score is compared before the single scores."""
PART = 256
"""Columns gathered together: rows this short are prefetched, longer ones take up to 1.6 times as long."""
MAX_CANDIDATES = 64
"""A row with more candidates than this is scored without the Gram matrix."""
SHARED, SHARE = 16, 0.02
"""Most shared directions, and the least share of the atoms' squared length that each of them holds."""
GATHER = 6.0
"""Multiply-adds of a matrix product that take as long as gathering one entry of a Gram matrix (measured on CPU)."""
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
        """The part of a memory budget that one block may take."""
        ...

    def begin(self, vectors: torch.Tensor) -> None:
        """Start on a block of unit vectors, ``(rows, dim)``."""
        ...

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The atom not taken whose inner product with the residual is largest in absolute value, ``(rows,)``."""
        ...


def gram_saves_time(rows: int, atoms: int, dim: int, k: int, budget: int) -> bool:
    """Whether scores through the Gram matrix fit half the budget and are faster than multiplying all residuals out."""
    fits = 2 * (atoms + SHARED + _block(atoms, dim, k)) * _columns(atoms) <= budget // 2
    direct = rows * k * dim
    return fits and (atoms / 2 + rows) * dim + rows * k * (k / 2 + 2) * GATHER < direct


def _columns(atoms: int) -> int:
    return -(-atoms // PART) * PART


def _block(atoms: int, dim: int, k: int) -> int:
    """The most rows in a block: their scores and the atoms they take should stay in the processor's caches."""
    return max(32, ENTRIES // max(_columns(atoms), k * dim))


class ExactScores:
    """Multiplies every residual with every atom.

    It takes double precision where late, small residuals matter.
    """

    def __init__(self, atoms: torch.Tensor, k: int) -> None:
        import torch

        self.dtype = torch.float64 if 4 * k > atoms.shape[1] else torch.float32
        self._block = _block(len(atoms), atoms.shape[1], k)
        self.atoms = atoms.to(self.dtype)
        width = 8 if self.dtype is torch.float64 else 4
        # Scores with a copy for the matrix product's transposes, the picked atoms with a copy, the Cholesky factors.
        self.bytes_per_row = width * (2 * len(atoms) + 3 * k * atoms.shape[1]) + 24 * k * k

    def budget(self, budget: int) -> int:
        """All of it, but no more than keeps a block in the processor's caches."""
        return min(budget, self.bytes_per_row * self._block)

    def begin(self, vectors: torch.Tensor) -> None:
        """Nothing to prepare."""

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """See :class:`Scores`."""
        return (residual @ self.atoms.T).abs_().scatter_(1, taken, -1).argmax(1)


class GramScores:
    """Batch OMP (Rubinstein, Zibulevsky & Elad 2008): ``<r, a> = <v, a> - sum_j c_j G[j, a]``, from a Gram matrix.

    The matrix and the scores are held in half precision, which halves the memory and the time; they only choose
    candidates. With ``u = 2^-11``, a stored number, its factor and the result are each off by at most a factor
    ``1 + u``, so a score is off by less than ``e = 2u (max|<v, a>| + sum_j |c_j| max_a |G[j, a]|) + u |score|``. Every
    atom within ``2e`` of the best is a candidate, and candidates are compared by exact inner products.

    Two things keep e small beside the scores. Directions that most atoms share, such as their mean, are projected out:
    G and ``<v, a>`` are computed without them, and each adds one more term, the residual's coordinate times the atoms'
    coordinates, which is as small as the residual. And a row with too many candidates is scored exactly once and
    restarts from there: its residual replaces v, and the changes of c since then replace c.
    """

    def __init__(self, atoms: torch.Tensor, k: int, budget: int, max_candidates: int = MAX_CANDIDATES) -> None:
        import torch

        self._max_candidates = max_candidates
        self.dtype, self.atoms, self._block = torch.float32, atoms, _block(len(atoms), atoms.shape[1], k)
        count, columns = len(atoms), _columns(len(atoms))
        self.bytes_per_row = 4 * count + 2 * 2 * columns + 4 * 3 * k * atoms.shape[1] + 24 * k * k
        self._shared = _shared_directions(atoms)
        self._along = atoms @ self._shared
        rest = atoms - self._along @ self._shared.T
        self._above = count + self._along.shape[1]
        self._table = torch.empty(self._above + self._block, columns, dtype=torch.float16)
        self._table[:, count:] = 0
        self._table[count : self._above, :count] = self._along.T
        self._reach = torch.cat([torch.zeros(count), self._along.abs().amax(0)])
        step = max(1, min(2048, budget // 4 // (6 * count)))
        for start in range(0, count, step):
            # Symmetric: from the diagonal on, and mirrored. Its diagonal is never read: those atoms are taken.
            rows, right = slice(start, min(start + step, count)), slice(start, count)
            block = (rest[rows] @ rest[right].T).half()
            block.diagonal().zero_()
            self._table[rows, right] = block
            self._table[rows.stop : count, rows] = block[:, rows.stop - start :].T
            sizes = block.view(torch.int16).bitwise_and_(0x7FFF)
            self._reach[rows] = torch.maximum(self._reach[rows], _as_float(sizes.amax(1)))
            self._reach[right] = torch.maximum(self._reach[right], _as_float(sizes.amax(0)))

    def budget(self, budget: int) -> int:
        """The half that the Gram matrix leaves, but no more than the rows allocated below it need."""
        return min(budget // 2, self.bytes_per_row * self._block)

    def begin(self, vectors: torch.Tensor) -> None:
        """Store the inner products with the vectors themselves below the Gram matrix, as one more row to gather."""
        import torch

        self._start = torch.arange(self._above, self._above + len(vectors))[:, None]
        self._start_weights = torch.zeros(len(vectors), 0, dtype=torch.float64)
        self._start_reach = torch.zeros(len(vectors))
        self._shared_rows = torch.arange(len(self.atoms), self._above).expand(len(vectors), -1)
        self._start_from(slice(None), (vectors - vectors @ self._shared @ self._shared.T) @ self.atoms.T)

    def _start_from(self, rows: torch.Tensor | slice, products: torch.Tensor) -> None:
        """Store inner products without the shared directions, ``(rows, atoms)``, which are overwritten."""
        self._table[self._start[rows, 0], : len(self.atoms)] = products.half()
        self._start_reach[rows] = products.abs_().amax(1)

    def strongest(self, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """See :class:`Scores`."""
        import torch

        new = weights.shape[1] - self._start_weights.shape[1]
        self._start_weights = torch.nn.functional.pad(self._start_weights, (0, new))
        positions = torch.cat([taken, self._shared_rows], 1)
        factors = torch.cat([(self._start_weights - weights).float(), residual @ self._shared], 1).half()
        scores = self._sums(torch.cat([self._start, positions], 1), torch.nn.functional.pad(factors, (1, 0), value=1.0))
        # Without their sign, halves are ordered as the integers with the same bits are.
        bits = scores.view(torch.int16).bitwise_and_(0x7FFF).scatter_(1, taken, 0).view(len(residual), -1, GROUP)
        peaks = bits.amax(2)
        best = _as_float(peaks.amax(1))
        sizes = factors.float().abs_()
        error = ROUNDING * (2 * self._start_reach + 2 * (sizes * self._reach[positions]).sum(1) + best)
        # Numbers too small for half precision, and the rounding of single precision, add no more than this.
        error += 2.0**-18 * (1 + sizes.sum(1))
        least = best - 2 * error
        sure = least > 0
        bound = torch.where(sure, least, torch.inf).half().view(torch.int16) - 1
        rows, groups = (peaks >= bound[:, None]).nonzero(as_tuple=True)
        hits, members = (bits[rows, groups] >= bound[rows, None]).nonzero(as_tuple=True)
        rows, atoms = rows[hits], groups[hits] * GROUP + members
        sure &= rows.bincount(minlength=len(residual)) <= self._max_candidates
        best_atoms = self._best_of(residual, rows[sure[rows]], atoms[sure[rows]])
        crowded = (~sure).nonzero().squeeze(1)
        if len(crowded):
            best_atoms[crowded] = self._restarted(crowded, residual[crowded], taken[crowded], weights[crowded])
        return best_atoms

    def _sums(self, positions: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """For each row the sum of some rows of the table times their factors, half precision, ``(rows, columns)``."""
        import torch

        parts = torch.arange(self._table.shape[1] // PART)[:, None]
        sums = torch.nn.functional.embedding_bag(
            (positions[:, None] * len(parts) + parts).flatten(0, 1),
            self._table.view(-1, PART),
            per_sample_weights=factors[:, None].expand(-1, len(parts), -1).flatten(0, 1),
            mode="sum",
        )
        return sums.view(len(positions), -1)

    def _best_of(self, residual: torch.Tensor, rows: torch.Tensor, atoms: torch.Tensor) -> torch.Tensor:
        """The best candidate of each row by exact inner products; the first on ties."""
        import torch

        products = (residual[rows] * self.atoms[atoms]).sum(1).abs_()
        top = torch.zeros(len(residual)).scatter_reduce_(0, rows, products, "amax")
        best = torch.full((len(residual),), len(self.atoms))
        winners = products == top[rows]
        return best.scatter_reduce_(0, rows[winners], atoms[winners], "amin")

    def _restarted(
        self, rows: torch.Tensor, residual: torch.Tensor, taken: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """The best of all atoms by exact inner products, from which these rows restart."""
        products = residual @ self.atoms.T
        best = products.abs().scatter_(1, taken, -1).argmax(1)
        self._start_weights[rows] = weights
        self._start_from(rows, products - residual @ self._shared @ self._along.T)
        return best


def _as_float(bits: torch.Tensor) -> torch.Tensor:
    """Halves, given as the integers with the same bits, in single precision."""
    import torch

    return bits.view(torch.float16).float()


def _shared_directions(atoms: torch.Tensor) -> torch.Tensor:
    """Orthonormal directions that each carry a good part of all atoms' squared length, ``(dim, few or none)``."""
    import torch

    basis = atoms[: min(SHARED, *atoms.shape)].T
    for _ in range(4):
        basis = torch.linalg.qr(atoms.T @ (atoms @ basis)).Q
    along = atoms @ basis
    energy, axes = torch.linalg.eigh(along.T @ along)
    return basis @ axes[:, energy > SHARE * (atoms * atoms).sum()]
