"""Oracle: the known answer of a cloned language."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.mixtures import shares

CAPITALISED = 0.05
"""Assumed share of a word's occurrences with a capital; it matters only for tokens that both forms share."""


@dataclass(frozen=True)
class Oracle(Strategy):
    """On a cloned language, each new row is the mean of the source rows of the words that the token renames.

    A token that is a whole word gets the mean of its source word's pieces; a token inside several words gets their
    means weighted by how often each word occurs. Only a cloned language has these links.

    Source: this project's known-answer test.
    Needs: the true word links of a cloned language.
    Relations: the 100% point of the recovered share; `random` is the 0% point.
    """

    name: ClassVar[str] = "oracle"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.GOLD_LINKS})
    convex: ClassVar[bool] = True

    def plan(self, ctx: InitContext) -> Plan:
        """Count, over all links, the source pieces that correspond to each target token."""
        links = ctx.resources.gold_links()
        behind: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for (source_word, target_word), count in zip(links.pairs, links.weights or [1.0] * len(links), strict=True):
            for cased, share in ((str, 1.0), (str.capitalize, CAPITALISED)):
                pieces = ctx.source.pieces(cased(source_word).encode(), True)
                for token in ctx.target.pieces(cased(target_word).encode(), True):
                    for piece in pieces:
                        behind[token][piece] += share * count / len(pieces)
        return Mix.from_rows(shares(behind.get(i, {})) for i in ctx.target_ids.tolist())
