"""The no-swap control: source model and tokenizer as they are."""

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
    Relations: says whether a new vocabulary is worth it at all.
    """

    name: ClassVar[str] = "keep"
    convex: ClassVar[bool] = True
    keeps_tokenizer: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Nothing is new when the tokenizer stays; nothing is covered."""
        return Mix.from_rows([([], [])] * len(ctx.target_ids))
