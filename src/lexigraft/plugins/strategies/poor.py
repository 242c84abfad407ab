"""Poor-model control: the target-language model with its own rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy


@dataclass(frozen=True)
class Poor(Strategy):
    """The control with a model of target text alone: nothing is taken from the source.

    Source: the L2 of Zevallos et al., EMNLP 2024.
    Needs: a poor model.
    Relations: the starting point of `tema`, whose gain is measured against this.
    """

    name: ClassVar[str] = "poor"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.POOR_MODEL})
    scope: ClassVar[Scope] = Scope.ALL
    body: ClassVar[Body] = Body.TARGET

    def plan(self, ctx: InitContext) -> Plan:
        """Every row stays the poor model's."""
        return Mix.from_rows([([], [])] * len(ctx.target_ids))
