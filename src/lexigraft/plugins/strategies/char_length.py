"""Length-weighted mean of a token's pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.pieces import characters, pieces_of, weighted_mix


@dataclass(frozen=True)
class CharLength(Strategy):
    """Each new row is the mean of the source rows of its pieces, weighted by their numbers of characters.

    ``row = sum_i len(p_i) E_source[p_i] / sum_i len(p_i)``: a long piece describes the token better than a letter.
    ``len`` counts the characters that begin in the piece, at least one, without its word-start mark (the reference code
    counts the mark as well).

    Source: the weighted variant (WVT) of Gee et al., "Fast vocabulary transfer", EMNLP 2022 industry track.
    Needs: nothing.
    Relations: `subword_mean` with weights; `bil` uses them for the head alone.
    """

    name: ClassVar[str] = "char_length"
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token and weigh its pieces."""
        return weighted_mix(pieces_of(ctx), characters(ctx.source))
