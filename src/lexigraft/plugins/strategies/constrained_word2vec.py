"""Constrained word2vec: convex mixture of source rows, with weights trained by skip-gram on target text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.chains import named_chain, named_needs
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.learned_weights import (
    FullHull,
    Hull,
    SparseHull,
    aligned,
    convex_part,
    mixable,
    steepest,
    widened,
)
from lexigraft.core.methods.pieces import by_role
from lexigraft.core.methods.row_optimizer import SECONDS_BETWEEN_REPORTS
from lexigraft.core.methods.word2vec import SkipGram, token_stream
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ConstrainedWord2vec(Strategy):
    """Each new row is a convex mixture of source rows; word2vec on target text learns the weights.

    ``W_new = softmax(A) W_source``, W_source frozen: for any A, rows stay inside the convex hull of the source rows, so
    that no new token can outscore all old ones. Skip-gram with negative sampling runs over target text as the target
    tokenizer splits it; tokens shared with the source keep their source rows. With one table the scores are
    ``W_c . W_o``; untied models learn a second A for the head, ``W_c . V_o``, and a head bias follows the head's
    mixture. Pairs are counted once and the noise is taken in expectation; a step is the pairs of a block of centers.

    `support: candidates`, the default, gives each token a softmax over the source rows that `start` mixes for it and
    over the few along which the loss falls fastest from there, found in one pass over the source table (the first step
    of Frank & Wolfe 1956). `support: full` is the paper's, a softmax over every source row with A = A1 A2 of inner
    dimension `rank`: each step weighs every source row for every new token, hours of work where the other takes
    minutes. The paper's text is code-mixed by means of parallel sentences; here the shared tokens link new tokens to
    old ones. Frequent tokens are sub-sampled by their share of the text (Mikolov et al. 2013, equation 5; the authors'
    RoBERTa code has raw counts there). Tokens that `start` does not mix and the text does not contain stay uncovered.

    Source: Mundra et al., "An Empirical Comparison of Vocabulary Expansion and Initialization Approaches for Language
    Models", CoNLL 2024 (arXiv 2407.05841).
    Needs: target text, and what `start` needs.
    Relations: `focus` and `subword_mean` mix without learning; `learned_mixture` uses the language model's loss.

    Attributes:
        start: Strategy, or several by commas, whose mixtures are the initial weights.
        support: Which source rows a token may use.
        candidates: How many source rows the text adds for each token.
        candidate_share: The part of a token's initial weight that they get.
        rank: Inner dimension of A where the support is full.
        window: Reach to each side, in tokens.
        negatives: Noise tokens for each pair, drawn by occurrences to the power of 0.75.
        subsampling: Share of the text above which a token is sub-sampled; 0 keeps everything.
        epochs: Passes over the text.
        centres: Tokens whose pairs make one step.
        learning_rate: Adam's.
    """

    name: ClassVar[str] = "constrained_word2vec"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TRAINING})
    convex: ClassVar[bool] = True
    start: str = "subword_mean"
    support: Literal["candidates", "full"] = "candidates"
    candidates: int = 16
    candidate_share: float = 0.1
    rank: int = 1024
    window: int = 5
    negatives: int = 5
    subsampling: float = 1e-3
    epochs: int = 5
    centres: int = 256
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        if not self.start.strip():
            raise ValueError("name at least one strategy to start from")
        if min(self.rank, self.window, self.negatives, self.centres) < 1:
            raise ValueError("rank, window, negatives and centres must be at least 1")
        if min(self.candidates, self.epochs, self.subsampling) < 0:
            raise ValueError("candidates, epochs and subsampling must not be negative")
        if not 0 < self.candidate_share < 1 or self.learning_rate <= 0:
            raise ValueError("candidate_share must lie between 0 and 1, learning_rate above 0")

    def required_needs(self) -> frozenset[Need]:
        """Target text, and what `start` needs."""
        return self.needs | named_needs(self.start)

    def plan(self, ctx: InitContext) -> Plan:
        """Count pairs, choose supports, learn the weights."""
        import torch

        asked = np.unique(ctx.target_ids)
        if not len(asked):
            return Mix.from_rows([])
        initial = build_rows(named_chain(self.start), ctx)
        task = self._task(ctx, [initial.tables[role] for role in (Role.INPUT, Role.OUTPUT) if role in ctx.roles])
        before, downhill = task.gradients(task.centres)
        own = convex_part(initial.provenance.mix.take(asked))
        met = task.pairs.totals[asked] > 0
        covered = met | (own.covered & (self.support == "candidates"))
        ids = asked[covered]
        hulls = [
            self._hull(ctx, role, gradient[torch.from_numpy(ids)], own.take(np.flatnonzero(covered)), met[covered])
            for role, gradient in zip((Role.INPUT, Role.OUTPUT), downhill, strict=False)
        ]
        if len(ids):
            self._learn(ctx, task, hulls, ids)
        after, _ = task.gradients(task.centres)
        ctx.journal.spend(task.tokens * (self.epochs + 1))
        ctx.journal.note(
            f"{self.name}: {self.epochs} times over {task.tokens:,} tokens of text, "
            f"{before:.4f} nats a pair at the start, {after:.4f} at the end"
        )
        return self._plan(ctx, hulls, np.where(np.isin(ctx.target_ids, ids), np.searchsorted(ids, ctx.target_ids), -1))

    def _task(self, ctx: InitContext, tables: Sequence[torch.Tensor]) -> SkipGram:
        return SkipGram.of(
            token_stream(ctx.target, ctx.resources.training().lines, mixable(ctx.target)),
            tables,
            window=self.window,
            negatives=self.negatives,
            subsampling=self.subsampling,
            generator=ctx.generator,
        )

    def _hull(
        self, ctx: InitContext, role: Role, gradients: torch.Tensor, own: Mix, met: npt.NDArray[np.bool_]
    ) -> Hull:
        """The initial weights of some rows in one table."""
        table = aligned(ctx.table(role))
        usable = np.flatnonzero(mixable(ctx.source))
        if self.support == "full":
            return FullHull.of(
                table, usable, len(own), rank=self.rank, generator=ctx.generator, budget=ctx.memory_budget
            )
        extra = steepest(gradients, table, usable, self.candidates, ctx.memory_budget)
        extra[~met] = -1
        return SparseHull.of(table, widened(own, extra, self.candidate_share))

    def _learn(self, ctx: InitContext, task: SkipGram, hulls: Sequence[Hull], ids: Ids) -> None:
        """Adam on the weights; the finished rows end up in the task's tables."""
        import torch

        places = torch.from_numpy(ids)
        optimizer = torch.optim.Adam([p for hull in hulls for p in hull.parameters], lr=self.learning_rate)
        steps = list(self._steps(task.centres, ctx.generator))
        reported = time.monotonic()
        for step, block in enumerate([*steps, None]):
            rows = [hull.rows() for hull in hulls]
            for table, made in zip(task.tables, rows, strict=True):
                table[places] = made.detach()
            if block is None:
                return
            loss, gradients = task.gradients(block)
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                ctx.logger.info("%s: step %d of %d, %.4f nats a pair", self.name, step + 1, len(steps), loss)
            optimizer.zero_grad()
            for trained, gradient in zip(rows, gradients, strict=True):
                trained.backward(gradient[places])
            optimizer.step()

    def _steps(self, centres: Ids, generator: torch.Generator) -> Iterator[Ids]:
        import torch

        for _ in range(self.epochs):
            order = centres[torch.randperm(len(centres), generator=generator).numpy()]
            for start in range(0, len(order), self.centres):
                yield order[start : start + self.centres]

    def _plan(self, ctx: InitContext, hulls: Sequence[Hull], at: Ids) -> Plan:
        """The rows at some positions of the hulls, uncovered where the position is -1."""
        import torch

        input_mix, output_mix = hulls[0], hulls[-1]
        if isinstance(input_mix, SparseHull) and isinstance(output_mix, SparseHull):
            return by_role(ctx.roles, input_mix.mix().take(at), output_mix.mix().take(at))
        plans = {}
        for role in sorted(ctx.roles):
            hull = input_mix if role is Role.INPUT else output_mix
            assert isinstance(hull, FullHull)
            made = hull.rows(ctx.table(role)).detach()
            rows = made.new_zeros(len(at), *made.shape[1:])
            rows[torch.from_numpy(np.flatnonzero(at >= 0))] = made[torch.from_numpy(at[at >= 0])]
            plans[role] = Dense(rows, at >= 0)
        return plans
