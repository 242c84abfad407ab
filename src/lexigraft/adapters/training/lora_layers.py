"""LoRA around a frozen linear layer as one function: no output but its own, and one gradient of what it reads.

PEFT's layer makes two outputs and their sum, scaled in a pass of its own, and autograd two gradients of what it reads
and their sum: more passes over memory than the products of low rank take.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from peft.tuners.lora import Linear
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D

MaybeTensor: TypeAlias = "torch.Tensor | None"


def in_one_function(model: torch.nn.Module) -> None:
    """Have every LoRA layer around a linear one compute in one function where it can.

    The numbers are PEFT's up to rounding; files and merged weights are plain LoRA's, and what is not plain (a merged or
    disabled adapter, several, another variant of LoRA, a layer that trains itself) runs as PEFT runs it.

    Args:
        model: The model, LoRA layers in place.
    """
    for module in model.modules():
        if type(module) is Linear:
            module.__class__ = LoraLinear


class LoraLinear(Linear):
    """PEFT's own in all but its forward pass."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        layer, name = self.get_base_layer(), self._only_adapter()
        if args or kwargs or name is None or not self._is_plain(name, x):
            found: torch.Tensor = super().forward(x, *args, **kwargs)
            return found
        weight = layer.weight if type(layer) is torch.nn.Linear else layer.weight.T
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        flat = x.reshape(-1, x.shape[-1])
        read = self.lora_dropout[name](flat)
        output: torch.Tensor = _Product.apply(flat, read, weight, layer.bias, down, up, self.scaling[name])
        return output.view(*x.shape[:-1], -1)

    def _only_adapter(self) -> str | None:
        """The one adapter that is on, where it is plain LoRA."""
        if self.disable_adapters or self.merged or self.lora_variant or len(self.active_adapters) != 1:
            return None
        name: str = self.active_adapters[0]
        return name if name in self.lora_A and not self.lora_bias[name] else None

    def _is_plain(self, name: str, x: torch.Tensor) -> bool:
        """Whether all three layers only multiply, the base by a frozen weight, in the dtype of what they read."""
        layers, device = (self.get_base_layer(), self.lora_A[name], self.lora_B[name]), x.device.type
        if not all(map(_only_multiplies, layers)) or layers[0].weight.requires_grad:
            return False
        if torch.is_autocast_enabled(device):
            return bool(x.dtype == torch.get_autocast_dtype(device))
        return all(layer.weight.dtype == x.dtype for layer in layers)


def _only_multiplies(layer: Any) -> bool:
    """Whether to call a layer is to multiply by a weight that is there, and nothing else."""
    # DeepSpeed's ZeRO 3 gathers a weight ("ds_id") when its module is called, through hooks of its own.
    own = "forward" in vars(layer) or layer._forward_pre_hooks or layer._forward_hooks or hasattr(layer.weight, "ds_id")
    return type(layer) in (torch.nn.Linear, Conv1D) and not own


class _Product(torch.autograd.Function):
    """``x @ weight.T + bias + scale * read @ down.T @ up.T``, in the dtype of ``x``."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        read: torch.Tensor,
        weight: torch.Tensor,
        bias: MaybeTensor,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        by_weight = weight.to(x.dtype).T
        with torch.autocast(x.device.type, enabled=False):
            states = read @ down.to(x.dtype).T
            output = x @ by_weight if bias is None else torch.addmm(bias.to(x.dtype), x, by_weight)
            output.addmm_(states, up.to(x.dtype).T, alpha=scale)
        ctx.save_for_backward(read, weight, down, up, states)
        ctx.scale, ctx.one = scale, read is x
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[MaybeTensor, ...]:
        read, weight, down, up, states = ctx.saved_tensors
        by_x, by_read, _, _, by_down, by_up, _ = ctx.needs_input_grad
        by_states = (slope @ up.to(slope.dtype)).mul_(ctx.scale)
        return (
            _by_what_is_read(ctx.one, slope, weight, by_states, down) if by_x else None,
            by_states @ down.to(slope.dtype) if by_read and not ctx.one else None,
            None,
            None,
            (by_states.T @ read).to(down.dtype) if by_down else None,
            (slope.T @ states).mul_(ctx.scale).to(up.dtype) if by_up else None,
            None,
        )


def _by_what_is_read(
    one: bool, slope: torch.Tensor, weight: torch.Tensor, by_states: torch.Tensor, down: torch.Tensor
) -> torch.Tensor:
    """The gradient of what the frozen layer reads; where LoRA reads the same, of both."""
    found = slope @ weight.to(slope.dtype)
    return found.addmm_(by_states, down.to(slope.dtype)) if one else found
