"""The contract of evaluators: metrics of a model on lines of text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Evaluator:
    """One evaluation metric: a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after the metric. Its docstring is its record: one line of summary, then
    ``Source:``.
    """

    name: ClassVar[str]

    def evaluate(self, model: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]) -> dict[str, float]:
        """Measure a model on text; the model and all random state are left as they were.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            lines: Raw lines of text.

        Returns:
            Figures by name; the first has the evaluator's own name.
        """
        raise NotImplementedError(f"{type(self).__name__} has no evaluate()")

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)
