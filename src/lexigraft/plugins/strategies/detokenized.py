"""Detokenized: linear maps from the state in which the model has put a word's pieces together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan, combine
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.linear_maps import ridge
from lexigraft.core.methods.distillation import padded
from lexigraft.core.methods.occurrences import frame, whole_pieces
from lexigraft.core.methods.split_tokens import split_tokens
from lexigraft.core.models.architecture import context_length
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch

_WORDS_AT_ONCE = 128


@dataclass(frozen=True)
class Detokenized(Strategy):
    """Each new row is mapped from the hidden state at the token's last piece, where the model has put it together.

    ``row = ridge_role(h_layer(last piece))``. The maps are learned on known words: tokens of the source that are cut at
    random into 2 to `most_pieces` other tokens, whose own rows are the answer; one map for the input table, one for the
    head. The model reads a word alone, between its special tokens: a causal model's state at the last piece has seen
    all pieces, a masked model's the closing token too, an encoder-decoder's is its encoder's. Each table gets the layer
    (among the first `layers` of them, a share) whose map explains most of the variance of a `heldout` share of the
    known words, and is then fitted on all of them. Tokens of one piece take that piece's row; those that no pieces
    spell stay uncovered, and all do where fewer than `min_words` known words can be cut. A head bias is the known
    words' mean. The authors read words in text, and map only those that the model can spell out again from one state.

    Source: Kaplan, Oren, Reif & Schwartz, "From Tokens to Words: On the Inner Lexicon of LLMs", ICLR 2025 (arXiv
    2410.05864): their expansion of the vocabulary.
    Needs: the source model.
    Relations: `token_distillation` learns each row so that later states stay the same; this reads the states once, and
    needs no text. `subword_mean` does not ask the model what the pieces mean together.
    """

    name: ClassVar[str] = "detokenized"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MODEL})
    layers: float = 1.0
    penalty: float = 0.1
    most_pieces: int = 3
    shortest: int = 4
    max_words: int = 4000
    min_words: int = 10
    heldout: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.layers <= 1 or not 0 < self.heldout < 1 or self.penalty <= 0:
            raise ValueError("layers must be a share above 0, heldout one between 0 and 1, penalty above 0")
        if self.most_pieces < 2 or self.shortest < 2 or not 3 <= self.min_words <= self.max_words:
            raise ValueError("most_pieces and shortest must be at least 2, min_words at least 3 and at most max_words")

    def plan(self, ctx: InitContext) -> Plan:
        """Cut known words, fit the maps, and apply them to the states of every row asked for."""
        import torch

        pieces = _pieces(ctx)
        words = split_tokens(
            ctx.source,
            shortest=self.shortest,
            most_pieces=self.most_pieces,
            limit=self.max_words,
            generator=ctx.generator,
        )
        lengths = np.array([len(ids) for ids in pieces], np.int64)
        covered = (lengths > 0) & (len(words) >= self.min_words)
        mapped = np.flatnonzero(covered & (lengths > 1))
        single = Mix.of_single(np.array([ids[0] if len(ids) == 1 else -1 for ids in pieces], np.int64))
        rows = {role: combine(single, ctx.table(role)) for role in ctx.roles}
        if len(mapped):
            known = torch.tensor([word.token for word in words])
            reader = _Reader.of(ctx)
            for role, fit in self._fits(ctx, reader, [word.pieces for word in words], known).items():
                learned = ridge(fit.states, ctx.table(role)[known], penalty=self.penalty)
                rows[role][mapped] = learned.points(reader.last_states([pieces[n] for n in mapped], fit.layer))
            if Role.BIAS in ctx.roles:
                rows[Role.BIAS][mapped] = ctx.table(Role.BIAS)[known].mean()
        return {role: Dense(made, covered) for role, made in rows.items()}

    def _fits(
        self, ctx: InitContext, reader: _Reader, words: Sequence[Sequence[int]], known: torch.Tensor
    ) -> dict[Role, _Fit]:
        """The layer of each table whose map explains held-out words best."""
        best: dict[Role, _Fit] = {}
        held = max(1, round(self.heldout * len(words)))
        for layer in range(1, reader.layers(self.layers) + 1):
            states = reader.last_states(words, layer)
            for role in sorted(ctx.roles - {Role.BIAS}):
                rows = ctx.table(role)[known]
                learned = ridge(states[held:], rows[held:], penalty=self.penalty)
                left = (learned.points(states[:held]) - rows[:held]).square().sum()
                spread = (rows[:held] - rows[held:].mean(0)).square().sum()
                share = 1 - float(left / spread.clamp_min(1e-30))
                if role not in best or share > best[role].share:
                    best[role] = _Fit(layer, share, states)
        for role, fit in best.items():
            ctx.journal.note(
                f"{self.name}: {role} rows from the states after layer {fit.layer}, whose map explains "
                f"{fit.share:.1%} of the variance of {held:,} held-out words ({len(words) - held:,} to learn on)"
            )
        return best


class _Fit(NamedTuple):
    """A layer, the share of the held-out variance that its map explains, and the known words' states after it."""

    layer: int
    share: float
    states: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Reader:
    """The frozen model, which reads words alone between special tokens, of at most so many pieces."""

    frozen: FrozenModel
    before: list[int]
    behind: list[int]

    @classmethod
    def of(cls, ctx: InitContext) -> _Reader:
        return cls(FrozenModel.of(ctx.resources.model(), ctx.source.size, ctx.device), *frame(ctx.source))

    def layers(self, share: float) -> int:
        return self.frozen.layer(share if share < 1 else -1) or self.frozen.depth

    def last_states(self, words: Sequence[Sequence[int]], layer: int) -> torch.Tensor:
        """The state at the last piece of each word, float32, ``(words, hidden)``."""
        import torch

        room = context_length(self.frozen.model) - len(self.before) - len(self.behind)
        found = []
        for start in range(0, len(words), _WORDS_AT_ONCE):
            read = [[*self.before, *word[-room:]] for word in words[start : start + _WORDS_AT_ONCE]]
            with torch.no_grad():
                states = self.frozen.states(*padded([[*ids, *self.behind] for ids in read]), layer=layer)
            found.append(states[range(len(read)), [len(ids) - 1 for ids in read]].cpu())
        return torch.cat(found)


def _pieces(ctx: InitContext) -> list[list[int]]:
    """The source pieces that spell all of each token asked for, or none."""
    surfaces = ctx.target.surfaces
    return [whole_pieces(ctx.source, surfaces.texts[i], bool(surfaces.starts[i])) for i in ctx.target_ids.tolist()]
