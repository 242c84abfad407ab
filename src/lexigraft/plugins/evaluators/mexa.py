"""MEXA: the share of sentences whose translation is their nearest neighbor in both directions, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.data.sentence_pairs import read_pairs, write_sample_pairs
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.hidden_states import Pooling, pooled_states
from lexigraft.core.evaluation.line_tokens import unknown_share, unknown_warning
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class MexaData(EvaluationData):
    """Sentences and their translations, no sentence twice.

    Attributes:
        source: Sentences of the language that the model knows well, English as a rule.
        target: Their translations.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]


@dataclass(frozen=True)
class Mexa(Evaluator):
    """How many sentences lie nearer to their translation than any other pair of them does, at each layer.

    With ``S[i, j]`` the cosine of source sentence i and target sentence j at a layer, sentence i counts if ``S[i, i]``
    is greater than every other value of its row and of its column; equal is not greater. The main figure is the mean
    over the layers, what the first one reads included; the maximum is beside it. Chance is ``1 / (2 n - 1)`` for n
    sentences, so compare figures of the same sentences only.

    Source: Kargaran et al. 2025 (MEXA, arXiv 2410.05873).

    Attributes:
        sentences: How many pairs are used, the first ones.
        pooling: How a sentence becomes a vector: ``weighted_mean`` (the paper's) or ``last_token``, ``mean``, ``eos``,
            ``cls``.
    """

    name: ClassVar[str] = "mexa"
    files: ClassVar[dict[str, InputFile]] = {
        "source": InputFile("sentences of the language the model knows, one a line; without target, source TAB target"),
        "target": InputFile("their translations, line by line", required=False),
    }
    sentences: int = 100
    pooling: Pooling = "weighted_mean"

    def __post_init__(self) -> None:
        """Refuse so few sentences that none has another to be told from."""
        if self.sentences < 2:
            raise ValueError("sentences must be at least 2")

    def read(self, files: Files) -> MexaData:
        """The first pairs of which neither sentence occurred before.

        Raises:
            LexigraftError: Files that do not fit together, or fewer than two different pairs.
        """
        pairs, left_out = read_pairs(files["source"], files.get("target", ()))
        kept: dict[str, str] = {}
        seen: set[str] = set()
        repeated = 0
        for source, target in pairs:
            if len(kept) == self.sentences:
                break
            if source in kept or target in seen:
                repeated += 1
                continue
            kept[source] = target
            seen.add(target)
        if len(kept) < 2:
            hint = "Give at least two pairs of different sentences"
            raise LexigraftError("too few sentence pairs", len(kept), hint)
        notes = [*left_out]
        if repeated:
            notes.append(
                f"{repeated:,} pairs left out: one of their sentences occurred before, and equals never count."
            )
        if len(kept) < self.sentences:
            notes.append(f"{len(kept):,} sentences, not {self.sentences:,}: figures of fewer sentences are higher.")
        return MexaData(
            hash=hash_of(list(kept.items())),
            size=len(kept),
            unseen=(*kept, *kept.values()),
            notes=tuple(notes),
            source=tuple(kept),
            target=tuple(kept.values()),
        )

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: MexaData, context: EvaluationContext
    ) -> Scores:
        """MEXA at every layer, its mean and its maximum.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The sentences.
            context: Not used.

        Returns:
            ``mexa`` (the mean over layers; an item's outcome is the share of layers at which it counts), ``mexa_max``,
            ``mexa_layer_N``, ``chance`` (1 / (2n - 1) for n pairs of unrelated vectors), and ``unknown_share``, the
            share of the target's bytes without a known token.

        Raises:
            LexigraftError: As :func:`pooled_states`.
        """
        source, target = (
            pooled_states(model, vocabulary, texts, pooling=self.pooling) for texts in (data.source, data.target)
        )
        aligned = mutually_nearest(source.vectors, target.vectors).double()
        layers = aligned.mean(1).tolist()
        unknown = unknown_share(vocabulary, data.target)
        return Scores.of(
            {"mexa": ItemScores.of(aligned.mean(0).numpy())},
            {
                "mexa_max": max(layers),
                **{f"mexa_layer_{number}": value for number, value in enumerate(layers)},
                "chance": 1 / (2 * len(data.source) - 1),
                "unknown_share": unknown,
            },
            [*source.notes("source"), *target.notes("target"), *unknown_warning("target", unknown)],
        )

    def sample(self, folder: Path) -> Sample:
        """Write a few pairs."""
        return Sample(write_sample_pairs(folder))


def mutually_nearest(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Which pairs have a higher cosine than all others of their row and their column: ``S_ii > max(S_ij, S_ji)``.

    Args:
        source: ``(layers, n, hidden)``.
        target: ``(layers, n, hidden)``.

    Returns:
        bool, ``(layers, n)``.
    """
    import torch
    from torch.nn.functional import normalize

    # In double precision, so that two sentences of the same tokens are equal and neither is greater by rounding.
    cosines = normalize(source.double(), dim=2) @ normalize(target.double(), dim=2).transpose(1, 2)
    own = cosines.diagonal(dim1=1, dim2=2)
    others = cosines.masked_fill(torch.eye(cosines.shape[1], dtype=torch.bool), -torch.inf)
    return (own > others.amax(2)) & (own > others.amax(1))
