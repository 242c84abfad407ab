"""Trans-tokenization: mixture of the source tokens that translate a token in parallel text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.methods.mixtures import shares
from lexigraft.core.methods.word_alignment.translation_counts import (
    add_matches,
    add_numbers,
    smoothed,
    token_evidence,
    word_pairs,
)


@dataclass(frozen=True)
class TransTokenization(Strategy):
    """Each new row is a mixture of the source tokens that its words' translations are made of, by how often.

    ``row = sum_s count(s, t) / total(t) E_source[s]``. Words of parallel sentences are linked; a pair of words seen at
    least `min_count` times is divided among the tokens of both; numbers and tokens that both vocabularies have get
    one count more; tokens without any evidence take that of tokens that begin with them and of the longest known tokens
    inside them. What is still without evidence stays uncovered (the authors give it the unknown token's row), and no
    special or unknown token ever counts. `shared: copy` keeps the rows of tokens that both vocabularies have;
    `shared: blend` mixes them too, as the authors do. Words are joined and tokens compared on bytes, so that the two
    tokenizers may be of any two families.

    Source: Remy, Delobelle, Avetisyan, Khabibullina, de Lhoneux & Demeester, "Trans-Tokenization and Cross-lingual
    Vocabulary Transfers: Language Adaptation of LLMs for Low-Resource NLP", COLM 2024, section 2.
    Needs: parallel text.
    Relations: RAMEN counts tokens instead of words; WECHSEL uses a dictionary and word vectors instead of sentences.
    """

    name: ClassVar[str] = "trans_tokenization"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PARALLEL})
    scope: ClassVar[Scope] = Scope.ALL
    convex: ClassVar[bool] = True
    min_count: int = 10
    shared: Literal["copy", "blend"] = "copy"
    smooth: bool = True

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise ValueError("min_count must be at least 1")
        if self.shared not in ("copy", "blend"):
            raise ValueError("shared must be copy or blend")

    def plan(self, ctx: InitContext) -> Plan:
        """Weigh the source tokens behind every row asked for; rows that are to be copied stay uncovered."""
        pairs = word_pairs(ctx.source, ctx.target, ctx.resources.parallel())
        evidence = token_evidence(pairs, self.min_count)
        add_numbers(evidence, ctx.source, ctx.target)
        text = ctx.target.surfaces.is_text
        add_matches(evidence, ctx.alignment, np.flatnonzero(text).tolist())
        if self.smooth:
            evidence = smoothed(evidence, ctx.source, ctx.target)
        copied = frozenset(ctx.alignment.matched.tolist() if self.shared == "copy" else ())
        rows = ({} if i in copied else evidence.get(i, {}) for i in ctx.target_ids.tolist())
        ordered = (dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))) for counts in rows)
        return Mix.from_rows(map(shares, ordered))
