"""Mean resizing of transformers: the rows that `resize_token_embeddings` makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class HfMeanResizing(Strategy):
    """The rows of transformers' `resize_token_embeddings(mean_resizing=True)`: the mean with a trace of noise.

    Rows are drawn from N(mean, 1e-9 covariance) when that covariance is positive definite, else they are the mean; a
    head bias is drawn from N(mean, 1e-9 deviation). All rows of the table count, padding rows included.

    Source: transformers, `PreTrainedModel.resize_token_embeddings`, after Hewitt 2021.
    Needs: nothing.
    Relations: `mean` without the noise.
    """

    name: ClassVar[str] = "hf_mean_resizing"
    epsilon: float = 1e-9

    def plan(self, ctx: InitContext) -> Plan:
        """Draw rows table by table."""
        n = len(ctx.target_ids)
        ordered = [role for role in Role if role in ctx.roles]
        # transformers takes the mean of all rows that are stored, padding among them
        return {role: Dense(self._rows(ctx.tables[role], n, ctx.generator)) for role in ordered}

    def _rows(self, table: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
        import torch

        if table.ndim == 1:
            return table.mean() + self.epsilon * table.std() * torch.randn(n, generator=generator)
        mean = table.mean(0)
        centred = table - mean
        covariance = self.epsilon * (centred.T @ centred / len(table))
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if int(failed):
            return mean.expand(n, -1).clone()
        return mean + torch.randn(n, table.shape[1], generator=generator) @ factor.T
