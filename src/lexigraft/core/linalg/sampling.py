"""Random rows from a normal distribution fitted to the source table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lexigraft.core.linalg.moments import mean_and_deviation, mean_row

if TYPE_CHECKING:
    import torch

Draw = Callable[[int, "torch.Generator"], "torch.Tensor"]
"""Draws n rows, float32, ``(n, hidden)``, or n values of a bias, ``(n,)``, with a generator."""


def normal_draw(table: torch.Tensor) -> Draw:
    """Rows drawn from N(mean, deviation) of a table, per dimension; a bias gets its mean.

    Args:
        table: Source table, ``(source, hidden)``, or the bias, ``(source,)``.
    """
    import torch

    if table.ndim == 1:
        return mean_draw(table)
    mean, deviation = mean_and_deviation(table)
    return lambda n, generator: torch.randn(n, len(mean), generator=generator).mul_(deviation).add_(mean)


def mean_draw(table: torch.Tensor) -> Draw:
    """The mean row of a table, ``(source, hidden)``, or the mean of a bias, ``(source,)``, repeated."""
    mean = mean_row(table)
    return lambda n, generator: _repeated(mean, n)


def normal_rows(table: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """All rows of a :func:`normal_draw` at once, ``(n, hidden)`` or ``(n,)``."""
    return normal_draw(table)(n, generator)


def mean_rows(table: torch.Tensor, n: int) -> torch.Tensor:
    """The mean row (or mean bias), n times."""
    return _repeated(mean_row(table), n)


def _repeated(row: torch.Tensor, n: int) -> torch.Tensor:
    return row.expand(n, *row.shape).clone()
