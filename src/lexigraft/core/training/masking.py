"""Tokens hidden from masked models, and the loss of predicting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.heads import separable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


def maskable(sequences: torch.Tensor, vocabulary: Vocabulary, predictable: torch.Tensor | None = None) -> torch.Tensor:
    """Which tokens a masked model may be asked for, bool, as ``sequences``: no special ones.

    Args:
        sequences: Token ids, int64.
        vocabulary: Their vocabulary.
        predictable: Which tokens may be learned; ``None`` for all.

    Raises:
        LexigraftError: The tokenizer has no mask token.
    """
    if "mask" not in vocabulary.specials:
        raise LexigraftError("the tokenizer has no mask token", hint="Masked models need one; add it to the tokenizer")
    allowed = ~_special(vocabulary, int(sequences.max()) + 1)[sequences]
    return allowed if predictable is None else allowed & predictable


def hidden(
    sequences: torch.Tensor,
    chosen: torch.Tensor,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    mask_token_share: float = 0.8,
    random_token_share: float = 0.1,
) -> torch.Tensor:
    """Sequences in which chosen tokens have become the mask token or a random one, or stay as they are.

    Args:
        sequences: Token ids, int64.
        chosen: Which tokens are chosen, bool, as ``sequences``.
        vocabulary: Their vocabulary.
        generator: The source of randomness.
        mask_token_share: Share of the chosen tokens that become the mask token.
        random_token_share: Share that become a random token that is not special.
    """
    import torch

    fate = torch.rand(sequences.shape, generator=generator)
    ordinary = torch.nonzero(~_special(vocabulary, 0)[: vocabulary.size])[:, 0]
    other = ordinary[torch.randint(len(ordinary), sequences.shape, generator=generator)]
    masked = chosen & (fate < mask_token_share)
    random = chosen & ~masked & (fate < mask_token_share + random_token_share)
    return torch.where(random, other, sequences).masked_fill(masked, vocabulary.specials["mask"])


def masked_cross_entropy(
    model: PreTrainedModel, batch: Mapping[str, torch.Tensor], logits_per_block: int | None = None
) -> torch.Tensor:
    """Mean cross-entropy in nats over the labeled tokens; the head is applied to them alone, by blocks.

    Args:
        model: The model.
        batch: ``input_ids`` and ``labels``, -100 where nothing is predicted.
        logits_per_block: How many logits are held at a time; by default what suits the device.
    """
    from torch.nn.functional import cross_entropy

    from lexigraft.core.models.document_attention import model_inputs
    from lexigraft.core.training.chunked_cross_entropy import summed_cross_entropy

    labels = batch["labels"]
    chosen = labels != -100
    targets = labels[chosen]
    # A process's share of a batch may hold no chosen token; its loss is then 0, and its gradients are.
    count, inputs = max(1, len(targets)), model_inputs(model, batch)
    if not separable(model, batch["input_ids"]):
        logits = model(**inputs).logits[chosen]
        return cross_entropy(logits.float(), targets, reduction="sum") / count
    total = summed_cross_entropy(model, inputs, lambda states: states[chosen], targets, logits_per_block)
    return total / count


def _special(vocabulary: Vocabulary, size: int) -> torch.Tensor:
    """Which ids are special tokens, bool, at least ``size`` of them."""
    import torch

    special = torch.zeros(max(vocabulary.size, size), dtype=torch.bool)
    special[list(vocabulary.special_ids)] = True
    return special
