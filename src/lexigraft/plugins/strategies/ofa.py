"""OFA: softmax mixture of the nearest source tokens in one multilingual word space, optionally factorized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.linalg.truncated_svd import primitives_of
from lexigraft.core.methods.mixtures import nearest_mix
from lexigraft.core.methods.token_vectors import CAPITALISED_TOO, equal_weights, from_words
from lexigraft.core.methods.word_spaces import in_one_space
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Ofa(Strategy):
    """New rows are softmax mixtures of the k nearest source tokens; shared tokens are copied; tables may be factorized.

    ``row = sum_{s in top-k} w_s E_source[s]``, ``w = softmax(cos(u_t, u_s) / temperature)``, with u the plain mean of
    the vectors of all words that contain the token, also capitalized, in one multilingual space (two spaces with
    `align: dictionary`). `rank: r` is the factorized option: with the singular value decomposition ``E_source = U S
    V^T``, all of this happens on the coordinates ``F = U[:, :r]``, and every row, shared ones too, is ``f P`` with the
    primitives ``P = S[:r] V[:, :r]^T``; head tables are factorized by themselves when they are not tied. The graft is a
    model that plain transformers loads, with dense tables; `factorize` of `lexigraft.core.models.factorized` then takes
    their rows apart again, into a model that stores coordinates and primitives alone. Only special tokens and uncovered
    rows have full rank in the dense model, and only they change a little there.

    Source: Liu et al., "OFA: A Framework of Initializing Unseen Subword Embeddings for Efficient Large-scale
    Multilingual Continued Pretraining", Findings of NAACL 2024, section 3.
    Needs: word vectors of both languages in one space, or in two with a dictionary.
    Relations: WECHSEL on all tokens, in two spaces; FOCUS without any word vectors.
    """

    name: ClassVar[str] = "ofa"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.WORD_VECTORS, Need.DICTIONARY})
    scope: ClassVar[Scope] = Scope.ALL
    k: int = 10
    temperature: float = 0.1
    align: Literal["dictionary", "none"] = "none"
    rank: int = 0

    def __post_init__(self) -> None:
        if self.k < 1 or self.temperature <= 0 or self.rank < 0:
            raise ValueError("k must be at least 1, temperature above 0, rank not negative")

    def required_needs(self) -> frozenset[Need]:
        """A dictionary only where there are two spaces."""
        return self.needs if self.align == "dictionary" else frozenset({Need.WORD_VECTORS})

    def plan(self, ctx: InitContext) -> Plan:
        """Mix the nearest source tokens' rows; with a rank, finish the rows on the source table's primitives."""
        mix = self._mix(ctx)
        return self._factorized(mix, ctx) if self.rank else mix

    def _mix(self, ctx: InitContext) -> Mix:
        words = ctx.resources.word_vectors()
        pairs = ctx.resources.dictionary() if self.align == "dictionary" else None
        ours, theirs = (
            from_words(v, space, equal_weights(space), forms=CAPITALISED_TOO, once=True)
            for v, space in ((ctx.source, words.source), (ctx.target, words.target))
        )
        source, target = in_one_space(ours, theirs, words, pairs, ctx.journal)
        new = ctx.alignment.source_ids[ctx.target_ids] < 0
        mask = theirs.present[ctx.target_ids] & new
        return nearest_mix(
            target[ctx.target_ids],
            mask,
            source,
            ours.present,
            k=self.k,
            temperature=self.temperature,
            budget=ctx.memory_budget,
        )

    def _factorized(self, new: Mix, ctx: InitContext) -> Mapping[Role, Mix | Dense]:
        """Rows of every table on the leading singular directions of its source table; the bias has none."""
        matches = ctx.alignment.source_ids[ctx.target_ids]
        pairs = ((new.row(n) if match < 0 else ([match], [1.0])) for n, match in enumerate(matches.tolist()))
        mix = Mix.from_rows((list(ids), list(weights)) for ids, weights in pairs)
        plans: dict[Role, Mix | Dense] = {}
        for role in sorted(ctx.roles):
            table = ctx.table(role)
            plans[role] = mix
            if role is not Role.BIAS:
                primitives = primitives_of(table, self.rank)
                rows = primitives.rows(primitives.coordinates(combine(mix, table)))
                plans[role] = Dense(rows, mix.covered, mix)
        return plans
