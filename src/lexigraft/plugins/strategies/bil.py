"""BIL: norm-calibrated mean of the pieces for the input row, length-weighted mean for the output row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.norm_calibration import rescaled, script_norms
from lexigraft.core.grafting.plan import Dense, Plan, combine
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.pieces import by_role, characters, pieces_of, uniform_weights, weighted_mix
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Bil(Strategy):
    """The input row is the mean of the pieces at the median norm of its script, the output row a length-weighted mean.

    Input: ``m = mean_i E[p_i]``, ``row = m * median_norm(script) / |m|``, where the median is over the source's text
    tokens of the same script. Output: ``sum_i len(p_i) U[p_i] / sum_i len(p_i)``, norm left as it is, since a long
    output row wins logits by its length alone; ``len`` as in `char_length`. Tied tables have one table and follow the
    input rule; the bias follows the weights of the row it is added to.

    Source: Joshi et al., "Beyond Initialization Loss", 2026, arXiv 2608.03494.
    Needs: nothing.
    Relations: `subword_mean` with the graft's `norm_calibration: script` rescales the head as well.
    """

    name: ClassVar[str] = "bil"

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token; rescaled mean for the input, mean weighted by characters for the output."""
        pieces = pieces_of(ctx)
        mean = weighted_mix(pieces, uniform_weights)
        rows = combine(mean, ctx.table(Role.INPUT))
        read = Dense(rescaled(rows, script_norms(ctx, Role.INPUT, ctx.target_ids)), mean.covered, mean)
        return {**by_role(ctx.roles, mean, weighted_mix(pieces, characters(ctx.source))), Role.INPUT: read}
