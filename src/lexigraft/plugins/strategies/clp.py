"""CLP-Transfer: similarity-weighted mean of all shared tokens' rows, with similarity in a donor's embedding space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.nearest import unit_rows
from lexigraft.core.methods.donor import DonorRows, rows_by_role
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

CANCELLED = 1e-3


@dataclass(frozen=True)
class Clp(Strategy):
    """Each new row is the mean of all shared tokens' rows, weighted by cosine in a donor's embedding space.

    ``w = c / sum(c)``, ``c = cos(D_new, D_anchor)``, ``row = sum_a w_a E_source[match(a)]``. The sum runs over every
    matched text token that has a donor row, as ``row = u (A^T E) / (u A^T 1)`` with u the new token's unit donor row
    and A the anchors': no array of new tokens times anchors. Cosines may be negative. Where they cancel (mean over root
    mean square below 0.001, in any table) the weights are meaningless and the token stays uncovered. The output table
    is mixed by the donor's head, or by its input table when the donor is tied; a head bias gets the anchors' mean.

    Source: Ostendorff & Rehm, "Efficient Language Model Training through Cross-Lingual and Progressive Transfer
    Learning", arXiv 2301.09626.
    Needs: a donor model that already uses the target tokenizer.
    Relations: `clp_plus` keeps only the most similar tokens; `mean` is its limit for equal similarities.
    """

    name: ClassVar[str] = "clp"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR})

    def plan(self, ctx: InitContext) -> Plan:
        """Weigh the anchors' rows for every row asked for that has a donor row."""
        donor = DonorRows.of(ctx)
        covered = np.full(len(donor.wanted), len(donor.anchors) > 0)
        if len(donor.anchors):
            for side in {donor.side(role) for role in ctx.roles - {Role.BIAS}}:
                landmarks = donor.landmarks(side)
                spread = _products(landmarks, unit_rows(landmarks), ctx)
                covered &= ~_cancelled(donor.queries(side), landmarks, spread)

        def rows_of(role: Role) -> torch.Tensor:
            queries, landmarks = unit_rows(donor.queries(role)).double(), donor.landmarks(role)
            mixed = queries @ _products(landmarks, ctx.table(role)[donor.source_ids], ctx)
            return (mixed / (queries @ _total(landmarks))[:, None]).float()

        return rows_by_role(ctx, donor, rows_of, covered)


def _products(landmarks: torch.Tensor, rows: torch.Tensor, ctx: InitContext) -> torch.Tensor:
    """``A^T E`` with A the unit landmarks, in double precision, by blocks of landmarks."""
    import torch

    product = torch.zeros(landmarks.shape[1], rows.shape[1], dtype=torch.float64)
    for span in ctx.blocks(len(rows), 16 * (landmarks.shape[1] + rows.shape[1])):
        product += unit_rows(landmarks[span]).double().T @ rows[span].double()
    return product


def _total(landmarks: torch.Tensor) -> torch.Tensor:
    """``A^T 1``."""
    import torch

    return unit_rows(landmarks).sum(0, dtype=torch.float64)


def _cancelled(queries: torch.Tensor, landmarks: torch.Tensor, spread: torch.Tensor) -> npt.NDArray[np.bool_]:
    """Which queries have cosines that cancel: a mean near 0 for their size, ``(queries,)``; spread is ``A^T A``."""
    q, count = unit_rows(queries).double(), len(landmarks)
    mean, squares = q @ _total(landmarks) / count, ((q @ spread) * q).sum(1) / count
    cancelled: npt.NDArray[np.bool_] = (mean.abs() <= CANCELLED * squares.clamp_min(0).sqrt()).numpy()
    return cancelled
