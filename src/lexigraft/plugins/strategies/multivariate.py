"""Multivariate normal: random rows with the mean and covariance of the source rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.moments import factor, mean_and_covariance
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Multivariate(Strategy):
    """Each new row drawn from a normal with the mean and the whole covariance of the source rows.

    ``row ~ N(mu, s Sigma)``, ``Sigma = sum_i (E_i - mu)(E_i - mu)^T / n``, each table with its own ``mu``, ``Sigma``.
    `covariance: scaled` takes ``s = scale`` (1e-5 in Hewitt's code: nearly the mean, so that no new token takes
    probability from the old ones), `full` takes ``s = 1``. A covariance without full rank is used as it is: rows then
    stay in the space that the source rows span. A head bias is drawn likewise and kept inside the range of the source
    biases.

    Source: Hewitt, "Initializing new word embeddings for pretrained language models", 2021; the baseline of Mundra et
    al., CoNLL 2024.
    Needs: nothing.
    Relations: `random` draws each dimension by itself; `mean` is its center; mergekit's `john_hewitt` is
    `covariance: full`.
    """

    name: ClassVar[str] = "multivariate"
    covariance: Literal["full", "scaled"] = "scaled"
    scale: float = 1e-5

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError("scale must be above 0")

    def plan(self, ctx: InitContext) -> Plan:
        """Draw rows table by table."""
        ordered = [role for role in Role if role in ctx.roles]
        return {role: Dense(self._rows(ctx, ctx.table(role))) for role in ordered}

    def _rows(self, ctx: InitContext, table: torch.Tensor) -> torch.Tensor:
        import torch

        columns = table if table.ndim == 2 else table.unsqueeze(1)
        mean, covariance = mean_and_covariance(columns, ctx.memory_budget)
        scaled = covariance * (self.scale if self.covariance == "scaled" else 1.0)
        noise = torch.randn(len(ctx.target_ids), columns.shape[1], generator=ctx.generator)
        rows = mean.float() + noise @ factor(scaled).float().T
        return rows if table.ndim == 2 else rows.squeeze(1).clamp(table.min(), table.max())
