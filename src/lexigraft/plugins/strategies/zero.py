"""Zero rows, as a control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.sampling import mean_rows

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Zero(Strategy):
    """Each new row is zero: the control that shows what the copied rows alone achieve.

    A zero input row gives the body no information, and the logit of a zero output row is its bias alone, which is the
    mean of the source biases.

    Source: mergekit's tokensurgeon (`zero`); the control of Goddard & Fernandes Neto, "Training-Free Tokenizer
    PreparedGraftation via Orthogonal Matching Pursuit", 2025.
    Needs: nothing.
    Relations: `mean` and `random` are the baselines that a method should beat as well.
    """

    name: ClassVar[str] = "zero"
    zero_rows: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Zeros for every row asked for; a head bias gets the source bias's mean."""
        n = len(ctx.target_ids)
        return {role: Dense(_rows(ctx.table(role), n)) for role in ctx.roles}


def _rows(table: torch.Tensor, n: int) -> torch.Tensor:
    return mean_rows(table, n) if table.ndim == 1 else table.new_zeros(n, table.shape[1])
