"""One to one: the row of the one source token that keeps the same company in target text (TokAlign)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix, Plan
from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.nearest import nearest, unit_rows
from lexigraft.core.methods.cooccurrence_vectors import cooccurrence_vectors
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OneToOne(Strategy):
    """Each new row is the row of one source token, the one that co-occurs alike in the same text.

    Both tokenizers split the same target text, and the tokens of each get vectors from their co-occurrence with the
    tokens of the same tokenizer, at most `window` away. The two spaces have no axis in common, so a token is described
    by its cosines to `pivots` matched tokens, drawn at random (0: all of them): ``r_t = [cos(v_t, v_p)]_p``, ``r_s =
    [cos(v_s, v_match(p))]_p``, and ``row(t) = E[argmax_s cos(r_t, r_s)]``. Several new tokens may take the same source
    token. Tokens that occur fewer than `min_count` times among the first `max_lines` lines stay uncovered (the authors
    give them the row of a random source token). The authors' vectors are GloVe's, of 300 dimensions with a window of
    15 and distant tokens counted less, and 300 pivots; here they are the strongest directions of the tokens' mutual
    information (Levy & Goldberg 2014), which have a closed form. Written from the paper.

    Source: Li, Zhang & Zong, "TokAlign: Efficient Vocabulary Adaptation via Token Alignment", ACL 2025 (arXiv
    2506.03523); the cosines to pivots are Moschella et al.'s relative representations, ICLR 2023.
    Needs: target text.
    Relations: `compass` mixes source tokens that have the same context words; `semantic_overlap` takes one source token
    only where the choice is mutual.
    """

    name: ClassVar[str] = "one_to_one"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TRAINING})
    convex: ClassVar[bool] = True
    pivots: int = 1000
    window: int = 2
    dim: int = 100
    min_count: int = 5
    max_lines: int = 30_000

    def __post_init__(self) -> None:
        if self.pivots < 0 or min(self.window, self.dim, self.min_count, self.max_lines) < 1:
            raise ValueError("pivots must not be negative, window, dim, min_count and max_lines must be at least 1")

    def plan(self, ctx: InitContext) -> Plan:
        """Describe the tokens of both sides by the pivots, and take the nearest source token of every row asked for."""
        lines = ctx.resources.training().lines[: self.max_lines]
        source, target = (self._vectors(vocabulary, lines) for vocabulary in (ctx.source, ctx.target))
        pivots = self._pivots(ctx, source.present, target.present)
        mask = target.present[ctx.target_ids]
        found = np.full(len(mask), -1, np.int64)
        # One pivot alone says no more than a sign.
        if len(pivots) > 1 and mask.any():
            candidates = np.flatnonzero(source.present)
            queries = _relative(target.vectors, ctx.target_ids[mask], pivots)
            anchors = _relative(source.vectors, candidates, ctx.alignment.source_ids[pivots])
            found[mask] = candidates[nearest(queries, anchors, 1, ctx.memory_budget)[1][:, 0].numpy()]
        ctx.journal.note(f"{self.name}: {len(pivots)} pivots, {int((found >= 0).sum()):,} tokens with a source token")
        return Mix.of_single(found)

    def _vectors(self, vocabulary: Vocabulary, lines: Sequence[str]) -> StaticVectors:
        return cooccurrence_vectors(vocabulary, lines, window=self.window, dim=self.dim, min_count=self.min_count)

    def _pivots(self, ctx: InitContext, source: npt.NDArray[np.bool_], target: npt.NDArray[np.bool_]) -> Ids:
        """Target ids of matched tokens with vectors on both sides, ``(pivots,)``."""
        import torch

        matched = ctx.alignment.matched
        both = matched[target[matched] & source[ctx.alignment.source_ids[matched]]]
        if 0 < self.pivots < len(both):
            both = both[torch.randperm(len(both), generator=ctx.generator)[: self.pivots].numpy()]
        return both


def _relative(vectors: torch.Tensor, ids: Ids, pivots: Ids) -> torch.Tensor:
    """Cosines of some tokens to the pivots, float32, ``(ids, pivots)``."""
    return unit_rows(vectors[ids]) @ unit_rows(vectors[pivots]).T
