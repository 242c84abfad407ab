"""Script and position heuristic: random rows around source tokens of the same script and word position."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.moments import mean_and_deviation
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.unicode_script import script
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

Cell = tuple[str, ...]


@dataclass(frozen=True)
class ScriptPosition(Strategy):
    """Each new row drawn around the source tokens of its script at the same position in a word.

    ``row ~ N(mean, deviation)`` per dimension over the source's text tokens of the same cell: Unicode script (of the
    first character that has one; tokens without one share a cell) by word-initial or not. A cell of fewer than
    `min_tokens` is replaced by the whole script, then by the position, then by all text tokens (these steps are this
    project's). A head bias gets the cell's mean.

    Source: Downey et al., "Embedding structure matters", MRL 2023; "heuristics" in the comparison of Yamaguchi et al.,
    "An empirical study on cross-lingual vocabulary adaptation", Findings of EMNLP 2024.
    Needs: nothing.
    Relations: `random` with one cell for everything.
    """

    name: ClassVar[str] = "script_position"
    min_tokens: int = 10

    def __post_init__(self) -> None:
        if self.min_tokens < 2:
            raise ValueError("min_tokens must be at least 2")

    def plan(self, ctx: InitContext) -> Plan:
        """Find each token's cell, then draw table by table."""
        members = _members(ctx.source)
        enough = {cell for cell, ids in members.items() if len(ids) >= self.min_tokens}
        groups: defaultdict[Cell, list[int]] = defaultdict(list)
        for n, i in enumerate(ctx.target_ids.tolist()):
            groups[next((c for c in _cells(ctx.target, i) if c in enough), ())].append(n)
        found = [(members[cell], rows) for cell, rows in groups.items() if len(members[cell])]
        covered = np.zeros(len(ctx.target_ids), np.bool_)
        covered[[n for _, rows in found for n in rows]] = True
        ordered = [role for role in Role if role in ctx.roles]
        return {role: Dense(_rows(ctx, ctx.table(role), found), covered) for role in ordered}


def _cells(vocabulary: Vocabulary, i: int) -> tuple[Cell, ...]:
    """A token's cells from the narrowest to the widest."""
    written, place = script(vocabulary, i), "initial" if vocabulary.starts[i] else "medial"
    return ("script", written, place), ("script", written), ("place", place), ()


def _members(source: Vocabulary) -> defaultdict[Cell, npt.NDArray[np.int64]]:
    """The source's text tokens of each cell."""
    members: defaultdict[Cell, list[int]] = defaultdict(list)
    for i in np.flatnonzero(source.surfaces.kinds == Kind.TEXT).tolist():
        for cell in _cells(source, i):
            members[cell].append(i)
    return defaultdict(lambda: np.zeros(0, np.int64), {c: np.array(ids, np.int64) for c, ids in members.items()})


def _rows(ctx: InitContext, table: torch.Tensor, found: list[tuple[npt.NDArray[np.int64], list[int]]]) -> torch.Tensor:
    """One draw for each row asked for, in that order, shifted and scaled to its cell."""
    import torch

    asked = len(ctx.target_ids)
    drawn = torch.zeros(asked) if table.ndim == 1 else torch.randn(asked, table.shape[1], generator=ctx.generator)
    columns, rows = (t if t.ndim == 2 else t.unsqueeze(1) for t in (table, drawn))
    for ids, here in found:
        mean, deviation = mean_and_deviation(columns, ids, ctx.memory_budget)
        rows[here] = mean + deviation * rows[here]
    return drawn
