"""A vocabulary table's gradient, added up in one place: as large as the table once, however many parts add to it."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from lexigraft.core.models.heads import hidden_states
from lexigraft.core.training.buffer import Room

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TableGradient:
    """The gradient of the table of a head's last layer; where the table is the input table too, of both uses.

    Autograd would make a gradient of the table's size for each block of positions and one for the lookups, and add
    them up. Here the layer's product adds to one gradient, the lookups add their rows, and autograd sees the sum.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        # Kept, because a sharded model takes the whole table out of the layer when the pass is over.
        self._weight, self._bias = layer.weight, layer.bias
        self._sum: torch.Tensor | None = None
        self.room = Room()

    @classmethod
    def of(cls, model: PreTrainedModel) -> TableGradient | None:
        """For a model whose head ends in a plain linear layer that trains; otherwise ``None``."""
        layer: Any = model.get_output_embeddings()
        # DeepSpeed's ZeRO 3 gathers a weight ("ds_id") when its module is called, through hooks of its own.
        plain = type(layer) is torch.nn.Linear and "forward" not in vars(layer) and not hasattr(layer.weight, "ds_id")
        return cls(layer) if plain and layer.weight.requires_grad and torch.is_grad_enabled() else None

    def table(self) -> torch.Tensor:
        """The table, for one pass: when gradients come back to it, they and the sum go on to the parameter."""
        table: torch.Tensor = _Table.apply(self._weight, self)
        return table

    def body_states(self, model: PreTrainedModel, table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The body's last hidden states, ``(batch, length, hidden)``; lookups in a tied table add to the sum."""
        inputs: Any = model.get_input_embeddings()
        names = [n for n, p in model.base_model.named_parameters() if p is self._weight]
        if not names or not isinstance(inputs, torch.nn.Embedding):
            return hidden_states(model, input_ids=ids)
        sparse = inputs.sparse
        # Gradients of the rows that were read; a GPU would add those that were read twice in no fixed order.
        inputs.sparse = ids.device.type == "cpu"
        try:
            return hidden_states(model, dict.fromkeys(names, table), input_ids=ids)
        finally:
            inputs.sparse = sparse

    def product(self, states: torch.Tensor) -> torch.Tensor:
        """What the layer gives for states that want a gradient; on the way back the table's goes to the sum.

        What it gives may be overwritten by a product that begins when the gradients of this one have been taken.
        """
        if states.device.type == "cpu" and states.dtype == self._cast.dtype:
            product: torch.Tensor = _Product.apply(states, self._cast, self._bias, self)
        else:
            product = linear(states, self._cast, self._bias)
            product.register_hook(partial(self.add_product, states.detach()))
        return product

    def scale(self, factor: torch.Tensor) -> None:
        """Multiply the sum."""
        if self._sum is not None:
            self._sum.mul_(factor)

    def take(self) -> torch.Tensor:
        """The sum, ``(vocabulary, hidden)`` in the table's dtype, which is then no longer kept here."""
        total, self._sum = self._sum, None
        return torch.zeros_like(self._weight) if total is None else total

    def add_product(self, states: torch.Tensor, slope: torch.Tensor) -> None:
        """Add what a product's slope, ``(..., vocabulary)``, says about the table."""
        by_logits = slope.flatten(0, -2).T
        states = states.flatten(0, -2).to(slope.dtype)
        if self._sum is None:
            self._sum = (by_logits @ states).to(self._weight.dtype)
        elif self._sum.dtype == slope.dtype:
            self._sum.addmm_(by_logits, states)
        else:
            self._sum.add_(by_logits @ states)

    @cached_property
    def _cast(self) -> torch.Tensor:
        """The table as the product reads it: cast once, where autocast would cast it for every block."""
        table, kind = self._weight.detach(), self._weight.device.type
        return table.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else table


class _Product(torch.autograd.Function):
    """On processors the table comes first: a tall product of few columns runs at the rate of a square one.

    Its transpose, few rows times a transposed table, does not, by a quarter and more.
    """

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor | None, gradient: TableGradient
    ) -> torch.Tensor:
        flat = states.flatten(0, -2)
        product = gradient.room.take((len(table), len(flat)), table)
        with torch.autocast("cpu", enabled=False):
            torch.mm(table, flat.T, out=product)
        if bias is not None:
            product += bias.to(product.dtype).unsqueeze(1)
        ctx.save_for_backward(states, table)
        ctx.gradient, ctx.product = gradient, product
        logits = product.T.unflatten(0, states.shape[:-1])
        # No view of another tensor, so that a head may change it in place.
        return logits.new_empty(0).set_(logits.untyped_storage(), 0, logits.shape, logits.stride())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, table = ctx.saved_tensors
        ctx.gradient.add_product(states, slope)
        ctx.gradient.room.give(ctx.product)
        by_bias = slope.flatten(0, -2).sum(0) if ctx.needs_input_grad[2] else None
        return slope @ table, None, by_bias, None


class _Table(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, gradient: TableGradient) -> torch.Tensor:
        ctx.gradient = gradient
        ctx.set_materialize_grads(False)
        return table.view_as(table)

    @staticmethod
    def backward(ctx: Any, by_lookups: torch.Tensor | None) -> tuple[torch.Tensor, None]:
        total = ctx.gradient.take()
        return (total if by_lookups is None else total.add_(by_lookups)), None
