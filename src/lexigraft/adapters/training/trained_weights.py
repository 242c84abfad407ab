"""Parameters that train, also where each process holds a shard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

WEIGHTS = "trained.safetensors"


def trained_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The parameters that require gradients, by name, tied ones once.

    Where they are sharded every process must call this, because each gives its shards and each gets the whole.
    """
    return {name: _gathered(p) for name, p in module.named_parameters() if p.requires_grad}


def load_trained(module: torch.nn.Module, path: Path) -> None:
    """Write saved parameters into a module, sharded or not."""
    write_trained(module, load_file(path))


def write_trained(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Write whole parameters into a module, sharded or not."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameter = parameters[name]
            if isinstance(parameter, DTensor):
                value = distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
            parameter.copy_(value)


def _gathered(parameter: torch.nn.Parameter) -> torch.Tensor:
    from torch.distributed.tensor import DTensor

    if isinstance(parameter, DTensor):
        return parameter.full_tensor().detach().contiguous()
    if hasattr(parameter, "_hp_mapping") or hasattr(parameter, "ds_id"):
        # DeepSpeed keeps float32 values in its optimiser, in shards, and rounded ones or none in the parameter.
        from deepspeed.utils import safe_get_full_fp32_param

        value: torch.Tensor = safe_get_full_fp32_param(parameter)
        return value.detach().contiguous()
    return parameter.detach().contiguous()
