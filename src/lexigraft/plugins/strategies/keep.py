"""No-swap control: the source model with its own tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy


@dataclass(frozen=True)
class Keep(Strategy):
    """The no-swap control: the source model with its own tokenizer, adapted with the same budget.

    Source: the control of Dobler & de Melo, "Language Adaptation on a Tight Academic Compute Budget", 2024.
    Needs: nothing.
    Relations: shows whether a new vocabulary helps at all.
    """

    name: ClassVar[str] = "keep"
    convex: ClassVar[bool] = True
    keeps_tokenizer: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """No token is new when the tokenizer stays, so no row is covered."""
        return Mix.from_rows([([], [])] * len(ctx.target_ids))
