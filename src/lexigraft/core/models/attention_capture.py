"""Attention weights and value states of every layer that runs, whatever the architecture calls its projections."""

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

_NAME = "lexigraft_watched"


class Watched(NamedTuple):
    """One attention as it ran.

    Attributes:
        weights: After the softmax, ``(batch, heads, length, length)``: who looks, at whom.
        values: Value states, ``(batch, heads, length, width)``; those of grouped heads repeated for each of them.
    """

    weights: torch.Tensor
    values: torch.Tensor


_seen: ContextVar[list[Watched] | None] = ContextVar("attention_watch", default=None)


@contextmanager
def watching(model: PreTrainedModel) -> Iterator[list[Watched]]:
    """Write down every attention of a model that runs meanwhile, in order; whoever reads the list empties it.

    The model computes its attention as its own "eager" code does, through the interface that transformers offers for
    other implementations; the choice that it had is put back afterwards.

    Args:
        model: Any model of transformers that uses the interface; see :func:`expect` for the others.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, eager_mask)
    before = model.config._attn_implementation
    seen: list[Watched] = []
    token = _seen.set(seen)
    model.set_attn_implementation(_NAME)
    try:
        yield seen
    finally:
        model.set_attn_implementation(before)
        _seen.reset(token)


def expect(seen: list[Watched], layers: int, model: PreTrainedModel) -> list[Watched]:
    """Take what was written down: one attention for each layer.

    Raises:
        LexigraftError: The model's attention does not show its weights and values.
    """
    taken = list(seen)
    seen.clear()
    if len(taken) != layers:
        raise unwatchable(model)
    return taken


def unwatchable(model: Any) -> LexigraftError:
    """The refusal of a model whose attention cannot be seen."""
    return LexigraftError(
        "the value states of this model's attention cannot be found",
        type(model).__name__,
        "Use token_distillation, which compares hidden states",
    )


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **how: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    files = (sys.modules[c.__module__] for c in type(module).__mro__)
    eager = next((f.eager_attention_forward for f in files if hasattr(f, "eager_attention_forward")), None)
    if eager is None:
        raise unwatchable(module)
    output, weights = eager(module, query, key, value, mask, **how)
    if (seen := _seen.get()) is not None:
        seen.append(Watched(weights, value.repeat_interleave(weights.shape[1] // value.shape[1], dim=1)))
    return output, weights
