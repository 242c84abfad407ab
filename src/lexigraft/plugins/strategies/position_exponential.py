"""Exponential position weights over a token's pieces: last piece for the input, first for the output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.pieces import Pieces, by_role, pieces_of, weighted_mix


@dataclass(frozen=True)
class PositionExponential(Strategy):
    """Means of a token's pieces, weighted towards the last piece in the input and towards the first in the head.

    For pieces ``i = 1 … k`` the input weighs ``base^i`` and the head ``base^-i``, both scaled to sum to 1: the state of
    the last piece is what later tokens attend to, and the first piece is what the head has to predict. Tied tables have
    one table and follow the input rule; the bias follows the row it is added to. A `base` of 1 is the plain mean, one
    below 1 reverses both directions.

    Source: Nakash et al., "AdaptiVocab", COLM 2025, exponential embedding initialisation.
    Needs: nothing.
    Relations: `subword_mean` at base 1; `first_last` at the limit of a large base.
    """

    name: ClassVar[str] = "position_exponential"
    convex: ClassVar[bool] = True
    base: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.base < math.inf):
            raise ValueError("base must be above 0 and finite")

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token and weigh its pieces by position, in two directions."""
        pieces = pieces_of(ctx)
        return by_role(ctx.roles, weighted_mix(pieces, self._growing), weighted_mix(pieces, self._falling))

    def _growing(self, ids: Pieces) -> list[float]:
        """``base^i`` over its largest value, so that nothing overflows."""
        steps = [i * math.log(self.base) for i in range(len(ids))]
        highest = max(steps, default=0.0)
        return [math.exp(step - highest) for step in steps]

    def _falling(self, ids: Pieces) -> list[float]:
        return self._growing(ids)[::-1]
