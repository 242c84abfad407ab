"""SALT: least-squares combination in a donor's space of the shared tokens that static vectors choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.local_least_squares import fit_each
from lexigraft.core.methods.donor import DonorRows, mix_by_role
from lexigraft.core.methods.mixtures import sparse_mix
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Salt(Strategy):
    """Static vectors choose each new token's anchors; least squares on the donor's rows gives their weights.

    Anchors: the support of ``sparsemax(cos(v_new, v_anchor))``. ``X = pinv(D[anchors]) E_source[anchors]``, the
    smallest solution of ``D[anchors] X = E_source[anchors]``, and ``row = D[new] X``; computed as weights of the
    anchors, ``row = (D[new] pinv(D[anchors])) E_source[anchors]``, which are not convex, so a head bias gets the
    anchors' mean. The output table is fitted in the donor's head, or in its input table when the donor is tied. New
    tokens without a static vector or a donor row stay uncovered.

    Source: Lee et al., "Semantic Aware Linear Transfer by Recycling Pre-trained Language Models for Cross-lingual
    Transfer", Findings of ACL 2025, arXiv 2505.10945.
    Needs: a donor model that already uses the target tokenizer, and static vectors of the target tokens.
    Relations: FOCUS takes the sparsemax weights themselves; `omp` lets the donor choose the anchors as well.
    """

    name: ClassVar[str] = "salt"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR, Need.TARGET_VECTORS})

    def plan(self, ctx: InitContext) -> Plan:
        """Choose anchors by static vectors, then fit their donor rows, once for each side of the model."""
        static = ctx.resources.target_vectors()
        donor = DonorRows.of(ctx).only(static.present, ctx.target_ids)
        support = Mix.from_rows([([], [])] * len(donor.wanted))
        if len(donor.anchors) and len(donor.wanted):
            support = sparse_mix(
                static.vectors[ctx.target_ids[donor.wanted]],
                static.vectors[donor.anchors],
                np.arange(len(donor.anchors)),
                temperature=1.0,
                budget=ctx.memory_budget,
            )

        def mix_of(role: Role) -> Mix:
            queries, landmarks = donor.queries(role), donor.landmarks(role)
            ids = support.indices.astype(np.int64)
            weights = fit_each(queries, landmarks, support.indptr, ids, budget=ctx.memory_budget)
            return Mix(support.indptr, donor.source_ids[ids].astype(np.int32), weights)

        return mix_by_role(ctx, donor, mix_of, convex=False)
