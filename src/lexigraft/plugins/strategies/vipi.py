"""VIPI: average over the best partitions of a token into source tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.tokenization.matching.segmentations import shares_of_best_partitions
from lexigraft.core.tokenization.matching.spelling import spelling, tokens_by_spelling


@dataclass(frozen=True)
class Vipi(Strategy):
    """Each new row averages the shortest partitions of the token into source tokens, whichever the tokenizer prefers.

    ``row = mean over partitions of (mean over parts of E_source)``, over the partitions of the token's bytes, word
    start kept, with the fewest parts and among these with the longest parts: the longest part as long as it can be,
    then the second longest, and so on (lengths in bytes without spaces; where the paper leaves the order of longer
    parts open, this is this project's reading). All partitions that tie count; they are counted by dynamic programming
    and never listed.

    Source: Mosin et al., "Fine-tuning transformers: Vocabulary transfer" (VIPI), Artificial Intelligence, 2023.
    Needs: nothing.
    Relations: `subword_mean` takes the one partition that the source tokenizer makes.
    """

    name: ClassVar[str] = "vipi"
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Partition each token."""
        tokens, surfaces = tokens_by_spelling(ctx.source), ctx.target.surfaces
        longest = max(map(len, tokens), default=0)
        spelled = (spelling(ctx.source, surfaces.texts[i], bool(surfaces.starts[i])) for i in ctx.target_ids.tolist())
        shares = (shares_of_best_partitions(data, tokens, longest) for data in spelled)
        return Mix.from_rows((list(found), list(found.values())) for found in shares)
