"""Base class of training objectives."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind, model_kind

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


DEFAULT_OBJECTIVE: dict[ModelKind, str] = {
    "masked": "masked",
    "causal": "causal",
    "seq2seq": "span_corruption",
}
"""The objective each kind of model is trained with when none is named."""


@dataclass(frozen=True)
class Objective:
    """A training objective, a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after the objective. Its docstring is its record: one line of summary, then
    ``Source:``.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[ModelKind]]
    resets: ClassVar[bool] = False
    """Whether :meth:`loss` keeps documents apart by ``document_starts`` of a batch, see ``document_attention``."""

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Make inputs with labels from packed text.

        Args:
            sequences: Token ids, int64, ``(batch, length)``, without padding.
            vocabulary: The vocabulary of the ids.
            generator: The only source of randomness.
            predictable: Which tokens the model may learn to predict, bool, ``(batch, length)``; ``None`` for all.

        Returns:
            Tensors by name, all with ``batch`` rows; positions without a label hold -100 in ``labels``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no batch()")

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss in nats over the predicted tokens, a scalar that gradients flow from; 0 without such tokens."""
        raise NotImplementedError(f"{type(self).__name__} has no loss()")

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """How many tokens of a batch :meth:`loss` averages over: the weight of a process's share of the batch."""
        return int((batch["labels"] != -100).sum())

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)


def refuse_without_mask(objective: Objective) -> None:
    """Refuse an objective that cannot leave tokens out of its loss.

    Raises:
        LexigraftError: Its ``batch`` takes no ``predictable``.
    """
    if "predictable" not in inspect.signature(objective.batch).parameters:
        hint = "Give its batch() the argument predictable, or learn all that augmentation adds"
        raise LexigraftError("objective cannot leave tokens out of the loss", objective.name, hint)


def refuse_unsuitable(objective: Objective, config: PreTrainedConfig) -> None:
    """Refuse an objective that a model of this kind cannot learn from.

    Args:
        objective: The objective.
        config: The model's configuration.

    Raises:
        LexigraftError: The model is of another kind.
    """
    kind = model_kind(config)
    if kind not in objective.kinds:
        raise LexigraftError(
            f"objective '{objective.name}' does not suit a {kind} model",
            getattr(config, "model_type", None),
            f"Use objective '{DEFAULT_OBJECTIVE[kind]}', or leave it out",
        )
