"""Cross-entropy over a large vocabulary by blocks of positions, the gradients taken while a block's logits are there.

Memory holds the logits of one block, and no logit is computed twice: on the way back the gradients are only scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad

from lexigraft.core.models.heads import head_logits, hidden_states, standing_in
from lexigraft.core.training.buffer import Room
from lexigraft.core.training.table_gradient import TableGradient

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LogitsOf = Callable[[torch.Tensor], torch.Tensor]
Predicting = Callable[[torch.Tensor], torch.Tensor]

_AT_ONCE, _AT_ONCE_ON_A_GPU = 2**25, 2**27
"""Logits of a block: on processors what stays near the caches, on a GPU what keeps it busy."""
_TOGETHER = 8
"""Blocks have a multiple of so many positions: products of others take up to twice as long."""


def summed_cross_entropy(
    model: PreTrainedModel,
    ids: torch.Tensor,
    predicting: Predicting,
    targets: torch.Tensor,
    logits_per_block: int | None,
) -> torch.Tensor:
    """The cross-entropy of a model at some positions, summed over them; gradients reach body and head.

    Args:
        model: A model that :func:`lexigraft.core.models.heads.separable` accepts.
        ids: What it reads, ``(batch, length)``.
        predicting: Picks the states that predict, ``(positions, hidden)``, of all, ``(batch, length, hidden)``.
        targets: The ids to predict, int64, ``(positions,)``.
        logits_per_block: How many logits are held at a time; ``None`` leaves it to the device.

    Returns:
        Nats, a scalar; 0 without positions.

    Source:
        Blocks and gradients in the forward pass as in Hsu et al. 2024, "Liger Kernel", without its kernels.
    """
    output: Any = model.get_output_embeddings()
    inside = {id(p) for p in model.base_model.parameters()}
    own = [p for p in model.parameters() if id(p) not in inside]
    head = {id(p): p for p in (*own, *output.parameters()) if p.requires_grad}.values()
    at_once = logits_per_block or (_AT_ONCE_ON_A_GPU if ids.is_cuda else _AT_ONCE)
    rows = max(1, at_once // output.weight.shape[0])
    rows -= rows % _TOGETHER if rows > _TOGETHER else 0
    logits_of = partial(head_logits, model)
    gradient, table = TableGradient.of(model), None
    if gradient is None:
        hidden = predicting(hidden_states(model, input_ids=ids))
    else:
        table = gradient.table()
        hidden = predicting(gradient.body_states(model, table, ids))
    with standing_in(output, gradient.product) if gradient is not None else nullcontext():
        total: torch.Tensor = _Blocks.apply(logits_of, rows, gradient, hidden, targets, table, *head)
    return total


class _Blocks(torch.autograd.Function):
    """Returns no gradient for ``table``: it is the way that the one in ``gradient`` goes once this node has run."""

    @staticmethod
    def forward(
        ctx: Any,
        logits_of: LogitsOf,
        rows: int,
        gradient: TableGradient | None,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        table: torch.Tensor | None,
        *head: torch.Tensor,
    ) -> torch.Tensor:
        total = torch.zeros((), device=hidden.device)
        wanted = head if any(ctx.needs_input_grad) else None
        positions, room = len(targets), Room()
        if rows > _TOGETHER:
            hidden = pad(hidden, (0, 0, 0, -positions % _TOGETHER))
        by_states = torch.zeros_like(hidden)
        by_head: list[torch.Tensor | None] = [None] * len(head)
        for start in range(0, positions, rows):
            span = slice(start, start + rows)
            loss, found = _block(logits_of, hidden[span], targets[span], wanted, room)
            total += loss
            if found:
                by_states[span] = found[0]
                by_head = [_sum(a, b) for a, b in zip(by_head, found[1:], strict=True)]
        ctx.table_gradient = gradient
        ctx.gradients = (None, None, None, by_states[:positions], None, None, *by_head)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # Tables are large: what was kept is scaled where it lies, and so can be had once.
        kept, ctx.gradients = ctx.gradients, None
        if ctx.table_gradient is not None:
            ctx.table_gradient.scale(gradient)
        return tuple(None if g is None else g.mul_(gradient) for g in kept)


def _block(
    logits_of: LogitsOf,
    hidden: torch.Tensor,
    targets: torch.Tensor,
    head: Sequence[torch.Tensor] | None,
    room: Room,
) -> tuple[torch.Tensor, Sequence[Any]]:
    """The loss of a block and, where a head is given, the gradients of states and head; last ones may lack a target."""
    states = hidden.detach().requires_grad_(head is not None)
    with torch.set_grad_enabled(head is not None):
        logits = logits_of(states)
    surprise = _surprise(logits.detach().float(), room)
    at = targets.unsqueeze(1)
    loss = surprise[: len(at)].gather(1, at).sum().neg()
    if head is None:
        return loss, ()
    # d loss / d logits = softmax - 1 at the target
    slope = surprise.exp_().scatter_add_(1, at, surprise.new_full(at.shape, -1.0))
    slope[len(at) :] = 0
    found = torch.autograd.grad(logits, [states, *head], slope.to(logits.dtype), allow_unused=True)
    room.give(slope)
    return loss, found


def _surprise(logits: torch.Tensor, room: Room) -> torch.Tensor:
    """The log of the softmax over the vocabulary, ``(positions, vocabulary)`` as the logits lie in memory."""
    if logits.is_contiguous():
        return torch.log_softmax(logits, 1, out=room.take(logits.shape, logits))
    return torch.log_softmax(logits.T, 0, out=room.take(logits.T.shape, logits)).T


def _sum(total: torch.Tensor | None, more: torch.Tensor | None) -> torch.Tensor | None:
    if total is None or more is None:
        return more if total is None else total
    return total.add_(more)
