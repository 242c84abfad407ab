"""Token Distillation: input rows trained to reproduce the hidden states of a token's pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lexigraft.core.grafting.chains import named_needs
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.distillation import TwoReadings
from lexigraft.core.methods.new_token_loss import joined_losses, prediction
from lexigraft.core.methods.occurrences import Snippet, frame, gather, whole_pieces
from lexigraft.core.methods.row_optimizer import batches, learn_rows, planned_steps
from lexigraft.core.methods.starting_rows import StartingRows
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch

_LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class TokenDistillation(Strategy):
    """Input rows are trained, with all else frozen, so that the model's hidden states stay the same.

    ``min_e mean ||H(text with the token)_i - H(text with its pieces)_j||^2`` over positions i: the token itself, where
    j is its last piece, and all later ones (in bidirectional models: all), where j is the same word. H is
    the source model's states after `target_layer` layers (-1: all; below 1: that share of them). The target text, as
    the source tokenizer splits it, is searched for the pieces of all new tokens; up to `snippets_per_token` stretches
    of `snippet_length` pieces are taken for each, shared as evenly as `max_steps` batches allow, and every new token in
    them is replaced, longest first. AdamW, warm-up over half a round, then linearly to 0; the paper's rate is 1e-4, for
    many more steps on larger models. Tokens without an occurrence keep the row of `start` (the authors' code drops
    them); a token of one piece takes that piece's row, which is the exact solution; tokens of the same pieces share one
    learned row. `next_token: auto` adds the cross-entropy of prediction, scaled to the size of the first loss (next
    token; where models do not predict that, a masked or left-out new token): it keeps the norms of tied tables in
    bounds. Output rows and biases of untied models are those of `start`, combined from the output table (the authors'
    code averages input rows there), or with `head: learned` trained by that cross-entropy alone.

    Source: Dobler, Elliott & de Melo, "Token Distillation: Attention-aware Input Embeddings for New Tokens", 2025
    (arXiv 2505.20133).
    Needs: the source model and target text.
    Relations: starts from `subword_mean` and corrects the mean of pieces; `attention_matching` compares
    attention instead of hidden states.
    """

    name: ClassVar[str] = "token_distillation"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MODEL, Need.TRAINING})
    start: str = "subword_mean"
    target_layer: float = 1 / 3
    snippet_length: int = 50
    snippets_per_token: int = 25
    next_token: Literal["none", "auto"] = "none"
    head: Literal["start", "learned"] = "start"
    learning_rate: float = 2e-3
    batch_size: int = 16
    epochs: int = 1
    max_steps: int = 200
    max_lines: int = 20_000

    def __post_init__(self) -> None:
        counts = (self.snippet_length, self.snippets_per_token, self.batch_size, self.epochs, self.max_lines)
        if min(counts) < 1 or self.max_steps < 0 or self.learning_rate <= 0 or not self.start.strip():
            raise ValueError("lengths, counts and learning_rate must be above 0, max_steps not negative, start a name")
        if self.target_layer != -1 and self.target_layer <= 0:
            raise ValueError("target_layer must be -1, a share of the layers, or the number of one")

    def required_needs(self) -> frozenset[Need]:
        """The model and text, and whatever `start` needs."""
        return self.needs | named_needs(self.start)

    def plan(self, ctx: InitContext) -> Plan:
        """Make the initial rows, find snippets, train on them."""
        frozen = FrozenModel.of(ctx.resources.model(), ctx.source.size, ctx.device)
        return _Training(self, ctx, frozen, StartingRows.of(self.start, ctx)).plan()


@dataclass(frozen=True, eq=False)
class _Training:
    """One training run. A pattern is a string of source pieces; all tokens that it spells share its one learned row."""

    settings: TokenDistillation
    ctx: InitContext
    frozen: FrozenModel
    start: StartingRows

    @cached_property
    def pieces(self) -> list[tuple[int, ...]]:
        surfaces, asked = self.ctx.target.surfaces, self.start.ids[: len(self.ctx.target_ids)].tolist()
        return [tuple(whole_pieces(self.ctx.source, surfaces.texts[i], bool(surfaces.starts[i]))) for i in asked]

    @cached_property
    def patterns(self) -> list[tuple[int, ...]]:
        return list(dict.fromkeys(p for p in self.pieces if len(p) > 1))

    @cached_property
    def rows(self) -> dict[Role, torch.Tensor]:
        """The new rows of the combined table, one for each pattern, from the first token that it spells."""
        first = {p: n for n, p in reversed(list(enumerate(self.pieces)))}
        at = [first[p] for p in self.patterns]
        rows = {role: table[at].to(self.ctx.device) for role, table in self.start.rows.items()}
        for role in self.learned_roles:
            rows[role].requires_grad_()
        return rows

    @property
    def learned_roles(self) -> list[Role]:
        head = self.settings.head == "learned" and Role.OUTPUT in self.ctx.roles
        return [Role.INPUT, Role.OUTPUT] if head else [Role.INPUT]

    @cached_property
    def layer(self) -> int | None:
        return self.frozen.layer(self.settings.target_layer)

    def plan(self) -> Plan:
        lines = self.ctx.resources.training().lines
        snippets = self._snippets(lines) if self.patterns and self.settings.max_steps else []
        if snippets:
            self._learn(snippets)
        met = {f.pattern for s in snippets for f in s.found}
        number = {p: n for n, p in enumerate(self.patterns) if n in met}
        learned = np.array([p in number or len(p) == 1 for p in self.pieces], np.bool_)
        changed = {role: self.start.rows[role].clone() for role in self.learned_roles}
        for n, p in enumerate(self.pieces):
            if p in number:
                for role in self.learned_roles:
                    changed[role][n] = self.rows[role][number[p]].detach().cpu()
            elif len(p) == 1:
                changed[Role.INPUT][n] = self.ctx.table(Role.INPUT)[p[0]]
        return self.start.plan(self.ctx, changed, learned)

    def _snippets(self, lines: Sequence[str]) -> list[Snippet]:
        import torch

        own = self.settings
        order = torch.randperm(len(lines), generator=self.ctx.generator)[: own.max_lines].tolist()
        room = context_length(self.frozen.model) - sum(map(len, self.frame))
        return gather(
            self._encoded(lines, order),
            self.patterns,
            per_pattern=own.snippets_per_token,
            length=min(own.snippet_length, room),
            most=max(1, own.max_steps * own.batch_size // own.epochs),
        )

    def _encoded(self, lines: Sequence[str], order: Sequence[int]) -> Iterator[list[int]]:
        for at in range(0, len(order), _LINES_AT_ONCE):
            yield from self.ctx.source.encode([lines[n] for n in order[at : at + _LINES_AT_ONCE]])

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        return frame(self.ctx.source)

    @cached_property
    def both_ways(self) -> bool:
        return model_kind(self.frozen.model.config) != "causal"

    def _learn(self, snippets: Sequence[Snippet]) -> None:
        import torch

        own, ctx = self.settings, self.ctx
        steps = planned_steps(len(snippets), own.batch_size, own.epochs, own.max_steps)
        sample = snippets[: own.batch_size]
        with torch.no_grad():
            before = self._gap(sample).item()
        learn_rows(
            [self.rows[role] for role in self.learned_roles],
            self._loss,
            batches(snippets, own.batch_size, steps, ctx.generator),
            steps=steps,
            warm_up=planned_steps(len(snippets), own.batch_size, 1, steps) // 2,
            learning_rate=own.learning_rate,
            logger=ctx.logger,
            name=own.name,
        )
        with torch.no_grad():
            after = self._gap(sample).item()
        ctx.journal.note(
            f"{own.name}: {len(snippets)} snippets, {steps} steps; hidden states of one batch differ from those of the "
            f"pieces by {after:.3g} (squared distance; {before:.3g} with the rows of {own.start})"
        )

    def _read(self, snippets: Sequence[Snippet]) -> tuple[TwoReadings, torch.Tensor]:
        """Teacher and student inputs, and the teacher's states."""
        import torch

        both = TwoReadings.of(snippets, self.frozen.size, self.frame, both_ways=self.both_ways)
        self.ctx.journal.spend(both.tokens)
        with torch.no_grad():
            return both, self.frozen.states(*both.teacher, layer=self.layer)

    def _gap(self, snippets: Sequence[Snippet]) -> torch.Tensor:
        both, wanted = self._read(snippets)
        return both.gap(wanted, self.frozen.states(*both.student, self.rows, self.layer))

    def _loss(self, snippets: Sequence[Snippet]) -> torch.Tensor:
        own = self.settings
        head_only = own.next_token == "none"
        if head_only and Role.OUTPUT not in self.learned_roles:
            return self._gap(snippets)
        both, wanted = self._read(snippets)
        task = prediction(self.frozen, *both.student, self.ctx.source, self.ctx.generator)
        if task.ids is both.student[0]:
            states, logits = self.frozen.states_and_logits(
                *both.student, self.rows, self.layer, at=task.at, head_only=head_only
            )
            entropy = task.cross_entropy(logits)
        else:
            self.ctx.journal.spend(task.tokens)
            states = self.frozen.states(*both.student, self.rows, self.layer)
            entropy = task.loss(self.frozen, self.rows, head_only=head_only)
        return joined_losses(both.gap(wanted, states), task, entropy, head_only=head_only)
