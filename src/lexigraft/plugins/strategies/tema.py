"""TEMA: rows of a poor model's rare tokens placed by their translations in a rich model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.resources import PoorModel
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy
from lexigraft.core.methods.tema import WordLinks, link_tokens, place, spread_counts
from lexigraft.core.models.tables import Role


@dataclass(frozen=True)
class Tema(Strategy):
    """Each rare token's row is placed relative to a trained neighbor, as its translation lies in the rich model.

    ``u' = v_y - proj(v_x - w_m)``: w_m is the rich model's row of the token's translation, v_x the row of a reference
    translation near it, v_y the reference's own row in the poor model, proj a map from the rich space to the poor one.
    Reconstructed from the authors' figure; the choice of references, of proj, of the words that move and of the
    handling of translations of several tokens are this project's, and are fields. `placement` selects the controls:
    `mapped` drops the reference (the projected rich row itself), `random_offset` replaces the offset by a random one of
    the same length, `no_offset` puts the token on its reference. The poor model's body, head bias and other rows stay.

    Source: Zevallos, Bel & Farrús, "TEMA: Token Embeddings Mapping for Enriching Low-Resource Language Models",
    EMNLP 2024, figure 1.
    Needs: a poor model with its corpus, and a dictionary.
    Relations: `poor` is its starting point; the source-body methods (FOCUS, …) keep the rich body instead.
    """

    name: ClassVar[str] = "tema"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.POOR_MODEL, Need.DICTIONARY})
    scope: ClassVar[Scope] = Scope.ALL
    body: ClassVar[Body] = Body.TARGET
    k: int = 1
    min_count: int = 15
    temperature: float = 0.1
    projection: Literal["procrustes", "ridge", "identity"] = "ridge"
    penalty: float = 1.0
    centre: bool = True
    scale: Literal["none", "norm"] = "none"
    move: Literal["rare", "linked", "all"] = "rare"
    placement: Literal["reference", "mapped", "random_offset", "no_offset"] = "reference"
    multi_token: Literal["mean", "skip"] = "mean"
    shared_surfaces: bool = False
    neighbours: int = 10

    def __post_init__(self) -> None:
        if min(self.k, self.neighbours) < 1 or self.temperature <= 0 or self.penalty < 0:
            raise ValueError("k and neighbours must be at least 1, temperature above 0, penalty not negative")

    def plan(self, ctx: InitContext) -> Plan:
        """Place the tokens that move; every other row stays uncovered, so the poor model's row stays."""
        poor = ctx.resources.poor_model()
        links = link_tokens(
            ctx.source, ctx.target, ctx.resources.dictionary(), ctx.alignment,
            single_only=self.multi_token == "skip", shared=self.shared_surfaces,
        )  # fmt: skip
        trained = poor.counts[links.target_ids] >= self.min_count
        if trained.sum() < 2:
            raise LexigraftError(
                "tema has no references: too few dictionary words are one well-trained target token",
                f"{len(links)} links, {int(trained.sum())} with at least {self.min_count} occurrences",
                "Give a larger dictionary or corpus, or lower min_count",
            )
        return self._dense(ctx, poor, links, trained)

    def _dense(self, ctx: InitContext, poor: PoorModel, links: WordLinks, trained: np.ndarray) -> dict[Role, Dense]:
        moving = ~trained if self.move == "rare" else np.ones(len(links), np.bool_)
        at = {int(i): n for n, i in enumerate(ctx.target_ids)}
        plans: dict[Role, Dense] = {}
        for role in sorted(poor.tables):
            rows = poor.tables[role][ctx.target_ids].clone()
            covered = np.zeros(len(ctx.target_ids), np.bool_)
            moved_ids = links.target_ids[moving]
            if role is not Role.BIAS:
                rich = ctx.tables.get(role, ctx.tables[Role.INPUT])
                placed = place(self, rich, poor.tables[role], links, trained, moving, ctx)
                if self.move == "all":
                    moved_ids, placed = spread_counts(
                        poor.tables[role], moved_ids, placed, ctx.target_ids, self.neighbours, ctx.memory_budget
                    )
                kept = [n for n, i in enumerate(moved_ids.tolist()) if i in at]
                rows[[at[int(moved_ids[n])] for n in kept]] = placed[kept]
            elif self.move == "all":
                moved_ids = ctx.target_ids
            covered[[at[int(i)] for i in moved_ids if int(i) in at]] = True
            plans[role] = Dense(rows, covered)
        return plans
