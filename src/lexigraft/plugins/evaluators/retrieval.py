"""Retrieval of translations: accuracy at rank 1 among all sentences of the other language, in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lexigraft.core.data.sentence_pairs import evenly_chosen_items, read_pairs, write_sample_pairs
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.hidden_states import Pooling, pooled_states
from lexigraft.core.evaluation.line_tokens import unknown_share, unknown_warning
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.linalg.csls import NEIGHBORS, Similarity, ranks, similarities
from lexigraft.core.utils.hashing import hash_of
from lexigraft.core.utils.memory import default_memory_budget

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class RetrievalData(EvaluationData):
    """Sentence pairs over the different sentences of each side.

    Attributes:
        source: The different source sentences.
        target: The different target sentences.
        pairs: Places of the two sentences of each pair, int64, ``(pairs, 2)``.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    pairs: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Retrieval(Evaluator):
    """How often the most similar sentence of the other language is the translation; the mean of both directions.

    A sentence is the pooled hidden states of its tokens. All different sentences of the other side are candidates; of a
    sentence with several translations in the data each is right. Chance is about one over the number of candidates, so
    compare figures of the same pairs only.

    Source: Artetxe and Schwenk 2019 (Tatoeba, margin); Hu et al. 2020 (XTREME); Conneau et al. 2018 (CSLS).

    Attributes:
        layer: Which layer is read (0 is what the first one reads, -1 the last); ``two_thirds`` of the depth by default,
            as layer 8 of 12 in the literature.
        pooling: How a sentence becomes a vector: ``mean``, ``weighted_mean`` (later tokens count more), ``last_token``,
            ``eos`` or ``cls``.
        similarity: ``cosine``, or ``csls`` or ``margin``, which take off how near a sentence is to all others.
        neighbors: How many nearest neighbors ``csls`` and ``margin`` look at.
        max_pairs: How many pairs at most, chosen evenly over the data.
    """

    name: ClassVar[str] = "retrieval"
    files: ClassVar[dict[str, InputFile]] = {
        "source": InputFile("sentences, one a line; without target, lines of source TAB target, as Tatoeba has them"),
        "target": InputFile("their translations, line by line", required=False),
    }
    layer: int | Literal["two_thirds"] = "two_thirds"
    pooling: Pooling = "mean"
    similarity: Similarity = "cosine"
    neighbors: int = NEIGHBORS
    max_pairs: int = 1000

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        if self.neighbors < 1:
            raise ValueError("neighbors must be at least 1")
        if self.max_pairs < 2:
            raise ValueError("max_pairs must be at least 2")

    def read(self, files: Files) -> RetrievalData:
        """The pairs, each once.

        Raises:
            LexigraftError: Files that do not fit together, or fewer than two different sentences on a side.
        """
        read, left_out = read_pairs(files["source"], files.get("target", ()))
        different = list(dict.fromkeys(read))
        chosen = evenly_chosen_items(different, self.max_pairs)
        source, target = (_places(side) for side in zip(*chosen, strict=True))
        if min(len(source), len(target)) < 2:
            hint = "Give at least two different sentences on each side"
            raise LexigraftError("too few different sentences", min(len(source), len(target)), hint)
        notes = [*left_out]
        if repeated := len(read) - len(different):
            notes.append(f"{repeated:,} pairs repeat an earlier one and are left out.")
        if len(different) > len(chosen):
            notes.append(f"{len(chosen):,} of {len(different):,} pairs are used, evenly chosen.")
        if again := 2 * len(chosen) - len(source) - len(target):
            notes.append(f"{again:,} sentences occur in several pairs: each of their translations is right.")
        return RetrievalData(
            hash=hash_of(chosen),
            size=len(chosen),
            unseen=(*source, *target),
            notes=tuple(notes),
            source=tuple(source),
            target=tuple(target),
            pairs=np.array([[source[left], target[right]] for left, right in chosen], np.int64),
        )

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: RetrievalData, context: EvaluationContext
    ) -> Scores:
        """Accuracy at rank 1 in both directions.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The pairs.
            context: Not used.

        Returns:
            ``accuracy`` (of a pair the mean of both directions), ``accuracy_source_to_target``,
            ``accuracy_target_to_source``, and of each side ``unknown_share``, the share of bytes without a known token.

        Raises:
            LexigraftError: As :func:`pooled_states`.
        """
        source, target = (
            pooled_states(model, vocabulary, texts, pooling=self.pooling, layer=self.layer)
            for texts in (data.source, data.target)
        )
        there = self._hits(source.vectors[0], target.vectors[0], data.pairs)
        back = self._hits(target.vectors[0], source.vectors[0], data.pairs[:, ::-1])
        unknown = {
            side: unknown_share(vocabulary, texts) for side, texts in (("source", data.source), ("target", data.target))
        }
        return Scores.of(
            {
                "accuracy": ItemScores.of((there + back) / 2),
                "accuracy_source_to_target": ItemScores.of(there),
                "accuracy_target_to_source": ItemScores.of(back),
            },
            {f"unknown_share_{side}": share for side, share in unknown.items()},
            [
                *source.notes("source"),
                *target.notes("target"),
                *(note for side, share in unknown.items() for note in unknown_warning(side, share)),
            ],
        )

    def sample(self, folder: Path) -> Sample:
        """Write a few pairs."""
        return Sample(write_sample_pairs(folder))

    def _hits(
        self, queries: torch.Tensor, candidates: torch.Tensor, pairs: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Whether the best candidate is right, for the query of each pair, ``(pairs,)``."""
        right: list[list[int]] = [[] for _ in range(len(queries))]
        for query, candidate in pairs.tolist():
            right[query].append(candidate)
        budget = default_memory_budget()
        blocks = similarities(queries, candidates, self.similarity, budget, neighbors=self.neighbors)
        first = (ranks(blocks, right) == 1).double().numpy()
        return np.asarray(first[pairs[:, 0]], np.float64)


def _places(sentences: Iterable[str]) -> dict[str, int]:
    """The different sentences, each with its place among them."""
    return {sentence: place for place, sentence in enumerate(dict.fromkeys(sentences))}
