"""Cross-entropy over a large vocabulary, a few positions at a time.

No logit is computed twice: gradients are taken in the forward pass, block by block, and scaled in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
"""Logits of a block by device: few enough for the caches of a CPU, enough to keep a GPU busy."""


def summed_cross_entropy(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    choose: Choose,
    labels: torch.Tensor,
    logits_per_block: int | None,
) -> torch.Tensor:
    """The cross-entropy of a model at some positions, summed over them; gradients reach body and head.

    Args:
        model: A model that :func:`lexigraft.core.models.heads.separable` accepts.
        inputs: Its inputs by name, ``input_ids`` ``(batch, length)`` among them.
        choose: Picks the states that predict, ``(positions, hidden)``, from all, ``(batch, length, hidden)``.
        labels: The ids to predict, int64, ``(positions,)``.
        logits_per_block: How many logits are held at a time; by default :data:`BLOCK_LOGITS` of the device.

    Returns:
        Nats, a scalar; 0 without positions.
    """
    layer, tied = plain_layer(model), lookup_name(model)
    if layer is not None:
        if tied is None:
            weight = layer.weight
            states = output_layer_inputs(model, choose, **inputs)
        else:
            lookups, weight = two_uses(layer.weight)
            with sparse_lookups(model):
                states = output_layer_inputs(model, choose, {tied: lookups}, **inputs)
        return chunked_cross_entropy(states, weight, layer.bias, labels, finish_of(model), logits_per_block)

    # A layer that does more than multiply (LoRA, weights in shards) is called, and called again in the backward pass.
    return token_cross_entropy(model, inputs, choose, labels, logits_per_block).sum()


def token_cross_entropy(
    model: PreTrainedModel,
    inputs: Mapping[str, torch.Tensor],
    choose: Choose,
    labels: torch.Tensor,
    logits_per_block: int | None = None,
) -> torch.Tensor:
    """The cross-entropy of a model at each of some positions, arguments as :func:`summed_cross_entropy`.

    Logits are computed by blocks, and again in the backward pass.

    Returns:
        Nats, ``(positions,)``.
    """

    def nats(states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(head_logits(model, states).float(), labels, reduction="none")

    states = output_layer_inputs(model, choose, **inputs)
    size = _block_size(len(labels), model.config.get_text_config().vocab_size, labels.device, logits_per_block)
    blocks = zip(states.split(size), labels.split(size), strict=True)
    return torch.cat([checkpoint(nats, *block, use_reentrant=False) for block in blocks])


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
        states: Inputs of the output layer, ``(positions, hidden)``.
        weight: The output table, ``(vocabulary, hidden)``.
        bias: Its bias, ``(vocabulary,)``, or ``None``.
        labels: The ids to predict, int64, ``(positions,)``.
        finish: Elementwise function that is applied to the logits.
        logits_per_block: How many logits are held at a time; by default :data:`BLOCK_LOGITS` of the device.

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
            operands = (states.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
            total = _sum_blocks(*operands, labels, finish, size, gradients)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # Tables are large, so the gradients are scaled in place; torch detects that and refuses a second backward pass.
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
    """Sum the loss over blocks, and add the gradients of states, weight and bias to the given tensors."""
    states_gradient, weight_gradient, bias_gradient = gradients
    wanted = any(part is not None for part in gradients)
    total = torch.zeros((), device=states.device)
    # The system zeroes new memory, which takes longer than the softmax: all blocks share these buffers.
    logits_buffer = states.new_empty(min(size, len(labels)), len(weight))
    float_buffer = torch.empty_like(logits_buffer, dtype=torch.float32)
    for start in range(0, len(labels), size):
        block = slice(start, start + size)
        block_states, column = states[block], labels[block].unsqueeze(1)
        logits = logits_buffer[: len(block_states)]
        if bias is None:
            torch.mm(block_states, weight.T, out=logits)
        else:
            torch.addmm(bias, block_states, weight.T, out=logits)
        finished = logits
        if finish is not None:
            logits = logits.detach().requires_grad_()
            with torch.enable_grad():
                finished = finish(logits)
        log_softmax = torch.log_softmax(finished.detach(), 1, torch.float32, out=float_buffer[: len(block_states)])
        total -= log_softmax.gather(1, column).sum()
        if not wanted:
            continue
        # d loss / d logits = softmax - 1 at the label
        probabilities = log_softmax.exp_()
        gradient = probabilities.scatter_add_(1, column, probabilities.new_full(column.shape, -1.0)).to(logits.dtype)
        if finish is not None:
            [gradient] = torch.autograd.grad(finished, logits, gradient)
        if states_gradient is not None:
            states_gradient[block] = gradient @ weight
        if weight_gradient is not None and weight_gradient.dtype == gradient.dtype:
            weight_gradient.addmm_(gradient.T, block_states)
        elif weight_gradient is not None:
            weight_gradient += gradient.T @ block_states
        if bias_gradient is not None:
            bias_gradient += gradient.sum(0)
    return total
