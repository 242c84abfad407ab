"""CLP+: sparse mixture of the shared tokens' rows, with similarity in a donor's embedding space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.donor import DonorRows, mix_by_role
from lexigraft.core.methods.mixtures import sparse_mix
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class ClpPlus(Strategy):
    """Each new row is a sparsemax mixture of the shared tokens' rows, by similarity in a donor's embedding space.

    ``w = sparsemax(cos(D_new, D_anchor) / temperature)``, ``row = sum_a w_a E_source[match(a)]``. The output table and
    the head bias are mixed by the donor's head, or by its input table when the donor is tied.

    Source: Yamaguchi et al., "An Empirical Study on Cross-lingual Vocabulary Adaptation for Efficient Language Model
    Inference", Findings of EMNLP 2024 (CLP+); after CLP-Transfer.
    Needs: a donor model that already uses the target tokenizer.
    Relations: CLP with FOCUS's sparsemax; FOCUS in a donor's space instead of static vectors.
    """

    name: ClassVar[str] = "clp_plus"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR})
    convex: ClassVar[bool] = True
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def plan(self, ctx: InitContext) -> Plan:
        """Mix the anchors' rows for every row asked for that has a donor row."""
        donor = DonorRows.of(ctx)

        def mix_of(role: Role) -> Mix:
            if not len(donor.anchors) or not len(donor.wanted):
                return Mix.from_rows([([], [])] * len(donor.wanted))
            return sparse_mix(
                donor.queries(role),
                donor.landmarks(role),
                donor.source_ids,
                temperature=self.temperature,
                budget=ctx.memory_budget,
            )

        return mix_by_role(ctx, donor, mix_of, convex=True)
