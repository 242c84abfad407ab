"""Learned mixture (VocADT): weights over source rows trained on the language model's loss with a frozen body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.chains import named_chain, named_needs
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.learned_weights import FreeWeights, aligned, mixable, steepest, widened
from lexigraft.core.methods.row_learning import RowLearning
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LearnedMixture(Strategy):
    """Each new row is a combination of source rows whose weights minimize the language model's loss on target text.

    ``E_new = A E_source`` and, in untied models, ``U_new = A' U_source`` (the head bias follows A'); A and A' are
    trained by the model's own objective on text that the target tokenizer split, everything else is frozen. They begin
    as the mixtures of `start` and need not stay convex, as in the paper. There A is a full matrix, target by
    source, with more weights than the tables have numbers; here a token combines the source rows that `start` mixes for
    it and the `candidates` along which the loss changes fastest, found from the gradient over the first
    `candidate_steps` batches; those begin with weight 0. Matched tokens keep their copied rows (the paper trains
    them and adds a loss that keeps them close). Adam, warm-up over a tenth of the steps, then linearly to 0. Tokens
    that `start` does not mix stay uncovered, tokens that the text does not contain keep the mixture of `start`.

    Source: Han et al., "Adapters for Altering LLM Vocabularies: What Languages Benefit the Most?" (VocADT), ICLR 2025
    (arXiv 2410.09644).
    Needs: the source model and target text, and what `start` needs.
    Relations: `constrained_word2vec` learns convex weights from co-occurrences, without the model;
    `token_distillation` learns rows, not weights, from the model's hidden states on the pieces.

    Attributes:
        start: Strategy, or several by commas, whose mixtures are the initial weights.
        candidates: How many source rows the gradient adds for each token.
        candidate_steps: Batches whose gradient chooses them.
        max_steps: Batches to train on, at most.
        epochs: Passes over the text, at most.
        batch_size: Sequences in a batch.
        sequence_length: Tokens in a sequence.
        learning_rate: Adam's, at its highest.
    """

    name: ClassVar[str] = "learned_mixture"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MODEL, Need.TRAINING})
    start: str = "subword_mean"
    candidates: int = 16
    candidate_steps: int = 8
    max_steps: int = 200
    epochs: int = 3
    batch_size: int = 16
    sequence_length: int = 128
    learning_rate: float = 0.003

    def __post_init__(self) -> None:
        if not self.start.strip():
            raise ValueError("name at least one strategy to start from")
        if (
            min(self.batch_size, self.candidate_steps, self.epochs) < 1
            or self.sequence_length < 8
            or self.learning_rate <= 0
        ):
            raise ValueError(
                "batch_size, candidate_steps and epochs must be at least 1, sequence_length 8, learning_rate above 0"
            )
        if min(self.candidates, self.max_steps) < 0:
            raise ValueError("candidates and max_steps must not be negative")

    def required_needs(self) -> frozenset[Need]:
        """The model and text, and what `start` needs."""
        return self.needs | named_needs(self.start)

    def plan(self, ctx: InitContext) -> Plan:
        """Make the initial mixtures, choose supports, train the weights."""
        initial = build_rows(named_chain(self.start), ctx)
        asked = np.unique(ctx.target_ids)
        own = initial.provenance.mix.take(asked)
        ids, own = asked[own.covered], own.take(np.flatnonzero(own.covered))
        if len(ids) < len(asked):
            ctx.journal.note(
                f"{self.name}: {self.start} mixes no source rows for {len(asked) - len(ids):,} of {len(asked):,} "
                "tokens; they are left to the next strategy"
            )
        at = np.where(np.isin(ctx.target_ids, ids), np.searchsorted(ids, ctx.target_ids), -1)
        if not len(ids) or not self.max_steps:
            return own.take(at)
        learned = _learned_weights(self, ctx, initial, ids, own)
        return {role: weights.mix().take(at) for role, weights in learned.items()}


def _learned_weights(
    own: LearnedMixture, ctx: InitContext, initial: Rows, ids: Ids, mixes: Mix
) -> dict[Role, FreeWeights]:
    """Graft the model, tokenize the text, choose the source rows that each token may use, train their weights."""
    learning = RowLearning.of(ctx, initial, ids, own.name, own.sequence_length, own.batch_size)
    steps = learning.steps(own.epochs, own.max_steps)
    gradients = learning.summed_gradients(min(own.candidate_steps, steps)) if own.candidates else {}
    by_role: dict[Role, FreeWeights] = {}
    for role in (r for r in (Role.INPUT, Role.OUTPUT) if r in ctx.roles):
        by_role[role] = _weights(own, ctx, role, mixes, gradients.get(role))
    if Role.BIAS in ctx.roles:
        by_role[Role.BIAS] = by_role[Role.OUTPUT if Role.OUTPUT in ctx.roles else Role.INPUT]
    leaves = [p for role, weights in by_role.items() if role is not Role.BIAS for p in weights.parameters]

    def rows() -> dict[Role, torch.Tensor]:
        return {
            role: weights.rows(aligned(ctx.table(role)) if role is Role.BIAS else None)
            for role, weights in by_role.items()
        }

    learning.learn(rows, leaves, steps, own.learning_rate, f"rows of {own.start}")
    return by_role


def _weights(
    own: LearnedMixture, ctx: InitContext, role: Role, mixes: Mix, gradients: torch.Tensor | None
) -> FreeWeights:
    table = aligned(ctx.table(role))
    if gradients is None:
        return FreeWeights.of(table, mixes)
    usable = np.flatnonzero(mixable(ctx.source))
    extra = steepest(gradients, table, usable, own.candidates, ctx.memory_budget, either_way=True)
    extra[~gradients.any(dim=1).numpy()] = -1
    return FreeWeights.of(table, widened(mixes, extra, 0.0))
