"""Evaluators that train a linear head on a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from lexigraft.core.data.item_splits import OnLeak
from lexigraft.core.evaluation.evaluator import EvaluationData, Evaluator
from lexigraft.core.evaluation.fine_tuning import FineTuning, How, fine_tune
from lexigraft.core.evaluation.heads.trained_head import Example, Head, Logits
from lexigraft.core.evaluation.model_body import LAST
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.models.architecture import context_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class SplitData(EvaluationData, Generic[Item]):
    """Items in three splits.

    Attributes:
        train: Items to train on.
        dev: Items that choose the epoch, or the probe's penalty; there may be none.
        test: Items that are scored.
    """

    train: Sequence[Item]
    dev: Sequence[Item]
    test: Sequence[Item]


@dataclass(frozen=True, kw_only=True)
class LabeledData(SplitData[Item]):
    """Labeled items in three splits.

    Attributes:
        labels: The labels of the training items.
    """

    labels: tuple[str, ...]


@dataclass(frozen=True)
class HeadEvaluator(Evaluator):
    """An evaluator that trains a head.

    Its subclasses may have other defaults.

    Attributes:
        how: A ``probe`` on frozen states, ``lora``, or ``full`` fine-tuning of head and body.
        epochs: Passes over the training items.
        learning_rate: AdamW's; 5e-5 for ``full`` and 5e-4 for ``lora`` when not given.
        batch_size: Sequences in a batch.
        layer: The layer whose states are read; -1 is the last one.
        on_leak: Whether test items that are training items too are refused, or dropped from training.
        max_length: Longest input in tokens.
    """

    shortest: ClassVar[int] = 8
    how: How = "full"
    epochs: int = 5
    learning_rate: float | None = None
    batch_size: int = 16
    layer: int = LAST
    on_leak: OnLeak = "refuse"
    max_length: int = 512

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained or scored."""
        _ = self._fine_tuning
        if self.max_length < self.shortest:
            raise ValueError(f"max_length must be at least {self.shortest}")

    @property
    def _fine_tuning(self) -> FineTuning:
        return FineTuning(self.how, self.epochs, self.learning_rate, self.batch_size, self.layer)

    def longest_input(self, model: PreTrainedModel) -> int:
        """Most tokens that the model reads at once."""
        return min(context_length(model), self.max_length)

    def train_and_score(
        self,
        model: PreTrainedModel,
        head: Head,
        splits: Sequence[Sequence[Example]],
        seed: int,
        scores_of_dev: Callable[[list[Logits]], Scores],
        scores_of_test: Callable[[list[Logits]], Scores],
    ) -> Scores:
        """Train the head on the first split, keep the best epoch on the second, and score the third.

        Args:
            model: The model; it is left as it was.
            head: What the head reads and gives.
            splits: Examples to train on, to choose by, and to score.
            seed: Decides everything random.
            scores_of_dev: The scores of the logits of the second split; the main figure chooses.
            scores_of_test: The scores of the logits of the third split.

        Returns:
            The scores of the third split, and the figure ``tokens_trained``.

        Raises:
            LexigraftError: As :func:`fine_tune`.
        """
        train, dev, test = splits

        def quality(logits: list[Logits]) -> float:
            scores = scores_of_dev(logits)
            return scores.figures[scores.main]

        trained = fine_tune(model, head, self._fine_tuning, train, seed, dev, quality)
        scores = scores_of_test(trained.logits(test))
        return replace(scores, figures={**scores.figures, "tokens_trained": float(trained.tokens_trained)})
