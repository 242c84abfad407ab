"""FOCUS: sparse mixture of the shared tokens' rows, with similarity in a static vector space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.mixtures import empty_mix, scatter_rows, sparse_mix


@dataclass(frozen=True)
class Focus(Strategy):
    """Each new row is a sparsemax mixture of the shared tokens' rows, by similarity in a static vector space.

    ``w = sparsemax(cos(v_new, v_anchor) / temperature)``, ``row = sum_a w_a E_source[match(a)]``; anchors are the
    matched tokens that have a vector. New tokens without a vector stay uncovered. Overlap is decided on bytes, not on
    decoded text, so fragments of characters never collide as U+FFFD (where this differs from the reference code, it
    follows the paper). `weights: entmax15` is a softer alternative of this project. Token-level, word-level and extend
    modes differ only in where the vectors come from.

    On little text the three epochs of the paper leave fastText's vectors almost in one direction, and every row is
    nearly a plain mean of the anchors; so the fewer tokens the text has, the more epochs there are
    (`target_vectors.epochs`), which gave better models (docs/results/vectors.md).

    Source: Dobler & de Melo, "FOCUS: Effective Embedding Initialization for Monolingual Specialization of Multilingual
    Models", EMNLP 2023, section 3.
    Needs: static vectors of the target tokens (trained on target text, or given).
    Relations: RAMEN's sparsemax over shared tokens only; WECHSEL needs a dictionary instead of shared tokens.
    """

    name: ClassVar[str] = "focus"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TARGET_VECTORS})
    convex: ClassVar[bool] = True
    temperature: float = 1.0
    weights: Literal["sparsemax", "entmax15"] = "sparsemax"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def plan(self, ctx: InitContext) -> Plan:
        """Mix the anchors' rows for every row asked for that has a vector."""
        static = ctx.resources.target_vectors()
        matched = ctx.alignment.matched
        text = ctx.target.surfaces.is_text[matched]
        anchors = matched[text & static.present[matched]]
        mask = static.present[ctx.target_ids]
        if not len(anchors) or not mask.any():
            return empty_mix(len(ctx.target_ids))
        mixed = sparse_mix(
            static.vectors[ctx.target_ids[mask]],
            static.vectors[anchors],
            ctx.alignment.source_ids[anchors],
            temperature=self.temperature,
            weights=self.weights,
            budget=ctx.memory_budget,
        )
        return scatter_rows(mixed, mask)
