"""Cross-entropy over source and new tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind, model_kind
from lexigraft.core.models.frozen_model import FrozenModel, Rows
from lexigraft.core.tokenization.sentinel_tokens import sentinel_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

HIDDEN_SHARE = 0.3


@dataclass(frozen=True, eq=False)
class Prediction:
    """Inputs of a model and the tokens that it should predict.

    Attributes:
        ids: Input ids, ``(batch, length)``.
        mask: 1 where there is a token.
        at: Positions whose prediction counts, bool, ``(batch, length)``; for an encoder-decoder ``(batch, decoder
            length)``.
        labels: The ids to predict there, in reading order.
        decoder_ids: Inputs of the decoder, or ``None``.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    at: torch.Tensor
    labels: torch.Tensor
    decoder_ids: torch.Tensor | None = None

    @property
    def tokens(self) -> int:
        """How many input tokens there are."""
        return int(self.mask.sum()) + (0 if self.decoder_ids is None else self.decoder_ids.numel())

    def loss(self, frozen: FrozenModel, rows: Rows, *, head_only: bool = False) -> torch.Tensor:
        """Mean cross-entropy in nats, a scalar; 0 where there is nothing to predict."""
        logits = frozen.logits(self.ids, self.mask, rows, at=self.at, decoder_ids=self.decoder_ids, head_only=head_only)
        return self.cross_entropy(logits)

    def cross_entropy(self, logits: torch.Tensor) -> torch.Tensor:
        """The loss of given logits, ``(predictions, table)``."""
        import torch

        total = torch.nn.functional.cross_entropy(logits, self.labels.to(logits.device), reduction="sum")
        return total / max(len(self.labels), 1)


def prediction(
    frozen: FrozenModel, ids: torch.Tensor, mask: torch.Tensor, vocabulary: Vocabulary, generator: torch.Generator
) -> Prediction:
    """Make a prediction task from a text with new tokens.

    Causal models predict every next token. Masked models predict masked new tokens (three in ten, at least one of
    each text). Encoder-decoders predict one new token of each text, replaced by a sentinel.

    Args:
        frozen: The model.
        ids: Ids of the combined table, ``(batch, length)``, padded on the right.
        mask: 1 where there is a token.
        vocabulary: The source vocabulary.
        generator: Chooses the tokens to predict.

    Raises:
        LexigraftError: The tokenizer lacks the mask or sentinel token.
    """
    import torch

    kind: ModelKind = model_kind(frozen.model.config)
    if kind == "causal":
        at = torch.zeros_like(mask, dtype=torch.bool)
        at[:, :-1] = mask[:, 1:].bool()
        return Prediction(ids, mask, at, ids[:, 1:][at[:, :-1]])
    new = ids >= frozen.size
    draw = torch.rand(ids.shape, generator=generator).masked_fill(~new, 2.0)
    first = (draw == draw.min(dim=1, keepdim=True).values) & new
    if kind == "masked":
        if "mask" not in vocabulary.specials:
            raise LexigraftError(
                "the tokenizer has no mask token", hint="Use next_token: none and head: start for this model"
            )
        hidden = first | (draw < HIDDEN_SHARE)
        return Prediction(ids.masked_fill(hidden, vocabulary.specials["mask"]), mask, hidden, ids[hidden])
    sentinel = sentinel_ids(vocabulary)[0]
    start = frozen.model.config.decoder_start_token_id
    decoder_ids = torch.tensor([start, sentinel]).repeat(len(ids), 1)
    at = torch.zeros_like(decoder_ids, dtype=torch.bool)
    at[:, 1] = first.any(dim=1)
    return Prediction(ids.masked_fill(first, sentinel), mask, at, ids[first], decoder_ids)


def joined_losses(gap: torch.Tensor, task: Prediction, entropy: torch.Tensor, *, head_only: bool) -> torch.Tensor:
    """A distance loss plus a cross-entropy scaled to the same size: ``gap + stopgrad(gap / entropy) * entropy``.

    Args:
        gap: The loss of the input rows.
        task: The prediction task.
        entropy: Its cross-entropy.
        head_only: The cross-entropy trains output rows only; their step size does not depend on its scale.

    Source:
        Dobler, Elliott & de Melo 2025 (arXiv 2505.20133), automatically weighted next-token prediction.
    """
    scale = 1.0 if head_only or not len(task.labels) else (gap / entropy).detach()
    return gap + scale * entropy
