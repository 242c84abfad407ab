"""Initial rows for strategies that learn, made by other strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.chains import named_chain
from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class StartingRows:
    """Initial rows, in an order that does not depend on the order of the rows asked for.

    Attributes:
        ids: Target ids: those asked for, ascending, then the other new ones, ascending.
        rows: Their rows by role, float32, ``(ids, hidden)``; the bias ``(ids,)``.
        covered: Which rows the named strategies made; the others are the fallback's, ``(ids,)``.
        mix: The source rows that they are made of.
    """

    ids: npt.NDArray[np.int64]
    rows: Mapping[Role, torch.Tensor]
    covered: npt.NDArray[np.bool_]
    mix: Mix

    @classmethod
    def of(cls, names: str, ctx: InitContext) -> StartingRows:
        """Make the rows.

        Args:
            names: As for :func:`lexigraft.core.grafting.chains.named_chain`.
            ctx: The context with the rows asked for.
        """
        chain = named_chain(names)
        built = build_rows(chain, ctx)
        asked = np.sort(ctx.target_ids)
        ids = np.concatenate([asked, np.setdiff1d(ctx.alignment.new, asked)])
        made_by = {s.name for s in chain}
        covered = np.array([built.provenance.rules[i] in made_by for i in ids.tolist()], np.bool_)
        mix = built.provenance.mix.take(ids)
        return cls(ids, {role: built.tables[role][ids].clone() for role in ctx.roles}, covered, mix)

    def plan(
        self, ctx: InitContext, changed: Mapping[Role, torch.Tensor], learned: npt.NDArray[np.bool_]
    ) -> dict[Role, Dense]:
        """Finished rows in the order asked.

        Args:
            ctx: The context with the rows asked for.
            changed: Trained rows for the first ids, as many as ``learned``.
            learned: Which of those rows were trained, and so are covered even where no initial row was.
        """
        import torch

        places = np.searchsorted(self.ids[: len(ctx.target_ids)], ctx.target_ids)
        covered = self.covered[places] | learned[places]
        mix = self.mix.take(places)
        at = torch.from_numpy(places)
        return {
            role: Dense(changed.get(role, rows).detach().cpu()[at], covered, mix) for role, rows in self.rows.items()
        }
