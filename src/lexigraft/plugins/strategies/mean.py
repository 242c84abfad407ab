"""Mean of all source rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.sampling import mean_rows


@dataclass(frozen=True)
class Mean(Strategy):
    """Each new row is the mean of all source rows.

    Source: Hewitt, "Initializing new word embeddings for pretrained language models", 2021.
    Needs: nothing.
    Relations: `hf_mean_resizing` adds a trace of noise; `subword_mean` averages only a token's own pieces.
    """

    name: ClassVar[str] = "mean"
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """The mean of each table, once for each row asked for."""
        n = len(ctx.target_ids)
        return {role: Dense(mean_rows(ctx.table(role), n)) for role in ctx.roles}
