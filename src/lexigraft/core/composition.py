"""Strategies inside strategies: rows that another strategy (or chain) would give, as a place to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.registry import make
from lexigraft.core.rows import build_rows
from lexigraft.core.strategy import Body, InitContext, Need, Role, Strategy

if TYPE_CHECKING:
    import torch


def named_chain(names: str) -> list[Strategy]:
    """Strategies with their default fields from ``"focus"`` or ``"focus,subword_mean"``.

    Raises:
        LexigraftError: An unknown strategy.
        ValueError: No name, or one that keeps another body than the source's.
    """
    chain: list[Strategy] = [make("strategy", name.strip()) for name in names.split(",") if name.strip()]
    if not chain:
        raise ValueError("name at least one strategy to start from")
    if other := [s.name for s in chain if s.body is not Body.SOURCE]:
        raise ValueError(f"cannot start from {', '.join(other)}: it keeps the poor model's body")
    return chain


def named_needs(names: str) -> frozenset[Need]:
    """What the named strategies need."""
    return frozenset().union(*(s.effective_needs() for s in named_chain(names)))


def start_rows(names: str, ctx: InitContext) -> dict[Role, torch.Tensor]:
    """The finished rows that the named strategies give for ``ctx.target_ids``; what they leave gets the fallback.

    Args:
        names: As for :func:`named_chain`.
        ctx: Whose rows are asked for.

    Returns:
        float32 by role, ``(asked, hidden)``, the bias ``(asked,)``: fresh tensors.
    """
    tables = build_rows(named_chain(names), ctx).tables
    return {role: tables[role][ctx.target_ids].clone() for role in ctx.roles}
