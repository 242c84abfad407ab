"""Rows drawn around the source table's own distribution: the fallback, and what the random strategies share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lexigraft.core.moments import mean_and_deviation
from lexigraft.core.strategy import Role

if TYPE_CHECKING:
    import torch


def normal_rows(table: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """Rows drawn from N(mean, deviation) of the table, per dimension; a bias gets its mean.

    Args:
        table: Source table, ``(source, hidden)``, or the bias, ``(source,)``.
        n: How many rows.
        generator: Where the randomness comes from.

    Returns:
        float32, ``(n, hidden)`` or ``(n,)``.
    """
    import torch

    if table.ndim == 1:
        return table.float().mean().expand(n).clone()
    mean, deviation = mean_and_deviation(table)
    rows = torch.randn(n, table.shape[1], generator=generator)
    return rows.mul_(deviation).add_(mean)


def mean_rows(table: torch.Tensor, n: int) -> torch.Tensor:
    """The mean row (or mean bias), n times."""
    return table.float().mean(0).expand(n, *table.shape[1:]).clone()


def fallback_rows(
    tables: Mapping[Role, torch.Tensor], n: int, generator: torch.Generator, kind: str
) -> dict[Role, torch.Tensor]:
    """Rows for tokens that no strategy covers, for every table."""
    if kind == "mean":
        return {role: mean_rows(table, n) for role, table in tables.items()}
    return {role: normal_rows(tables[role], n, generator) for role in Role if role in tables}
