"""Causal language modelling; the logits are never held for more than a block of positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.heads import head_logits, hidden_states, separable
from lexigraft.core.objective import ModelKind, Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.vocabulary import Vocabulary


@dataclass(frozen=True)
class Causal(Objective):
    """Predict every token from the ones before it.

    The cross-entropy goes over blocks of positions and computes each block's logits again on the way back, so that
    memory holds ``logits_per_block`` logits, not ``positions x vocabulary``.

    Source: Radford et al. 2018; the blocked loss follows Wijmans et al. 2024 (Cut Your Losses), without its kernels.

    Attributes:
        logits_per_block: How many logits one block may hold.
    """

    name: ClassVar[str] = "causal"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"causal"})
    logits_per_block: int = 2**25

    def __post_init__(self) -> None:
        """Refuse a block of nothing."""
        if self.logits_per_block < 1:
            raise ValueError("logits_per_block must be at least 1")

    def batch(
        self, sequences: torch.Tensor, vocabulary: Vocabulary, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """No noise: ``input_ids`` and ``labels`` are the sequences; the loss shifts them."""
        return {"input_ids": sequences, "labels": sequences}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over all tokens but the first of each sequence."""
        import torch
        from torch.nn.functional import cross_entropy
        from torch.utils.checkpoint import checkpoint

        ids, labels = batch["input_ids"], batch["labels"][:, 1:]
        if not separable(model, ids):
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
            return cross_entropy(logits.flatten(0, 1).float(), labels.flatten())

        def block_loss(states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return cross_entropy(head_logits(model, states).float(), targets, reduction="sum")

        hidden = hidden_states(model, input_ids=ids)[:, :-1].flatten(0, 1)
        targets = labels.flatten()
        rows = max(1, self.logits_per_block // model.get_output_embeddings().weight.shape[0])
        total = torch.zeros((), device=hidden.device)
        for states, wanted in zip(hidden.split(rows), targets.split(rows), strict=True):
            total = total + checkpoint(block_loss, states, wanted, use_reentrant=False)
        return total / targets.numel()

    def predicted(self, batch: Mapping[str, torch.Tensor]) -> int:
        """All tokens but the first of each sequence."""
        return batch["labels"][:, 1:].numel()
