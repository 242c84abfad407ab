"""What LoRA layers read under autocast: cast once, where PEFT casts to the layer's float32 and autocast casts back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def cast_inputs_once(model: torch.nn.Module) -> None:
    """Give every LoRA layer its input in autocast's dtype while autocast is on; at other times PEFT casts as it does.

    The products are those that autocast makes anyway. The hooks go with the layers when these are merged.

    Args:
        model: The model, LoRA layers in place.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.register_forward_pre_hook(_cast)


def _cast(layer: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    states, *others = arguments
    device = states.device.type
    autocast = torch.is_autocast_enabled(device)
    layer.cast_input_dtype_enabled = not autocast
    if autocast and states.is_floating_point():
        states = states.to(torch.get_autocast_dtype(device))
    return (states, *others)
