"""Merge tree: recursive mean of a token's parents in the target tokenizer's merges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.tokenization.bpe_merges import shares_of_leaves


@dataclass(frozen=True)
class MergeTree(Strategy):
    """Each new row is the mean of its two parents in the target tokenizer's merges, recursively.

    ``row(t) = mean over merges (a, b) of t of (row(a) + row(b)) / 2``, down to tokens that match a source token,
    which have its row: parts that were merged late weigh more than in a flat mean. A merge with a parent that has no
    row does not count. A token that no merge makes (Unigram, WordPiece, added tokens) takes all splits into two tokens
    of the target vocabulary for merges, or its partitions into the fewest where there is none, word start kept (this
    project's extension; the paper has BPE only). The weights are over source rows, so every table gets its own rows;
    the reference code mixes input rows into an untied head.

    Source: Yamaguchi et al., "How can we effectively expand the vocabulary of LLMs with 0.01GB of target language
    text?", Computational Linguistics, 2026 ("Merge").
    Needs: nothing.
    Relations: `subword_mean` takes the pieces of the source tokenizer with equal weights.
    """

    name: ClassVar[str] = "merge_tree"
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Flatten each token's tree to weights over source rows."""
        shares = shares_of_leaves(ctx.target, ctx.alignment.source_ids)
        asked = (shares.get(i, {}) for i in ctx.target_ids.tolist())
        return Mix.from_rows((list(found), list(found.values())) for found in asked)
