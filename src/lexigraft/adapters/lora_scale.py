"""LoRA layers that scale their small states, where PEFT scales what they add: one pass over the layer's output less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft.tuners.lora import Linear
from peft.tuners.lora.layer import LoraVariant

if TYPE_CHECKING:
    import torch


def scale_sooner(model: torch.nn.Module) -> None:
    """Have every LoRA layer around a linear one scale by ``alpha / rank`` between its two products.

    The same numbers; the same bits where the scale is a power of two. Files and merged weights are plain LoRA's.

    Args:
        model: The model, LoRA layers in place.
    """
    for module in model.modules():
        if isinstance(module, Linear):
            module.lora_variant |= {name: _Sooner() for name in module.lora_A.keys() - module.lora_variant.keys()}


class _Sooner(LoraVariant):
    """Plain LoRA in all but where it scales."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **others: Any) -> torch.Tensor:
        states = module.lora_A[active_adapter](module.lora_dropout[active_adapter](x))
        added: torch.Tensor = module.lora_B[active_adapter](states * module.scaling[active_adapter])
        return result + added

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = module.get_delta_weight(active_adapter)
        return orig_weight + change.to(orig_weight.dtype)

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> None:
        orig_weight.data += module.get_delta_weight(active_adapter)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = module.get_delta_weight(active_adapter)
        return orig_weight.data - change.to(orig_weight.dtype)
