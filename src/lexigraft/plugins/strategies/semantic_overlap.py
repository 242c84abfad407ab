"""UniBridge: FOCUS with an overlap that also counts other casings and mutual nearest neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.resources import Compass
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.nearest import nearest
from lexigraft.core.methods.mixtures import scatter_rows, sparse_mix
from lexigraft.core.tokenization.matching.alignment import align

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SemanticOverlap(Strategy):
    """FOCUS whose overlap also contains tokens that differ in case and pairs of mutual nearest neighbors.

    Overlap, each token by the first rule that finds a match: (1) the matched tokens; (2) lexical: the same text in
    lower case, at the same position in a word; (3) semantic: s is the source token nearest to t and t the target token
    nearest to s, by cosine in one space of both vocabularies' tokens. A token of the overlap gets its match's row; the
    others are ``sum_a w_a E_source[match(a)]`` with ``w = sparsemax(cos(v_t, v_a) / temperature)`` over the whole
    overlap. The original looks for (3) across two fastText spaces that were trained independently, where a cosine
    between them has no meaning; here both vocabularies' tokens have vectors in one space (the compass), and v are
    static vectors of the target tokens as in FOCUS. Written from the paper.

    Source: Pham, Le & Luu, "UniBridge: A Unified Approach to Cross-Lingual Transfer Learning for Low-Resource
    Languages", ACL 2024, section 3.
    Needs: target text, for static vectors of the target tokens and for the compass.
    Relations: FOCUS when nothing but the matched tokens overlaps.
    """

    name: ClassVar[str] = "semantic_overlap"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TARGET_VECTORS, Need.COMPASS})
    convex: ClassVar[bool] = True
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def plan(self, ctx: InitContext) -> Plan:
        """Give every token asked for its match's row, or mix the rows of the overlap's matches."""
        static = ctx.resources.target_vectors()
        matches = self._overlap(ctx)
        text = ctx.target.surfaces.is_text
        anchors = np.flatnonzero((matches >= 0) & text & static.present)
        asked = matches[ctx.target_ids]
        mask = static.present[ctx.target_ids] & (asked < 0) & (len(anchors) > 0)
        mixed = scatter_rows(
            sparse_mix(
                static.vectors[ctx.target_ids[mask]],
                static.vectors[anchors],
                matches[anchors],
                temperature=self.temperature,
                budget=ctx.memory_budget,
            ),
            mask,
        )
        rows = (mixed.row(n) if match < 0 else ([match], [1.0]) for n, match in enumerate(asked.tolist()))
        return Mix.from_rows((list(ids), list(weights)) for ids, weights in rows)

    def _overlap(self, ctx: InitContext) -> Ids:
        """The source token that any of the rules matches with each target token, or -1, ``(target,)``."""
        matches = ctx.alignment.source_ids.copy()
        folded = align(ctx.source, ctx.target, ["case_fold"])
        lexical = (matches < 0) & (folded.rule_ids == folded.rules.index("case_fold"))
        matches[lexical] = folded.source_ids[lexical]
        ours, theirs = mutual_nearest(ctx.resources.compass(), ctx.memory_budget)
        semantic = ctx.source.surfaces.is_text[theirs] & (matches[ours] < 0)
        matches[ours[semantic]] = theirs[semantic]
        ctx.journal.note(
            f"Beyond the matched tokens {int(lexical.sum()):,} overlap in lower case and {int(semantic.sum()):,} as "
            "mutual nearest neighbours."
        )
        return matches


def mutual_nearest(compass: Compass, budget: int) -> tuple[Ids, Ids]:
    """Target and source tokens that are each other's nearest, by cosine above 0: ids, both ``(pairs,)``."""
    ours, theirs = np.flatnonzero(compass.target.present), np.flatnonzero(compass.source.present)
    if not len(ours) or not len(theirs):
        return ours[:0], theirs[:0]
    x, y = compass.target.vectors[ours], compass.source.vectors[theirs]
    cosines, forth = (neighbors[:, 0].numpy() for neighbors in nearest(x, y, 1, budget))
    back = nearest(y, x, 1, budget)[1][:, 0].numpy()
    mutual = (back[forth] == np.arange(len(ours))) & (cosines > 0)
    return ours[mutual], theirs[forth[mutual]]
