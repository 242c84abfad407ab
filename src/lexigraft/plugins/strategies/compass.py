"""Compass: sparse mixture of source rows, with similarity of contexts in target text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.mixtures import empty_mix, scatter_rows, sparse_mix


@dataclass(frozen=True)
class CompassStrategy(Strategy):
    """Each new row is a sparsemax mixture of source rows, by the contexts that source and target tokens share.

    ``w = sparsemax(cos(v_new, v_source) / temperature)``, ``row = sum_s w_s E_source[s]``. Both vocabularies split
    the same target text, and all tokens get vectors over one frozen set of context words, so that a source token need
    not be shared to be an anchor: every source token that occurs in the text is one (`anchors: occurring`). With
    `anchors: shared` only those that the target vocabulary has too are; then only the vector space differs from FOCUS.
    New tokens that are too rare for a vector stay uncovered.

    Source: the frozen compass of Di Carlo, Bianchi & Palmonari, "Training Temporal Word Embeddings with a Compass",
    AAAI 2019 (later CADE), here across tokenizers instead of across times; the mixture is FOCUS's (Dobler & de Melo
    2023). Measured beside FOCUS in docs/concepts/compass.md.
    Needs: a compass (learned on target text).
    Relations: `focus` uses shared tokens alone as anchors; `span_align` reads the same text without vectors.
    """

    name: ClassVar[str] = "compass"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.COMPASS})
    convex: ClassVar[bool] = True
    anchors: Literal["occurring", "shared"] = "occurring"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.anchors not in ("occurring", "shared"):
            raise ValueError("anchors must be occurring or shared")

    def plan(self, ctx: InitContext) -> Plan:
        """Mix the anchors' rows for every row asked for that has a vector."""
        compass = ctx.resources.compass()
        anchors = self._anchors(ctx, compass.source.present)
        mask = compass.target.present[ctx.target_ids]
        if not len(anchors) or not mask.any():
            return empty_mix(len(ctx.target_ids))
        mixed = sparse_mix(
            compass.target.vectors[ctx.target_ids[mask]],
            compass.source.vectors[anchors],
            anchors,
            temperature=self.temperature,
            budget=ctx.memory_budget,
        )
        return scatter_rows(mixed, mask)

    def _anchors(self, ctx: InitContext, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        usable = present & ctx.source.surfaces.is_text
        if "unk" in ctx.source.specials:
            usable[ctx.source.specials["unk"]] = False
        if self.anchors == "shared":
            shared = np.zeros(ctx.source.size, np.bool_)
            shared[ctx.alignment.source_ids[ctx.alignment.matched]] = True
            usable &= shared
        return np.flatnonzero(usable)
