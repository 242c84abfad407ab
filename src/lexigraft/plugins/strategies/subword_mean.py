"""Each new row is the mean of the rows of its pieces under the source tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.strategy import InitContext, Mix, Plan, Strategy


@dataclass(frozen=True)
class SubwordMean(Strategy):
    """Each new row is the mean of the source rows of the pieces into which the source tokenizer splits the token.

    The token's bytes are split, with its word start kept, so a fragment of a character never turns into U+FFFD; special
    and unknown pieces are left out; a token that nothing spells stays uncovered.

    Source: Gee et al., "Fast vocabulary transfer", EMNLP 2022 industry track.
    Needs: nothing.
    Relations: `mean` averages everything; FOCUS and WECHSEL choose rows by meaning instead of spelling.
    """

    name: ClassVar[str] = "subword_mean"
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Split each token and average."""
        seen = ctx.target.surfaces
        return Mix.mean_of(ctx.source.pieces(seen.texts[i], bool(seen.starts[i])) for i in ctx.target_ids.tolist())
