"""First and last piece: input row from all pieces or the last, output row from the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.pieces import by_role, pieces_of, uniform_weights, weighted_mix


@dataclass(frozen=True)
class FirstLast(Strategy):
    """The input row is the mean of the token's pieces (or the last piece's row), the output row the first piece's.

    To predict the new token, the head must predict its former first piece; to read it, the body should get all of it
    (`input: mean`, EEVE) or its last piece (`input: last`, mergekit's `first_last`). Tied tables have one table
    and follow the input rule; the bias follows the row it is added to.

    Source: Kim et al., "Efficient and Effective Vocabulary Expansion Towards Multilingual Large Language Models"
    (EEVE), 2024, section 3.
    Needs: nothing.
    Relations: `position_exponential` weighs the pieces gradually; `subword_mean` uses one rule for both.
    """

    name: ClassVar[str] = "first_last"
    convex: ClassVar[bool] = True
    input: Literal["mean", "last"] = "mean"

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token; mean or last piece for the input, first piece for the output."""
        pieces = pieces_of(ctx)
        read = (
            weighted_mix(pieces, uniform_weights) if self.input == "mean" else Mix.mean_of(ids[-1:] for ids in pieces)
        )
        return by_role(ctx.roles, read, Mix.mean_of(ids[:1] for ids in pieces))
