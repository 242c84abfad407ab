"""Masked language modeling, with the head applied to the masked positions only, by blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.models.heads import separable
from lexigraft.core.training.objective import Objective

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Masked(Objective):
    """Predict tokens that are hidden from the model.

    A share of the tokens is chosen; most become the mask token, some a random token, the rest stay as they are.
    Special tokens are never chosen.

    Source: Devlin et al. 2019, section 3.1 (shares 0.15 and 80/10/10); Wettig et al. 2023 for larger shares.
    Relations: span_corruption is the same idea for encoder-decoder models.

    Attributes:
        mask_share: Share of the tokens to predict.
        mask_token_share: Share of the chosen tokens that become the mask token.
        random_token_share: Share of the chosen tokens that become a random token.
        logits_per_block: How many logits are held at a time; by default what suits the device.
    """

    name: ClassVar[str] = "masked"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked"})
    resets: ClassVar[bool] = True
    mask_share: float = 0.15
    mask_token_share: float = 0.8
    random_token_share: float = 0.1
    logits_per_block: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible shares and an empty block."""
        if self.logits_per_block is not None and self.logits_per_block < 1:
            raise ValueError("logits_per_block must be at least 1")
        if not 0 < self.mask_share < 1:
            raise ValueError("mask_share must lie between 0 and 1")
        shares = (self.mask_token_share, self.random_token_share)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError("mask_token_share and random_token_share must be shares that add up to at most 1")

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Hide tokens: ``input_ids`` and ``labels``, both ``(batch, length)``; at least one token is chosen."""
        import torch

        if "mask" not in vocabulary.specials:
            raise LexigraftError(
                "the tokenizer has no mask token", hint="Masked models need one; add it to the tokenizer"
            )
        special = torch.zeros(max(vocabulary.size, int(sequences.max()) + 1), dtype=torch.bool)
        special[list(vocabulary.special_ids)] = True
        maskable = ~special[sequences]
        if predictable is not None:
            maskable &= predictable
        if not maskable.any():
            raise LexigraftError("a batch holds nothing that can be predicted", hint="Give a larger corpus")
        draw = torch.rand(sequences.shape, generator=generator).masked_fill(~maskable, 2.0)
        chosen = draw < self.mask_share
        if not chosen.any():
            chosen.view(-1)[draw.argmin()] = True
        fate = torch.rand(sequences.shape, generator=generator)
        ordinary = torch.nonzero(~special[: vocabulary.size])[:, 0]
        other = ordinary[torch.randint(len(ordinary), sequences.shape, generator=generator)]
        masked = chosen & (fate < self.mask_token_share)
        random = chosen & ~masked & (fate < self.mask_token_share + self.random_token_share)
        inputs = torch.where(random, other, sequences).masked_fill(masked, vocabulary.specials["mask"])
        return {"input_ids": inputs, "labels": sequences.masked_fill(~chosen, -100)}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over the chosen tokens."""
        from torch.nn.functional import cross_entropy

        from lexigraft.core.models.document_attention import model_inputs
        from lexigraft.core.training.chunked_cross_entropy import summed_cross_entropy

        ids, labels = batch["input_ids"], batch["labels"]
        chosen = labels != -100
        targets = labels[chosen]
        # A process's share of a batch may hold no chosen token; its loss is then 0, and its gradients are.
        count, inputs = max(1, len(targets)), model_inputs(model, batch)
        if not separable(model, ids):
            logits = model(**inputs).logits[chosen]
            return cross_entropy(logits.float(), targets, reduction="sum") / count
        total = summed_cross_entropy(model, inputs, lambda states: states[chosen], targets, self.logits_per_block)
        return total / count
