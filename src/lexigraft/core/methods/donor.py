"""Donor model rows of the tokens asked for and of the anchors, matched on bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.plan import Dense, Mix
from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.methods.mixtures import scatter_rows
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.matching.alignment import align

if TYPE_CHECKING:
    import torch

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DonorRows:
    """Which tokens asked for, and which anchors, have a row in the donor.

    Anchors are the text and byte tokens that are matched in the source and have a donor row. A token whose donor
    row is zero counts as having none.

    Attributes:
        wanted: Positions in ``ctx.target_ids`` of the tokens with a donor row, ascending.
        wanted_rows: Their donor ids, as ``wanted``.
        anchors: Target ids of the anchors, ascending.
        anchor_rows: Their donor ids, as ``anchors``.
        source_ids: Their source ids, as ``anchors``.
        tables: The donor's tables by role; no ``OUTPUT`` when it is tied.
    """

    wanted: Ids
    wanted_rows: Ids
    anchors: Ids
    anchor_rows: Ids
    source_ids: Ids
    tables: Mapping[Role, torch.Tensor]

    @classmethod
    def of(cls, ctx: InitContext) -> DonorRows:
        """Match the donor's vocabulary with the target's on bytes, as the source's is."""
        donor = ctx.resources.donor()
        tables: dict[Role, torch.Tensor] = {
            r: donor.tables[r] for r in (Role.INPUT, Role.OUTPUT) if r in ctx.roles and r in donor.tables
        }
        rows = align(donor.vocabulary, ctx.target).source_ids
        filled = np.ones(donor.vocabulary.size, np.bool_)
        for table in tables.values():
            filled &= (table[: donor.vocabulary.size] != 0).any(1).numpy()
        known = _plain(ctx.target) & (rows >= 0)
        known[known] = (filled & _plain(donor.vocabulary))[rows[known]]
        source_ids = ctx.alignment.source_ids
        shared = known & (source_ids >= 0)
        shared[shared] = _plain(ctx.source)[source_ids[shared]]
        anchors, wanted = np.flatnonzero(shared), np.flatnonzero(known[ctx.target_ids])
        return cls(wanted, rows[ctx.target_ids[wanted]], anchors, rows[anchors], source_ids[anchors], tables)

    def only(self, with_evidence: npt.NDArray[np.bool_], target_ids: Ids) -> DonorRows:
        """The same without the tokens that a mask over target ids leaves out."""
        kept, anchors = with_evidence[target_ids[self.wanted]], with_evidence[self.anchors]
        return replace(
            self,
            wanted=self.wanted[kept],
            wanted_rows=self.wanted_rows[kept],
            anchors=self.anchors[anchors],
            anchor_rows=self.anchor_rows[anchors],
            source_ids=self.source_ids[anchors],
        )

    def side(self, role: Role) -> Role:
        """The donor's table for a role: a tied donor's input table is its output table too."""
        return role if role in self.tables else Role.INPUT

    def queries(self, role: Role) -> torch.Tensor:
        """Donor rows of the wanted tokens, float32, ``(wanted, donor width)``."""
        return self.tables[self.side(role)][self.wanted_rows].float()

    def landmarks(self, role: Role) -> torch.Tensor:
        """Donor rows of the anchors, float32, ``(anchors, donor width)``."""
        return self.tables[self.side(role)][self.anchor_rows].float()


def _plain(vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    return vocabulary.surfaces.is_text


def mix_by_role(
    ctx: InitContext, donor: DonorRows, mix_of: Callable[[Role], Mix], *, convex: bool
) -> dict[Role, Mix | Dense]:
    """One Mix for each side of the model, made in the donor's table of that side.

    A head bias belongs to the output side: convex weights apply to it too. Other weights do not, because a combination
    outside the range of the known biases makes a token always or never likely: then it gets the mean bias of the
    anchors.

    Args:
        ctx: What is asked for.
        donor: The donor's rows.
        mix_of: Makes the Mix of the wanted tokens for a side, shape ``(wanted, source)``; called once for each donor
            table in use.
        convex: Whether every row's weights are at least 0 and sum to 1.

    Returns:
        A plan for every role, all covering the same rows.
    """
    sides = {role: donor.side(role) for role in (Role.INPUT, Role.OUTPUT) if role in ctx.roles}
    mixes = {side: mix_of(side) for side in dict.fromkeys(sides.values())}
    covered = np.logical_and.reduce([mix.covered for mix in mixes.values()])
    kept = donor.wanted[covered]
    mask = np.zeros(len(ctx.target_ids), np.bool_)
    mask[kept] = True
    placed = {side: scatter_rows(mix.take(np.flatnonzero(covered)), mask) for side, mix in mixes.items()}
    plans: dict[Role, Mix | Dense] = {role: placed[side] for role, side in sides.items()}
    if Role.BIAS in ctx.roles:
        plans[Role.BIAS] = plans.get(Role.OUTPUT, plans[Role.INPUT]) if convex else mean_bias(ctx, donor, kept)
    return plans


def rows_by_role(
    ctx: InitContext, donor: DonorRows, rows_of: Callable[[Role], torch.Tensor], covered: npt.NDArray[np.bool_]
) -> dict[Role, Dense]:
    """Finished rows for each side of the model; a head bias gets the mean bias of the anchors.

    Args:
        ctx: What is asked for.
        donor: The donor's rows.
        rows_of: Makes the rows of the wanted tokens for a role, float32, ``(wanted, hidden)``.
        covered: Which of the wanted rows count, bool, ``(wanted,)``.

    Returns:
        A plan for every role, all covering the same rows.
    """
    import torch

    kept = donor.wanted[covered]
    mask = np.zeros(len(ctx.target_ids), np.bool_)
    mask[kept] = True
    plans = {}
    for role in sorted(ctx.roles - {Role.BIAS}):
        rows = torch.zeros(len(mask), ctx.table(role).shape[1])
        if len(kept):
            rows[kept] = rows_of(role)[torch.from_numpy(covered)]
        plans[role] = Dense(rows, mask)
    if Role.BIAS in ctx.roles:
        plans[Role.BIAS] = mean_bias(ctx, donor, kept)
    return plans


def mean_bias(ctx: InitContext, donor: DonorRows, kept: Ids) -> Dense:
    """The mean bias of the anchors for the rows at some positions."""
    import torch

    bias, mask = torch.zeros(len(ctx.target_ids)), np.zeros(len(ctx.target_ids), np.bool_)
    mask[kept] = True
    if len(kept):
        bias[kept] = ctx.table(Role.BIAS)[donor.source_ids].mean()
    return Dense(bias, mask)
