"""Masked language modeling, with the head applied to the masked positions only, by blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.masking import hidden, maskable, masked_cross_entropy
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

        possible = maskable(sequences, vocabulary, predictable)
        if not possible.any():
            raise LexigraftError("a batch holds nothing that can be predicted", hint="Give a larger corpus")
        draw = torch.rand(sequences.shape, generator=generator).masked_fill(~possible, 2.0)
        chosen = draw < self.mask_share
        if not chosen.any():
            chosen.view(-1)[draw.argmin()] = True
        inputs = hidden(sequences, chosen, vocabulary, generator, self.mask_token_share, self.random_token_share)
        return {"input_ids": inputs, "labels": sequences.masked_fill(~chosen, -100)}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over the chosen tokens."""
        return masked_cross_entropy(model, batch, self.logits_per_block)
