"""RAMEN: mixture of source rows by translation probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.methods.mixtures import empty_mix, normalized_rows, pair_counts, scatter_rows, sparse_mix
from lexigraft.core.methods.token_vectors import from_words, ranks
from lexigraft.core.methods.word_spaces import in_one_space
from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Ramen(Strategy):
    """Each row is the mean of the source rows under translation probabilities, and so is its head bias.

    ``E_t[t] = sum_s p(s|t) E_s[s]`` and ``b_t[t] = sum_s p(s|t) b_s[s]``. `evidence: vectors`: ``p = sparsemax(cos(u_t,
    u_s))`` over all source tokens, with u the mean of the vectors of the words that contain a token, weighted by one
    over their rank, in one space (two spaces with `align: dictionary`). `evidence: parallel`: ``p = count(t, s) / sum_s
    count(t, s)`` over aligned tokens of parallel text, links seen fewer than `min_count` times left out. A token
    without evidence stays uncovered: a new one gets the fallback (the paper draws from N(0, 1/sqrt(dim))), a shared one
    keeps its source row. Special tokens are matched by role (in the paper, by id).

    Source: Tran, "From English to Foreign Languages: Transferring Pre-trained Language Models", 2020, section 2.
    Needs: word vectors of both languages in one space (or in two, with a dictionary), or parallel text.
    Relations: FOCUS is its sparsemax over shared tokens only; WECHSEL takes the nearest tokens; trans-tokenization
    counts aligned words instead of tokens.
    """

    name: ClassVar[str] = "ramen"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.WORD_VECTORS, Need.DICTIONARY, Need.PARALLEL})
    scope: ClassVar[Scope] = Scope.ALL
    convex: ClassVar[bool] = True
    evidence: Literal["vectors", "parallel"] = "vectors"
    align: Literal["dictionary", "none"] = "none"
    min_count: int = 1

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise ValueError("min_count must be at least 1")

    def required_needs(self) -> frozenset[Need]:
        """The needs of the chosen evidence."""
        if self.evidence == "parallel":
            return frozenset({Need.PARALLEL})
        return frozenset({Need.WORD_VECTORS} | ({Need.DICTIONARY} if self.align == "dictionary" else set()))

    def plan(self, ctx: InitContext) -> Plan:
        """The probabilities of every token asked for; one Mix serves both tables and the bias."""
        return self._by_vectors(ctx) if self.evidence == "vectors" else self._by_links(ctx)

    def _by_vectors(self, ctx: InitContext) -> Mix:
        words = ctx.resources.word_vectors()
        pairs = ctx.resources.dictionary() if self.align == "dictionary" else None
        ours, theirs = (
            from_words(v, space, ranks(space), once=True)
            for v, space in ((ctx.source, words.source), (ctx.target, words.target))
        )
        source, target = in_one_space(ours, theirs, words, pairs, ctx.journal)
        mask = theirs.present[ctx.target_ids]
        anchors = np.flatnonzero(ours.present)
        if not len(anchors):
            return empty_mix(len(ctx.target_ids))
        mixed = sparse_mix(
            target[ctx.target_ids[mask]], source[anchors], anchors, temperature=1.0, budget=ctx.memory_budget
        )
        return scatter_rows(mixed, mask)

    def _by_links(self, ctx: InitContext) -> Mix:
        text = ctx.resources.parallel()
        theirs, ours = _tokens(ctx.source, text.source), _tokens(ctx.target, text.target)
        units = [[[v.tokens[i] for i in ids] for ids in side] for v, side in ((ctx.source, theirs), (ctx.target, ours))]
        counts = pair_counts(text.align(*units), theirs, ours, (ctx.target.size, ctx.source.size))
        counts.data[counts.data < self.min_count] = 0
        counts.eliminate_zeros()
        return normalized_rows(counts, ctx.target_ids)


def _tokens(vocabulary: Vocabulary, sentences: tuple[str, ...]) -> list[list[int]]:
    """Token ids of sentences, special and unknown tokens left out."""
    usable = vocabulary.surfaces.is_text.tolist()
    return [[i for i in ids if usable[i]] for ids in vocabulary.encode(sentences)]
