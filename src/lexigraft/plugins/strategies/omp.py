"""OMP: orthogonal matching pursuit of the donor row over shared tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.omp import pursue
from lexigraft.core.methods.donor import DonorRows, mix_by_role
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Omp(Strategy):
    """Each donor row is written as a combination of at most k shared tokens' donor rows, and rebuilt in the source.

    ``a_t = argmax |<r, D_a>|``, ``c = argmin ||D_new - sum_j c_j D_j||``, ``row = sum_j c_j E_source[match(j)]``:
    orthogonal matching pursuit over the matched text tokens that have a donor row, atoms not normalized, coefficients
    by least squares. Input and output tables are pursued independently, the output table in the donor's head, or in its
    input table when the donor is tied. Coefficients may be negative and need not sum to 1, so a head bias gets the
    anchors' mean. Published settings of k are 8, 32 and 64.

    Source: Goddard & Fernandes Neto, "Training-Free Tokenizer PreparedGraftation via Orthogonal Matching Pursuit",
    arXiv 2506.06607.
    Needs: a donor model that already uses the target tokenizer.
    Relations: `knn_interpolation` takes the nearest rows; `salt` lets static vectors choose, and fits likewise.
    """

    name: ClassVar[str] = "omp"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR})
    k: int = 64

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k must be at least 1")

    def plan(self, ctx: InitContext) -> Plan:
        """Matching pursuit of every row asked for that has a donor row; one Mix for each side of the model."""
        donor = DonorRows.of(ctx)

        def mix_of(role: Role) -> Mix:
            found = pursue(donor.queries(role), donor.landmarks(role), self.k, budget=ctx.memory_budget)
            taken = found.atoms.numpy() >= 0
            pointers = np.concatenate([np.zeros(1, np.int64), taken.sum(1).cumsum()])
            ids = donor.source_ids[found.atoms.numpy()[taken]].astype(np.int32)
            return Mix(pointers, ids, found.coefficients.numpy()[taken])

        return mix_by_role(ctx, donor, mix_of, convex=False)
