"""Ensemble: rows of several strategies, weighted by the language model's loss on target text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.chains import named_chain, named_needs, usable
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Plan
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.mixtures import empty_mix
from lexigraft.core.methods.row_learning import RowLearning
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.token_counts import token_counts

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int64]
MOST_GROUPS = 16


@dataclass(frozen=True)
class Ensemble(Strategy):
    """Each new row is a mean of the rows that several strategies make, weighted by what helps the model on target text.

    ``row_n = sum_k w_gk row_nk`` with ``w_g = softmax(a_g)``: k is a member strategy, g the group of the token n, and a
    is trained by the model's own loss on target text with everything else frozen; input and output rows have weights of
    their own in untied models. Weights begin equal. Groups (`groups`) are tokens that occur about equally often in the
    text, by powers of two: a few hundred numbers are learned, which rare tokens cannot overfit; `one` gives all tokens
    the same weights, `tokens` each its own. A member that does not cover a token has no say in it. Members whose needs
    are not supplied are left out with a note.

    Source: this project; the weighting of embeddings by a task's loss follows Kiela et al. 2018, "Dynamic
    Meta-Embeddings" (arXiv 1804.07983).
    Needs: the source model and target text, and what the members need.
    Relations: `auto` takes one strategy for all tokens; `learned_mixture` learns weights of source rows.

    Attributes:
        members: Strategies, or chains by commas.
        groups: Which tokens share their weights: `one`, `frequency` or `tokens`.
        max_steps: Batches to train on, at most.
        epochs: Passes over the text, at most.
        batch_size: Sequences in a batch.
        sequence_length: Tokens in a sequence.
        learning_rate: Adam's, at its highest.
    """

    name: ClassVar[str] = "ensemble"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MODEL, Need.TRAINING})
    members: tuple[str, ...] = ("focus", "subword_mean")
    groups: Literal["one", "frequency", "tokens"] = "frequency"
    max_steps: int = 50
    epochs: int = 3
    batch_size: int = 16
    sequence_length: int = 128
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise ValueError("members must be at least one, each once")
        for names in self.members:
            if any(s.name == self.name or s.keeps_tokenizer for s in named_chain(names)):
                raise ValueError(f"not a member: {names}")
        if min(self.batch_size, self.epochs) < 1 or self.sequence_length < 8 or self.learning_rate <= 0:
            raise ValueError("batch_size and epochs must be at least 1, sequence_length 8, learning_rate above 0")
        if self.max_steps < 0:
            raise ValueError("max_steps must not be negative")

    def required_needs(self) -> frozenset[Need]:
        """The model and text, and what every member needs."""
        return self.needs | frozenset.intersection(*map(named_needs, self.members))

    def optional_needs(self) -> frozenset[Need]:
        """What any member needs: one whose needs are not met is left out."""
        return frozenset().union(*map(named_needs, self.members))

    def plan(self, ctx: InitContext) -> Plan:
        """Make every member's rows, and learn their weights."""
        able = usable(self.members, self, ctx)
        if not len(ctx.target_ids):
            return empty_mix(0)
        made = [build_rows(named_chain(names), ctx) for names in able]
        asked = np.unique(ctx.target_ids)
        ids = asked[np.isin(asked, np.concatenate([rows.moved for rows in made]))]
        at = np.searchsorted(asked, ctx.target_ids)
        covered = np.isin(asked, ids)
        combined = self._combined(ctx, able, made, ids) if len(ids) else {}
        plan: dict[Role, Dense] = {}
        for role in sorted(ctx.roles):
            rows = made[0].tables[role][asked].clone()
            if role in combined:
                rows[covered] = combined[role]
            plan[role] = Dense(rows[at], covered[at])
        return plan

    def _combined(self, ctx: InitContext, able: list[str], made: list[Rows], ids: Ids) -> dict[Role, torch.Tensor]:
        """The weighted rows of the ids, by role."""
        import torch

        groups = torch.from_numpy(self._groups(ctx, ids))
        covering = torch.from_numpy(np.stack([np.isin(ids, rows.moved) for rows in made], axis=1))
        barred = torch.zeros(covering.shape).masked_fill_(~covering, -torch.inf)
        places = torch.from_numpy(ids)
        parts = {role: [rows.tables[role][places] for rows in made] for role in ctx.roles}
        head = Role.OUTPUT if Role.OUTPUT in ctx.roles else Role.INPUT
        tables = [role for role in (Role.INPUT, Role.OUTPUT) if role in ctx.roles]
        shape = int(groups.max()) + 1, len(made)
        values: dict[Role, torch.Tensor] = {role: torch.zeros(shape, requires_grad=True) for role in tables}

        def weights(role: Role) -> torch.Tensor:
            return (values[head if role is Role.BIAS else role][groups] + barred).softmax(1)

        def rows() -> dict[Role, torch.Tensor]:
            return {role: _weighted(weights(role), members) for role, members in parts.items()}

        if self.max_steps and len(made) > 1:
            learning = RowLearning.of(ctx, made[0], ids, self.name, self.sequence_length, self.batch_size)
            steps = learning.steps(self.epochs, self.max_steps)
            learning.learn(rows, list(values.values()), steps, self.learning_rate, "equal weights")
        with torch.no_grad():
            for role in tables:
                mean = weights(role).mean(0).tolist()
                shown = ", ".join(f"{names} {share:.2f}" for names, share in zip(able, mean, strict=True))
                ctx.journal.note(f"{self.name}: mean weights of {role.value} rows: {shown}")
            return rows()

    def _groups(self, ctx: InitContext, ids: Ids) -> Ids:
        """The group of each id."""
        if self.groups == "one":
            return np.zeros(len(ids), np.int64)
        if self.groups == "tokens":
            return np.arange(len(ids))
        counts = token_counts(ctx.target, ctx.resources.training().lines)[ids]
        powers = np.minimum(np.log2(counts + 1).astype(np.int64), MOST_GROUPS - 1)
        return np.unique(powers, return_inverse=True)[1].astype(np.int64)


def _weighted(weights: torch.Tensor, members: list[torch.Tensor]) -> torch.Tensor:
    """``sum_k w_nk row_nk``, for rows ``(ids, hidden)`` or biases ``(ids,)``."""
    import torch

    parts = [member * weights[:, k].view(-1, *[1] * (member.ndim - 1)) for k, member in enumerate(members)]
    return torch.stack(parts).sum(0)
