"""Span alignment: mean of the source tokens that overlap the token in target text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.tokenization.matching.span_overlap import overlapping_runs


@dataclass(frozen=True)
class SpanAlign(Strategy):
    """Each new row is the average, over its occurrences in target text, of the source rows that overlap it there.

    ``row = sum_r count(r) / total * mean(E_source[r])`` over the runs r of source tokens whose bytes overlap the
    token's in the first `max_lines` lines, each cut by both tokenizers. Unlike the pieces of the token by itself, a run
    depends on the surrounding word, and its outer tokens may extend beyond the token. Special and unknown tokens are
    left out; a token that does not occur gets the mean of its own pieces.

    Source: Yamaguchi, Villavicencio & Aletras, "How Can We Effectively Expand the Vocabulary of LLMs with 0.01GB of
    Target Language Text?", Computational Linguistics 2026 ("Align").
    Needs: target text.
    Relations: `subword_mean` splits the token alone; the authors fill tokens that do not occur along the merge tree.
    """

    name: ClassVar[str] = "span_align"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TRAINING})
    convex: ClassVar[bool] = True
    max_lines: int = 30_000

    def __post_init__(self) -> None:
        if self.max_lines < 1:
            raise ValueError("max_lines must be at least 1")

    def plan(self, ctx: InitContext) -> Plan:
        """Count the runs that overlap every token asked for and average them."""
        lines = ctx.resources.training().lines[: self.max_lines]
        runs = overlapping_runs(ctx.source, ctx.target, lines, ctx.target_ids)
        surfaces = ctx.target.surfaces
        rows = []
        for i in ctx.target_ids.tolist():
            pieces = () if i in runs else tuple(ctx.source.pieces(surfaces.texts[i], bool(surfaces.starts[i])))
            rows.append(_mean_of_means(runs.get(i, Counter({pieces: 1} if pieces else {}))))
        return Mix.from_rows(rows)


def _mean_of_means(runs: Counter[tuple[int, ...]]) -> tuple[list[int], list[float]]:
    weights: dict[int, float] = {}
    total = sum(runs.values())
    for run, count in sorted(runs.items()):
        for j in run:
            weights[j] = weights.get(j, 0.0) + count / total / len(run)
    return list(weights), list(weights.values())
