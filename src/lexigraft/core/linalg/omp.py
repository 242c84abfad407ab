"""Batched orthogonal matching pursuit (OMP)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lexigraft.core.linalg.blocks import row_blocks
from lexigraft.core.linalg.omp_scores import MAX_CANDIDATES, ExactScores, GramScores, Scores, gram_saves_time

if TYPE_CHECKING:
    import torch

VANISHED = 1e-5
"""Length of a residual, relative to its vector, below which it is rounding error."""
DEPENDENT = 1e-3
"""Sine of the angle to the span of the atoms already taken below which an atom counts as dependent on them."""


class Pursued(NamedTuple):
    """Atoms taken, in order, ``(rows, k)``, and their coefficients, float32; ``-1`` and 0 where a row ended early."""

    atoms: torch.Tensor
    coefficients: torch.Tensor


def pursue(
    vectors: torch.Tensor,
    atoms: torch.Tensor,
    k: int,
    *,
    budget: int,
    gram: bool | None = None,
    max_candidates: int = MAX_CANDIDATES,
) -> Pursued:
    """Take, k times, the atom with the largest inner product with the residual, and refit all coefficients.

    ``a_t = argmax |<r, a>|``, ``c = argmin ||v - sum_j c_j a_j||``, ``r = v - sum_j c_j a_j`` (Pati, Rezaiifar &
    Krishnaprasad 1993). Atoms are not normalized. The fit grows one atom at a time by the inverse of a Cholesky factor,
    in double precision. The inner products with all atoms, nearly all of the work, come from `omp_scores`. A row
    ends when its residual vanishes, when no atom is left, and before an atom that the ones taken already span; a vector
    of zeros takes none.

    Args:
        vectors: float32, shape ``(rows, dim)``.
        atoms: float32, shape ``(atoms, dim)``.
        k: The most atoms that a row takes.
        budget: Bytes of working memory, beside the inputs, copies of the atoms, and the answer.
        gram: Whether inner products come from a Gram matrix; by default where that fits the budget and saves time.
        max_candidates: With a Gram matrix: a row with more candidates than this is scored without it.

    Returns:
        Which atoms, and with which coefficients.
    """
    import torch

    k = min(k, len(atoms))
    taken = torch.full((len(vectors), k), -1, dtype=torch.int64)
    coefficients = torch.zeros(len(vectors), k)
    lengths, longest = vectors.norm(dim=1), atoms.norm(dim=1).max() if len(atoms) else torch.zeros(())
    open_rows = (lengths > 0).nonzero().squeeze(1)
    if not k or not len(open_rows) or not float(longest):
        return Pursued(taken, coefficients)
    # Unit vectors and atoms of at most unit length: no tolerance below depends on the units of the tables.
    scaled = atoms / longest
    if gram is None:
        gram = gram_saves_time(len(open_rows), len(atoms), atoms.shape[1], k, budget)
    scores: Scores = GramScores(scaled, k, budget, max_candidates) if gram else ExactScores(scaled, k)
    for span in row_blocks(len(open_rows), scores.bytes_per_row, scores.budget(budget)):
        rows = open_rows[span]
        ids, weights = _pursue_block((vectors[rows] / lengths[rows, None]).to(scores.dtype), scores, k)
        taken[rows] = ids
        coefficients[rows] = (weights * (lengths[rows, None].double() / longest)).float()
    return Pursued(taken, coefficients)


def _pursue_block(vectors: torch.Tensor, scores: Scores, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pursue unit vectors together; a row that has ended stays in the block without effect."""
    import torch

    size = len(vectors)
    ids = torch.zeros(size, k, dtype=torch.int64)
    weights = torch.zeros(size, k, dtype=torch.float64)
    counts = torch.zeros(size, dtype=torch.int64)
    # The inverse of the Cholesky factor of the taken atoms' Gram matrix, not the factor: batched products are faster
    # than batched triangular solves, and the refinement restores the lost digits.
    inverse = torch.eye(k, dtype=torch.float64).repeat(size, 1, 1)
    projections = torch.zeros(size, k, 1, dtype=torch.float64)
    picked = torch.zeros(size, k, vectors.shape[1], dtype=vectors.dtype)
    residual, active = vectors, torch.ones(size, dtype=torch.bool)
    scores.begin(vectors)
    for t in range(k):
        best = scores.strongest(residual, ids[:, :t], weights[:, :t])
        atom = scores.atoms[best]
        squared = (atom * atom).sum(1).double()
        # A row vector times a matrix: a matrix times a column vector is ten times slower.
        overlaps = (atom[:, None] @ picked[:, :t].mT).mT.double()
        row = inverse[:, :t, :t] @ overlaps
        height = squared - (row * row).sum((1, 2))
        along = (atom * residual).sum(1).double()
        active &= (height > DEPENDENT**2 * squared) & (along != 0)
        if not bool(active.any()):
            break
        height = torch.where(active, height, 1).sqrt()
        ids[:, t], picked[:, t] = best, atom
        inverse[:, t, :t] = -(row.mT @ inverse[:, :t, :t])[:, 0] / height[:, None] * active[:, None]
        inverse[:, t, t] = 1 / height
        projections[:, t, 0] = torch.where(active, along / height, 0)
        counts += active
        weights[:, : t + 1] = (inverse[:, : t + 1, : t + 1].mT @ projections[:, : t + 1])[:, :, 0]
        residual = vectors - (weights[:, None, : t + 1].to(vectors.dtype) @ picked[:, : t + 1])[:, 0]
        active &= residual.norm(dim=1) > VANISHED
    unused = torch.arange(k) >= counts[:, None]
    weights = _refitted(vectors, picked.masked_fill_(unused[:, :, None], 0), inverse, weights)
    return ids.masked_fill(unused, -1), weights.masked_fill(unused, 0)


def _refitted(
    vectors: torch.Tensor, picked: torch.Tensor, inverse: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """One step of iterative refinement of the least squares, with the residual in double precision."""
    import torch

    refined = torch.empty_like(weights)
    for span in row_blocks(len(vectors), 8 * picked[0].numel(), 2**24):
        atoms = picked[span].double()
        left = vectors[span, None].double() - weights[span, None] @ atoms
        refined[span] = weights[span] + (inverse[span].mT @ (inverse[span] @ (left @ atoms.mT).mT))[:, :, 0]
    return refined
