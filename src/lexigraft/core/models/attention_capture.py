"""Capture of attention weights and value states in every layer, for models of any architecture."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NAME = "lexigraft_captured"


class CapturedAttention(NamedTuple):
    """The attention of one layer in one forward pass.

    Attributes:
        weights: After the softmax, ``(batch, heads, length, length)``: by query position, then by key position.
        values: Value states, ``(batch, heads, length, width)``; those of grouped heads repeated for each of them.
    """

    weights: torch.Tensor
    values: torch.Tensor


_captured: ContextVar[list[CapturedAttention] | None] = ContextVar("captured_attention", default=None)


@contextmanager
def capture_attention(model: PreTrainedModel) -> Iterator[list[CapturedAttention]]:
    """Capture every attention that a model computes in the block, in order; the reader of the list empties it.

    The model computes its attention as its own "eager" code does, through the interface that transformers offers for
    other implementations; its former implementation is restored afterwards.

    Args:
        model: Any model of transformers that uses the interface; see :func:`take_captured` for the others.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, eager_mask)
    before = model.config._attn_implementation
    captured: list[CapturedAttention] = []
    token = _captured.set(captured)
    model.set_attn_implementation(_NAME)
    try:
        yield captured
    finally:
        model.set_attn_implementation(before)
        _captured.reset(token)


def take_captured(captured: list[CapturedAttention], layers: int, model: PreTrainedModel) -> list[CapturedAttention]:
    """Take the captured attentions from the list, one for each layer.

    Raises:
        LexigraftError: The model's attention does not show its weights and values.
    """
    taken = list(captured)
    captured.clear()
    if len(taken) != layers:
        raise uncapturable(model)
    return taken


def uncapturable(model: Any) -> LexigraftError:
    """The error for a model whose attention cannot be captured."""
    return LexigraftError(
        "the value states of this model's attention cannot be found",
        type(model).__name__,
        "Use token_distillation, which compares hidden states",
    )


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **how: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    modules = (sys.modules[c.__module__] for c in type(module).__mro__)
    eager = next((m.eager_attention_forward for m in modules if hasattr(m, "eager_attention_forward")), None)
    if eager is None:
        raise uncapturable(module)
    output, weights = eager(module, query, key, value, mask, **how)
    if (captured := _captured.get()) is not None:
        captured.append(CapturedAttention(weights, value.repeat_interleave(weights.shape[1] // value.shape[1], dim=1)))
    return output, weights
