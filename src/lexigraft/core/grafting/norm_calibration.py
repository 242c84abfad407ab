"""Rescaling of new rows to the L2 norms of source rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.strategy import InitContext
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.unicode_script import script

if TYPE_CHECKING:
    import torch


def calibrate(tables: Mapping[Role, torch.Tensor], ctx: InitContext, ids: npt.NDArray[np.int64], kind: str) -> None:
    """Rescale the given rows of the input and output tables in place.

    ``anchors``: every row gets the mean L2 norm of the copied text rows. ``script``: every row gets the median norm of
    the source tokens of its Unicode script (Joshi et al. 2026, BIL). ``none``: nothing changes.
    """
    if kind == "none" or not len(ids):
        return
    for role in (Role.INPUT, Role.OUTPUT):
        if role in tables:
            wanted = _anchor_norms(ctx, role, ids) if kind == "anchors" else script_norms(ctx, role, ids)
            tables[role][ids] = rescaled(tables[role][ids], wanted)


def rescaled(rows: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
    """Rows of shape ``(n, hidden)`` brought to L2 norms of shape ``(n,)``; rows of zeros stay zeros."""
    return rows * (norms / rows.norm(dim=1).clamp_min(1e-12)).unsqueeze(1)


def script_norms(ctx: InitContext, role: Role, ids: npt.NDArray[np.int64]) -> torch.Tensor:
    """The median L2 norm of the source's text tokens of each target token's script, float32 ``(ids,)``.

    A script that the source lacks gets the median over all its tokens.
    """
    import torch

    norms = ctx.table(role).norm(dim=1).numpy()
    by_script: dict[str, list[int]] = {}
    for i in np.flatnonzero(ctx.source.surfaces.kinds == Kind.TEXT).tolist():
        by_script.setdefault(script(ctx.source, i), []).append(i)
    medians = {name: float(np.median(norms[members])) for name, members in by_script.items()}
    overall = float(np.median(norms))
    return torch.tensor([medians.get(script(ctx.target, i), overall) for i in ids.tolist()], dtype=torch.float32)


def _anchor_norms(ctx: InitContext, role: Role, ids: npt.NDArray[np.int64]) -> torch.Tensor:
    import torch

    matched = ctx.alignment.matched
    text = matched[ctx.target.surfaces.kinds[matched] == Kind.TEXT]
    source_ids = ctx.alignment.source_ids[text] if len(text) else np.arange(ctx.source.size)
    return torch.full((len(ids),), float(ctx.table(role)[source_ids].norm(dim=1).mean()))
