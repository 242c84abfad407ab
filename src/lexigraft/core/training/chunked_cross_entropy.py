"""Chunked cross-entropy over a large vocabulary: logits of one block of positions at a time, gradients along with them.

No logit is computed twice: the gradients are taken while a block's logits are there, and only scaled on the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from lexigraft.core.models.heads import Choose, finish_of, head_logits, output_layer_inputs, plain_layer
from lexigraft.core.training.table_gradient import lookup_name, sparse_lookups, two_uses

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Finish = Callable[[torch.Tensor], torch.Tensor]

BLOCK_LOGITS = {"cpu": 2**25, "cuda": 2**27}
"""Logits of a block by device: on processors what stays near the caches, on a GPU what keeps it busy."""


def summed_cross_entropy(
    model: PreTrainedModel,
    ids: torch.Tensor,
    choose: Choose,
    labels: torch.Tensor,
    logits_per_block: int | None,
) -> torch.Tensor:
    """The cross-entropy of a model at some positions, summed over them; gradients reach body and head.

    Args:
        model: A model that :func:`lexigraft.core.models.heads.separable` accepts.
        ids: What it reads, ``(batch, length)``.
        choose: Picks the states that predict, ``(positions, hidden)``, of all, ``(batch, length, hidden)``.
        labels: The ids to predict, int64, ``(positions,)``.
        logits_per_block: How many logits are held at a time; ``None`` leaves it to the device.

    Returns:
        Nats, a scalar; 0 without positions.
    """
    layer, tied = plain_layer(model), lookup_name(model)
    if layer is not None:
        if tied is None:
            weight = layer.weight
            states = output_layer_inputs(model, choose, input_ids=ids)
        else:
            lookups, weight = two_uses(layer.weight)
            with sparse_lookups(model):
                states = output_layer_inputs(model, choose, {tied: lookups}, input_ids=ids)
        return chunked_cross_entropy(states, weight, layer.bias, labels, finish_of(model), logits_per_block)

    def nats(states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(head_logits(model, states).float(), labels, reduction="sum")

    # A layer that does more than multiply (LoRA, weights in shards) is called, and called again on the way back.
    states = output_layer_inputs(model, choose, input_ids=ids)
    size = _block_size(len(labels), model.config.get_text_config().vocab_size, ids.device, logits_per_block)
    blocks = zip(states.split(size), labels.split(size), strict=True)
    return torch.stack([checkpoint(nats, *block, use_reentrant=False) for block in blocks]).sum()


def chunked_cross_entropy(
    states: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    finish: Finish | None = None,
    logits_per_block: int | None = None,
) -> torch.Tensor:
    """The cross-entropy of ``finish(states @ weight.T + bias)``, summed over positions.

    Args:
        states: What the output layer reads, ``(positions, hidden)``.
        weight: The output table, ``(vocabulary, hidden)``.
        bias: Its bias, ``(vocabulary,)``, or ``None``.
        labels: The ids to predict, int64, ``(positions,)``.
        finish: What is done to the logits, each for itself.
        logits_per_block: How many logits are held at a time; ``None`` leaves it to the device.

    Returns:
        Nats, a scalar; 0 without positions.

    Source:
        Blocks and gradients in the forward pass as in Hsu et al. 2024, "Liger Kernel", without its kernels.
    """
    size = _block_size(len(labels), len(weight), states.device, logits_per_block)
    total: torch.Tensor = _ChunkedCrossEntropy.apply(states, weight, bias, labels, finish, size)
    return total


def _block_size(positions: int, vocabulary: int, device: torch.device, logits_per_block: int | None) -> int:
    """Positions of a block, such that all blocks are about as large."""
    most = max(1, (logits_per_block or BLOCK_LOGITS.get(device.type, BLOCK_LOGITS["cuda"])) // vocabulary)
    return max(1, -(-positions // max(1, -(-positions // most))))


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        finish: Finish | None,
        size: int,
    ) -> torch.Tensor:
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        parts = zip((states, weight, bias), ctx.needs_input_grad[:3], strict=True)
        gradients = [torch.zeros_like(part) if part is not None and needed else None for part, needed in parts]
        with torch.autocast(device, enabled=False):
            given = (states.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
            total = _sum_blocks(*given, labels, finish, size, gradients)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # Tables are large: the gradients are scaled where they lie. Torch sees that, and refuses them a second time.
        return (*(None if kept is None else kept.mul_(gradient) for kept in ctx.saved_tensors), None, None, None)


def _sum_blocks(
    states: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    finish: Finish | None,
    size: int,
    gradients: list[torch.Tensor | None],
) -> torch.Tensor:
    """The loss; gradients of states, weight and bias are added to those given."""
    by_states, by_weight, by_bias = gradients
    wanted = any(part is not None for part in gradients)
    total = torch.zeros((), device=states.device)
    # The system clears new memory, which takes longer than the softmax: each block is written over the last.
    logits_room = states.new_empty(min(size, len(labels)), len(weight))
    slopes_room = torch.empty_like(logits_room, dtype=torch.float32)
    for start in range(0, len(labels), size):
        block = slice(start, start + size)
        some, column = states[block], labels[block].unsqueeze(1)
        logits = logits_room[: len(some)]
        torch.mm(some, weight.T, out=logits) if bias is None else torch.addmm(bias, some, weight.T, out=logits)
        finished = logits
        if finish is not None:
            logits = logits.detach().requires_grad_()
            with torch.enable_grad():
                finished = finish(logits)
        slopes = torch.log_softmax(finished.detach(), 1, torch.float32, out=slopes_room[: len(some)])
        total -= slopes.gather(1, column).sum()
        if not wanted:
            continue
        # d loss / d logits = softmax - 1 at the label
        slope = slopes.exp_().scatter_add_(1, column, slopes.new_full(column.shape, -1.0)).to(logits.dtype)
        if finish is not None:
            [slope] = torch.autograd.grad(finished, logits, slope)
        if by_states is not None:
            by_states[block] = slope @ weight
        if by_weight is not None and by_weight.dtype == slope.dtype:
            by_weight.addmm_(slope.T, some)
        elif by_weight is not None:
            by_weight += slope.T @ some
        if by_bias is not None:
            by_bias += slope.sum(0)
    return total
