"""Nearest-neighbor interpolation: mixture of the k shared tokens nearest in a donor's space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.local_least_squares import fit_each
from lexigraft.core.linalg.nearest import nearest, nearest_points
from lexigraft.core.methods.donor import DonorRows, mix_by_role
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class KnnInterpolation(Strategy):
    """Each new row is interpolated between the k shared tokens whose donor rows lie nearest to its own.

    ``row = sum_a w_a E_source[match(a)]`` over the k nearest anchors in the donor's table. `weights: distance` is
    ``1 / d`` normalized (with the cosine metric the cosine itself, none below 0): convex. `barycentric` is the closest
    affine combination of the neighbors' donor rows (sum 1), `least_squares` the closest linear one; of several the
    shortest. The output table is interpolated in the donor's head, or in its input table when the donor is tied. A head
    bias follows convex weights and gets the anchors' mean otherwise.

    Source: Goddard & Fernandes Neto, "Training-Free Tokenizer PreparedGraftation via Orthogonal Matching Pursuit",
    arXiv 2506.06607 (the authors' mergekit calls it common_interpolation).
    Needs: a donor model that already uses the target tokenizer.
    Relations: `omp` chooses tokens that complement each other instead of the nearest; `clp` weighs all of them.
    """

    name: ClassVar[str] = "knn_interpolation"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR})
    k: int = 64
    metric: Literal["euclidean", "cosine"] = "euclidean"
    weights: Literal["distance", "barycentric", "least_squares"] = "distance"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k must be at least 1")

    def plan(self, ctx: InitContext) -> Plan:
        """Interpolate every row asked for that has a donor row, once for each side of the model."""
        donor = DonorRows.of(ctx)
        k = min(self.k, len(donor.anchors))

        def mix_of(role: Role) -> Mix:
            queries, landmarks = donor.queries(role), donor.landmarks(role)
            search = nearest_points if self.metric == "euclidean" else nearest
            scores, found = search(queries, landmarks, k, ctx.memory_budget)
            sources = donor.source_ids[found.numpy()].astype(np.int32)
            if self.weights == "distance":
                shares = self._shares(scores).numpy()
                counts = (shares > 0).sum(1).cumsum()
                return Mix(np.concatenate([np.zeros(1, np.int64), counts]), sources[shares > 0], shares[shares > 0])
            pointers = np.arange(len(queries) + 1, dtype=np.int64) * k
            ids, affine = found.numpy().reshape(-1), self.weights == "barycentric"
            fitted = fit_each(queries, landmarks, pointers, ids, affine=affine, budget=ctx.memory_budget)
            return Mix(pointers, sources.reshape(-1), fitted)

        return mix_by_role(ctx, donor, mix_of, convex=self.weights == "distance")

    def _shares(self, scores: torch.Tensor) -> torch.Tensor:
        """Weights from distances or cosines, ``(rows, k)``, with sum 1; all 0 where no cosine is positive."""
        import torch

        if self.metric == "euclidean":
            # Relative to the nearest, so that nothing overflows; an anchor at distance 0 gets the whole weight.
            nearest_one = scores[:, :1]
            raw = torch.where(nearest_one > 0, nearest_one / scores, (scores == 0).float())
        else:
            raw = scores.clamp_min(0)
        return raw / raw.sum(1, keepdim=True).clamp_min(1e-30)
