"""Agreement of a draft model with its target, which decides what speculative decoding saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import context_length
from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LENGTH = 512
"""Tokens of a line that are looked at."""


@dataclass(frozen=True)
class DraftAgreement:
    """How often a draft model is right about its target on a text.

    Attributes:
        positions: Next tokens that were compared.
        greedy: The share for which both models find the same token most probable.
        sampling: The mean over positions of the sum over tokens of the lesser probability, the rate at which
            speculative sampling accepts a token (Leviathan et al. 2023, corollary 3.6).
    """

    positions: int
    greedy: float
    sampling: float


def draft_agreement(
    draft: PreTrainedModel, target: PreTrainedModel, vocabulary: Vocabulary, lines: Sequence[str]
) -> DraftAgreement:
    """Compare what two causal models with one vocabulary expect after each token of a text.

    Args:
        draft: The small model.
        target: The large model.
        vocabulary: The vocabulary of both; rows of padding beyond it are left out.
        lines: Text, each line by itself.

    Returns:
        The shares.

    Raises:
        LexigraftError: No line has two tokens.
    """
    import torch

    length = min(LENGTH, context_length(draft), context_length(target))
    positions, same, accepted = 0, 0, 0.0
    with torch.no_grad(), evaluation_mode(draft), evaluation_mode(target):
        for line in lines:
            ids = vocabulary.tokenizer(line).input_ids[:length]
            if len(ids) < 2:
                continue
            logits = [
                model(input_ids=torch.tensor([ids[:-1]], device=model.device)).logits[0, :, : vocabulary.size].float()
                for model in (draft, target)
            ]
            one, other = logits[0].to(logits[1].device), logits[1]
            positions += len(other)
            same += int((one.argmax(-1) == other.argmax(-1)).sum())
            accepted += float(torch.minimum(one.softmax(-1), other.softmax(-1)).sum(dtype=torch.float64))
    if not positions:
        raise LexigraftError("no line has two tokens", f"{len(lines)} lines", "Give running text")
    return DraftAgreement(positions, same / positions, accepted / positions)
