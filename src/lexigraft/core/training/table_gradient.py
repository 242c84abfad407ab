"""Gradient of an embedding table that is also the output layer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def lookup_name(model: PreTrainedModel) -> str | None:
    """The name of the input table if the output layer shares it and it trains, else ``None``."""
    inputs: Any = model.get_input_embeddings()
    weight = getattr(model.get_output_embeddings(), "weight", None)
    if not isinstance(inputs, torch.nn.Embedding) or inputs.weight is not weight:
        return None
    if not weight.requires_grad or not torch.is_grad_enabled():
        return None
    return next(name for name, parameter in model.named_parameters() if parameter is weight)


def two_uses(table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The table for lookups and for the output layer, whose gradients autograd would else add in a third tensor."""
    lookups, output = _TwoUses.apply(table)
    return lookups, output


@contextlib.contextmanager
def sparse_lookups(model: PreTrainedModel) -> Iterator[None]:
    """Make the gradient of lookups sparse inside the block: it holds the rows that were read, not the whole table.

    Only on processors: a GPU would add rows that were read twice in no fixed order.
    """
    inputs: Any = model.get_input_embeddings()
    before = inputs.sparse
    inputs.sparse = before or inputs.weight.device.type == "cpu"
    try:
        yield
    finally:
        inputs.sparse = before


class _TwoUses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.set_materialize_grads(False)
        return table.view_as(table), table.view_as(table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_lookups: torch.Tensor | None, by_output: torch.Tensor | None) -> torch.Tensor | None:
        if by_lookups is None or by_output is None:
            return by_lookups if by_output is None else by_output
        return by_output.add_(by_lookups)
