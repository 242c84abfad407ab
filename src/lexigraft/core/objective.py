"""The contract of training objectives: noise that makes inputs with labels, and the mean loss of a model on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.vocabulary import Vocabulary

ModelKind = Literal["masked", "causal", "seq2seq"]

DEFAULT_OBJECTIVE: dict[ModelKind, str] = {
    "masked": "masked",
    "causal": "causal",
    "seq2seq": "span_corruption",
}
"""The objective each kind of model is trained with when none is named."""


@dataclass(frozen=True)
class Objective:
    """One way to learn from text: a frozen dataclass whose fields are its options.

    A subclass lives in its own file, named after the objective. Its docstring is its record: one line of summary, then
    ``Source:``.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[ModelKind]]

    def batch(
        self, sequences: torch.Tensor, vocabulary: Vocabulary, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Make inputs with labels from packed text.

        Args:
            sequences: Token ids, int64, ``(batch, length)``, without padding.
            vocabulary: The vocabulary of the ids.
            generator: The only source of randomness.

        Returns:
            Tensors by name, all with ``batch`` rows; positions without a label hold -100 in ``labels``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no batch()")

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss in nats over the predicted tokens, a scalar that gradients flow from; 0 without such tokens."""
        raise NotImplementedError(f"{type(self).__name__} has no loss()")

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """How many tokens of a batch the mean of :meth:`loss` goes over: processes weigh their shares by it."""
        return int((batch["labels"] != -100).sum())

    def parameters(self) -> dict[str, Any]:
        """The options as plain values, for recipes and MLflow."""
        return dataclasses.asdict(self)


def model_kind(config: PreTrainedConfig) -> ModelKind:
    """Whether a model fills masks, continues text, or maps one sequence to another.

    Args:
        config: The model's configuration.

    Returns:
        The kind.

    Raises:
        LexigraftError: The configuration is of none of these kinds.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if getattr(config, "is_encoder_decoder", False):
        return "seq2seq"
    for architecture in getattr(config, "architectures", None) or ():
        if architecture.endswith("MaskedLM"):
            return "masked"
        if architecture.endswith(("CausalLM", "LMHeadModel")):
            return "causal"
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False):
        return "masked"
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        return "causal"
    raise LexigraftError(
        "this model predicts no text",
        getattr(config, "model_type", type(config).__name__),
        "Give a masked, a causal or an encoder-decoder language model",
    )


def refuse_unsuitable(objective: Objective, config: PreTrainedConfig) -> None:
    """Refuse an objective that a model of this kind cannot learn from.

    Args:
        objective: What the model would learn from.
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
