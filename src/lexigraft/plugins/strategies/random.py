"""Random rows with the mean and deviation of the source table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.sampling import normal_rows
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Random(Strategy):
    """Each new row drawn from a normal with the source table's mean and deviation, per dimension.

    Source: the fallback of WECHSEL (Minixhofer et al., NAACL 2022) and FOCUS (Dobler & de Melo, EMNLP 2023).
    Needs: nothing.
    Relations: the baseline that every method must beat; `mean` is its center.
    """

    name: ClassVar[str] = "random"

    def plan(self, ctx: InitContext) -> Plan:
        """Draw rows table by table; a head bias gets the source bias's mean."""
        n = len(ctx.target_ids)
        ordered = [role for role in Role if role in ctx.roles]
        return {role: Dense(normal_rows(ctx.table(role), n, ctx.generator)) for role in ordered}
