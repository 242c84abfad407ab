"""TEMA offsets in the source body: new rows placed relative to tokens that the source model knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.mixtures import empty_mix, scatter_rows, softmax_mix
from lexigraft.core.methods.tema import WordLinks, link_tokens, place_points
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.surface import Kind

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TemaGraft(Strategy):
    """Each new row is a known token's row plus an offset that is taken from a second space.

    TEMA's ``u' = v_y - proj(v_x - w)`` with every row of the source body: v_y is the source's own row of a reference, a
    target token that both vocabularies have; the result keeps the source body, so it compares with FOCUS on equal
    terms. `space` decides where the offset is taken.

    - `dictionary`: w and v_x are the source rows of the translations of the new token and of the reference. Both sides
      lie in one space, so proj is the identity by default and ``u' = w + (v_y - v_x)``: the translation, shifted as
      the reference is shifted from its own translation. References that translate to themselves (names) leave w as it
      is; so does a vocabulary without references. Only tokens that are whole dictionary words are covered.
    - `vectors`: w and v_x are static vectors z of the target tokens, and proj is a ridge map from them into the source
      table, fitted on the shared tokens: ``u' = E[a] - P (z_a - z_u)``. TEMA's poor model is thereby replaced by
      vectors that a laptop can train; FOCUS mixes rows of the same shared tokens, but stays inside their convex hull.

    The k references nearest to w by cosine share the row, by ``softmax(cos / temperature)``. The head bias has no
    offsets: it is the translation's, or the references' weighted mean. `placement` selects the controls, as in `tema`.
    Reconstructed from the figure of the paper, which keeps the poor model's body; the source body, `vectors`, the
    choice of references and the defaults are this project's own.

    Source: Zevallos, Bel & Farrús, "TEMA: Token Embeddings Mapping for Enriching Low-Resource Language Models",
    EMNLP 2024, figure 1.
    Needs: a dictionary, or (`space: vectors`) static vectors of the target tokens.
    Relations: `tema` does this inside the poor model's body; `focus` mixes the same references without an offset;
    `salt` and `landmark_map` map points of a donor instead of offsets.
    """

    name: ClassVar[str] = "tema_graft"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DICTIONARY, Need.TARGET_VECTORS})
    scale: ClassVar[str] = "none"
    space: Literal["dictionary", "vectors"] = "dictionary"
    k: int = 10
    temperature: float = 0.1
    projection: Literal["auto", "identity", "procrustes", "ridge"] = "auto"
    penalty: float = 1.0
    centre: bool = True
    placement: Literal["reference", "mapped", "random_offset", "no_offset"] = "reference"
    multi_token: Literal["mean", "skip"] = "mean"

    def __post_init__(self) -> None:
        if self.k < 1 or self.temperature <= 0 or self.penalty < 0:
            raise ValueError("k must be at least 1, temperature above 0, penalty not negative")
        if self.space == "vectors" and self.projection == "identity":
            raise ValueError("static vectors and rows lie in two spaces: map them by ridge or procrustes")

    def required_needs(self) -> frozenset[Need]:
        """The dictionary or the vectors, depending on `space`."""
        return frozenset({Need.DICTIONARY if self.space == "dictionary" else Need.TARGET_VECTORS})

    def plan(self, ctx: InitContext) -> Plan:
        """Place every row asked for that is linked, or has a vector; the others stay uncovered."""
        by_dictionary = self.space == "dictionary"
        if self.projection == "auto":
            return replace(self, projection="identity" if by_dictionary else "ridge").plan(ctx)
        return self._by_dictionary(ctx) if by_dictionary else self._by_vectors(ctx)

    def _by_dictionary(self, ctx: InitContext) -> Plan:
        links = link_tokens(
            ctx.source, ctx.target, ctx.resources.dictionary(), ctx.alignment,
            single_only=self.multi_token == "skip", shared=False,
        )  # fmt: skip
        at = {int(i): n for n, i in enumerate(links.target_ids)}
        covered = np.isin(ctx.target_ids, links.target_ids)
        if not covered.any():
            return empty_mix(len(ctx.target_ids))
        moving = np.array([at[i] for i in ctx.target_ids[covered].tolist()])
        matches = ctx.alignment.source_ids[links.target_ids]
        known = np.flatnonzero((matches >= 0) & (ctx.target.surfaces.kinds[links.target_ids] == Kind.TEXT))
        translations = Mix.from_rows(_row(links, n) for n in moving.tolist())
        references = Mix.from_rows(_row(links, n) for n in known.tolist())
        plans = {}
        for role in sorted(ctx.roles):
            table = ctx.table(role)
            made = combine(translations, table)
            if role is not Role.BIAS and len(known):
                made = place_points(self, made, combine(references, table), table[matches[known]], ctx)
            plans[role] = Dense(_spread(made, covered), covered, scatter_rows(translations, covered))
        return plans

    def _by_vectors(self, ctx: InitContext) -> Plan:
        static, matched = ctx.resources.target_vectors(), ctx.alignment.matched
        text = ctx.target.surfaces.is_text[matched]
        anchors = matched[text & static.present[matched]]
        covered = static.present[ctx.target_ids]
        if not len(anchors) or not covered.any():
            return empty_mix(len(ctx.target_ids))
        z, w = static.vectors[anchors], static.vectors[ctx.target_ids[covered]]
        matches = ctx.alignment.source_ids[anchors]
        near = softmax_mix(w, z, matches, k=self.k, temperature=self.temperature, budget=ctx.memory_budget)
        plans = {}
        for role in sorted(ctx.roles):
            table = ctx.table(role)
            made = combine(near, table) if role is Role.BIAS else place_points(self, w, z, table[matches], ctx)
            plans[role] = Dense(_spread(made, covered), covered, scatter_rows(near, covered))
        return plans


def _row(links: WordLinks, n: int) -> tuple[list[int], list[float]]:
    ids, weights = links.translations.row(n)
    return ids.tolist(), weights.tolist()


def _spread(rows: torch.Tensor, mask: npt.NDArray[np.bool_]) -> torch.Tensor:
    """Rows for all tokens asked for, from rows for some of them; the others are zero and uncovered."""
    import torch

    scattered = torch.zeros(len(mask), *rows.shape[1:])
    scattered[torch.from_numpy(mask)] = rows
    return scattered
