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
    resets: ClassVar[bool] = True
    logits_per_block: int | None = None

    def __post_init__(self) -> None:
        """Refuse an empty block."""
        if self.logits_per_block is not None and self.logits_per_block < 1:
            raise ValueError("logits_per_block must be at least 1")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """No noise: ``input_ids`` and ``labels`` are the sequences; the loss shifts them."""
        labels = sequences if predictable is None else sequences.masked_fill(~predictable, -100)
        return {"input_ids": sequences, "labels": labels}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over the labeled tokens but the first of each sequence; 0 without such tokens."""
        from torch.nn.functional import cross_entropy

        from lexigraft.core.models.document_attention import model_inputs
        from lexigraft.core.training.chunked_cross_entropy import summed_cross_entropy

        ids, labels = batch["input_ids"], batch["labels"][:, 1:]
        inputs = model_inputs(model, batch)
        learned = labels != -100
        count = max(1, int(learned.sum()))
        if not separable(model, ids):
            logits = model(**inputs, use_cache=False).logits[:, :-1]
            return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), reduction="sum") / count

        def choose(states: torch.Tensor) -> torch.Tensor:
            before = states[:, :-1]
            return before.flatten(0, 1) if count == labels.numel() else before[learned]

        return summed_cross_entropy(model, inputs, choose, labels[learned], self.logits_per_block) / count

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """The labeled tokens but the first of each sequence."""
        return int((batch["labels"][:, 1:] != -100).sum())
