"""Attention matching: input rows trained to keep the attention between segments of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.chains import named_needs
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.attention_influence import influence, influence_gap
from lexigraft.core.methods.distillation import padded
from lexigraft.core.methods.new_token_loss import joined_losses, prediction
from lexigraft.core.methods.occurrences import frame
from lexigraft.core.methods.row_optimizer import batches, learn_rows, planned_steps
from lexigraft.core.methods.starting_rows import StartingRows
from lexigraft.core.models.architecture import context_length, model_kind
from lexigraft.core.models.attention_capture import CapturedAttention, capture_attention, take_captured
from lexigraft.core.models.frozen_model import FrozenModel, Rows
from lexigraft.core.models.tables import Role
from lexigraft.core.tokenization.matching.span_overlap import common_segments

if TYPE_CHECKING:
    import torch

_LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class AttentionMatching(Strategy):
    """Input rows are trained, with all else frozen, so that segments of a text attend to each other as before.

    The teacher (the source model with its own tokens) and the student (the same body with the target tokens: source
    rows for matched ones, learned rows for the new) read the same text, which is cut wherever both end a token. For the
    last token of segment j and each head, ``I(i -> j) = sum over tokens t of segment i of attention(j, t) * value(t)``,
    special tokens being segments of their own; the loss is the mean of ``||I_student - I_teacher||^2`` over pairs of
    segments, heads and the first `layers` of the layers (a share; the rest is not computed). `match: aim_star`
    compares the sums over i instead, the attention outputs. AdamW, warm-up over half a round, then linearly to 0. New
    tokens that never occur in the text that is read keep the row of `start`. `next_token: auto` adds the cross-entropy
    of prediction (next token, or a masked or left-out new token), scaled to the size of the first loss. Output rows and
    biases are those of `start`, or, in untied models with `head: learned`, output rows are learned by that
    cross-entropy.

    Source: Haltiuk & Smywinski-Pohl, "Model-Aware Tokenizer Transfer", 2025 (arXiv 2510.21954).
    Needs: the source model and target text.
    Relations: `token_distillation` compares hidden states in snippets that keep most source tokens; here the student
    reads the text as the target tokenizer splits it. The paper starts from FOCUS: `start: focus`.
    """

    name: ClassVar[str] = "attention_matching"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MODEL, Need.TRAINING})
    start: str = "subword_mean"
    match: Literal["aim", "aim_star"] = "aim"
    layers: float = 1 / 3
    length: int = 64
    next_token: Literal["none", "auto"] = "none"
    head: Literal["start", "learned"] = "start"
    learning_rate: float = 1e-3
    batch_size: int = 8
    epochs: int = 1
    max_steps: int = 300

    def __post_init__(self) -> None:
        if min(self.length, self.batch_size, self.epochs) < 1 or self.max_steps < 0 or self.learning_rate <= 0:
            raise ValueError("length, counts and learning_rate must be above 0, max_steps not negative")
        if not 0 < self.layers <= 1 or not self.start.strip():
            raise ValueError("layers must be a share of the layers above 0 and at most 1, start the name of a strategy")

    def required_needs(self) -> frozenset[Need]:
        """The model and text, and whatever `start` needs."""
        return self.needs | named_needs(self.start)

    def plan(self, ctx: InitContext) -> Plan:
        """Make the initial rows, tokenize texts both ways, train on them."""
        frozen = FrozenModel.of(ctx.resources.model(), ctx.source.size, ctx.device)
        return _Training(self, ctx, frozen, StartingRows.of(self.start, ctx)).plan()


class _Reading(NamedTuple):
    """A text as the teacher or the student reads it: ids, and the segment of each."""

    ids: list[int]
    segments: list[int]


class _Text(NamedTuple):
    """A text as the teacher and the student read it."""

    teacher: _Reading
    student: _Reading
    segments: int


@dataclass(frozen=True, eq=False)
class _Training:
    """One training run."""

    settings: AttentionMatching
    ctx: InitContext
    frozen: FrozenModel
    start: StartingRows

    @cached_property
    def leaves(self) -> dict[Role, torch.Tensor]:
        head = self.settings.head == "learned" and Role.OUTPUT in self.ctx.roles
        asked = len(self.ctx.target_ids)
        return {
            role: self.start.rows[role][:asked].to(self.ctx.device, copy=True).requires_grad_()
            for role in (Role.INPUT, *([Role.OUTPUT] if head else []))
        }

    @property
    def rows(self) -> Rows:
        """The rows of every new target token; those that were not asked for are constant."""
        import torch

        fixed = {role: table.to(self.ctx.device) for role, table in self.start.rows.items()}
        return fixed | {role: torch.cat([leaf, fixed[role][len(leaf) :]]) for role, leaf in self.leaves.items()}

    @cached_property
    def layer(self) -> int | None:
        return self.frozen.layer(self.settings.layers) if self.settings.layers < 1 else None

    @cached_property
    def both_ways(self) -> bool:
        return model_kind(self.frozen.model.config) != "causal"

    def plan(self) -> Plan:
        lines = self.ctx.resources.training().lines
        asked = len(self.ctx.target_ids)
        texts = self._texts(lines) if asked and self.settings.max_steps else []
        if texts:
            self._learn(texts)
        met = {i - self.frozen.size for text in texts for i in text.student.ids}
        learned = np.array([n in met for n in range(asked)], np.bool_)
        changed = {role: self.start.rows[role][:asked].clone() for role in self.leaves}
        for role, leaf in self.leaves.items():
            changed[role][learned] = leaf.detach().cpu()[learned]
        return self.start.plan(self.ctx, changed, learned)

    def _texts(self, lines: Sequence[str]) -> list[_Text]:
        import torch

        own = self.settings
        most = max(1, own.max_steps * own.batch_size // own.epochs)
        order = torch.randperm(len(lines), generator=self.ctx.generator).tolist()
        found: list[_Text] = []
        for at in range(0, len(order), _LINES_AT_ONCE):
            found += self._read([lines[n] for n in order[at : at + _LINES_AT_ONCE]])
            if len(found) >= most:
                break
        return found[:most]

    def _read(self, lines: Sequence[str]) -> list[_Text]:
        """The texts that contain a token asked for, each up to the last common cut that fits."""
        source, target = (v.tokenizer.backend_tokenizer for v in (self.ctx.source, self.ctx.target))
        before, behind = frame(self.ctx.source)
        shift, room = len(before), self._room(len(before) + len(behind))
        asked = range(self.frozen.size, self.frozen.size + len(self.ctx.target_ids))

        def framed(ids: Sequence[int], segments: Sequence[int], number: int) -> _Reading:
            numbers = [*range(shift), *(shift + n for n in segments), *(shift + number + n for n in range(len(behind)))]
            return _Reading([*before, *ids, *behind], numbers)

        texts = []
        read = [b.encode_batch(list(lines), add_special_tokens=False) for b in (source, target)]
        for one, two in zip(*read, strict=True):
            first, second, number = common_segments([e for _, e in one.offsets], [e for _, e in two.offsets])
            number = min([number, *(s[room] for s in (first, second) if len(s) > room)])
            first, second = ([n for n in s if n < number] for s in (first, second))
            student = self.combined[two.ids[: len(second)]].tolist()
            if any(i in asked for i in student):
                teacher = framed(one.ids[: len(first)], first, number)
                texts.append(_Text(teacher, framed(student, second, number), shift + number + len(behind)))
        return texts

    def _room(self, special: int) -> int:
        return min(self.settings.length, context_length(self.frozen.model) - special)

    @cached_property
    def combined(self) -> npt.NDArray[np.int64]:
        """The combined table's id of each target id."""
        ids = self.ctx.alignment.source_ids.copy()
        ids[self.start.ids] = self.frozen.size + np.arange(len(self.start.ids))
        return ids

    def _learn(self, texts: Sequence[_Text]) -> None:
        import torch

        own, ctx = self.settings, self.ctx
        steps = planned_steps(len(texts), own.batch_size, own.epochs, own.max_steps)
        sample = texts[: own.batch_size]
        with capture_attention(self.frozen.model) as seen:
            with torch.no_grad():
                before = self._gap(sample, seen).item()
            learn_rows(
                list(self.leaves.values()),
                lambda batch: self._loss(batch, seen),
                batches(texts, own.batch_size, steps, ctx.generator),
                steps=steps,
                warm_up=planned_steps(len(texts), own.batch_size, 1, steps) // 2,
                learning_rate=own.learning_rate,
                logger=ctx.logger,
                name=own.name,
            )
            with torch.no_grad():
                after = self._gap(sample, seen).item()
        ctx.journal.note(
            f"{own.name}: {len(texts)} texts, {steps} steps; attention influence in one batch differs from that of the "
            f"source tokens by {after:.3g} (squared distance; {before:.3g} with the rows of {own.start})"
        )

    def _attentions(
        self, ids: torch.Tensor, mask: torch.Tensor, rows: Rows | None, seen: list[CapturedAttention]
    ) -> list[CapturedAttention]:
        self.ctx.journal.spend(int(mask.sum()))
        seen.clear()
        self.frozen.states(ids, mask, rows, self.layer)
        return take_captured(seen, self.layer or self.frozen.depth, self.frozen.model)

    def _gap(self, texts: Sequence[_Text], seen: list[CapturedAttention]) -> torch.Tensor:
        import torch

        with torch.no_grad():
            teacher = self._attentions(*padded([t.teacher.ids for t in texts]), None, seen)
        student = self._attentions(*padded([t.student.ids for t in texts]), self.rows, seen)
        total = self.settings.match == "aim_star"
        gaps = [
            influence_gap(
                influence(wanted, n, text.teacher.segments, text.segments, total=total),
                influence(found, n, text.student.segments, text.segments, total=total),
                both_ways=self.both_ways,
            )
            for wanted, found in zip(teacher, student, strict=True)
            for n, text in enumerate(texts)
        ]
        return torch.stack(gaps).mean()

    def _loss(self, texts: Sequence[_Text], seen: list[CapturedAttention]) -> torch.Tensor:
        gap = self._gap(texts, seen)
        head_only = self.settings.next_token == "none"
        if head_only and Role.OUTPUT not in self.leaves:
            return gap
        ids, mask = padded([t.student.ids for t in texts])
        task = prediction(self.frozen, ids, mask, self.ctx.source, self.ctx.generator)
        self.ctx.journal.spend(task.tokens)
        return joined_losses(gap, task, task.loss(self.frozen, self.rows, head_only=head_only), head_only=head_only)
