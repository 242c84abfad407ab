"""WECHSEL: softmax mixture of the nearest source tokens in an aligned word space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.methods.mixtures import nearest_mix
from lexigraft.core.methods.token_vectors import Means, both_vocabularies
from lexigraft.core.methods.word_spaces import in_one_space


@dataclass(frozen=True)
class Wechsel(Strategy):
    """Each row is a softmax mixture of the k source tokens whose word-space vectors lie nearest.

    ``row = sum_{s in top-k} w_s E_source[s]``, ``w = softmax(cos(u_t, R u_s) / temperature)``. u is a token's vector in
    its language's word space, from its character n-grams or as the frequency-weighted mean of the words that contain it
    (`token_vectors`; `auto` takes n-grams where both languages' vectors have them), and R the rotation that brings the
    dictionary's pairs together; `align: none` takes the two spaces as one. Source tokens without a vector, and special
    tokens, are never neighbors. As in the paper, tokens that both vocabularies share are estimated too; `identical:
    copy` keeps their source rows. A shared token without a vector keeps its source row in both cases.

    Source: Minixhofer, Paischer & Rekabsaz, "WECHSEL: Effective initialization of subword embeddings for cross-lingual
    transfer of monolingual language models", NAACL 2022, section 3.
    Needs: word vectors of both languages, and a dictionary unless they lie in one space.
    Relations: OFA copies shared tokens and comes with one space for many languages; RAMEN weighs all source tokens;
    FOCUS uses shared tokens instead of a dictionary.
    """

    name: ClassVar[str] = "wechsel"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.WORD_VECTORS, Need.DICTIONARY})
    scope: ClassVar[Scope] = Scope.ALL
    convex: ClassVar[bool] = True
    k: int = 10
    temperature: float = 0.1
    align: Literal["dictionary", "none"] = "dictionary"
    token_vectors: Means = "auto"
    identical: Literal["estimate", "copy"] = "estimate"

    def __post_init__(self) -> None:
        if self.k < 1 or self.temperature <= 0:
            raise ValueError("k must be at least 1, temperature above 0")

    def required_needs(self) -> frozenset[Need]:
        """No dictionary where the spaces are one."""
        return self.needs if self.align == "dictionary" else frozenset({Need.WORD_VECTORS})

    def plan(self, ctx: InitContext) -> Plan:
        """Mix the nearest source tokens' rows for every token asked for that has a vector."""
        words = ctx.resources.word_vectors()
        pairs = ctx.resources.dictionary() if self.align == "dictionary" else None
        ours, theirs = both_vocabularies(ctx.source, ctx.target, words, self.token_vectors, ctx.journal)
        source, target = in_one_space(ours, theirs, words, pairs, ctx.journal)
        mask = theirs.present[ctx.target_ids]
        if self.identical == "copy":  # core has copied them already: a row left uncovered stays the copy
            mask &= ctx.alignment.source_ids[ctx.target_ids] < 0
        return nearest_mix(
            target[ctx.target_ids],
            mask,
            source,
            ours.present,
            k=self.k,
            temperature=self.temperature,
            budget=ctx.memory_budget,
        )
