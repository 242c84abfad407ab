"""Causal language modeling, with the cross-entropy computed by blocks of positions to save memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.models.heads import separable
from lexigraft.core.training.objective import Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Causal(Objective):
    """Predict every token from the ones before it.

    The cross-entropy goes over blocks of positions, so that memory need is ``logits_per_block`` logits, not
    ``positions x vocabulary``.

    Source: Radford et al. 2018.

    Attributes:
        logits_per_block: How many logits one block may hold; by default what suits the device.
    """

    name: ClassVar[str] = "causal"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"causal"})
    logits_per_block: int | None = None

    def __post_init__(self) -> None:
        """Refuse an empty block."""
        if self.logits_per_block is not None and self.logits_per_block < 1:
            raise ValueError("logits_per_block must be at least 1")

    def batch(
        self, sequences: torch.Tensor, vocabulary: Vocabulary, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """No noise: ``input_ids`` and ``labels`` are the sequences; the loss shifts them."""
        return {"input_ids": sequences, "labels": sequences}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over all tokens but the first of each sequence."""
        from torch.nn.functional import cross_entropy

        from lexigraft.core.training.chunked_cross_entropy import summed_cross_entropy

        ids, labels = batch["input_ids"], batch["labels"][:, 1:]
        if not separable(model, ids):
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
            return cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
        total = summed_cross_entropy(model, ids, _but_the_last, labels.flatten(), self.logits_per_block)
        return total / labels.numel()

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """All tokens but the first of each sequence."""
        return batch["labels"][:, 1:].numel()


def _but_the_last(states: torch.Tensor) -> torch.Tensor:
    return states[:, :-1].flatten(0, 1)
