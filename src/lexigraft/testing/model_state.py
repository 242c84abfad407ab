"""State of a model in training, recorded and compared."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
_ABSENT = object()
_ADAPTER = ("active_adapters", "merged_adapters", "disable_adapters")


def state_of(model: PreTrainedModel) -> dict[str, Mapping[str, Any]]:
    """What an evaluator must leave as it was, by aspect and then by name; tensors are copied."""
    parameters = dict(model.named_parameters())
    modules = dict(model.named_modules())
    return {
        "modules": {name: type(module) for name, module in modules.items()},
        "weights": {name: p.detach().clone() for name, p in parameters.items()},
        "buffers": {name: buffer.detach().clone() for name, buffer in model.named_buffers()},
        "gradients": {name: None if p.grad is None else p.grad.detach().clone() for name, p in parameters.items()},
        "requires_grad": {name: p.requires_grad for name, p in parameters.items()},
        "training mode": {name: module.training for name, module in modules.items()},
        "hooks": {name: _hooks(module) for name, module in modules.items()},
        "adapters": {name: _adapter(module) for name, module in modules.items() if hasattr(module, "merged_adapters")},
        "configuration": copy.deepcopy(model.config.to_dict()),
    }


def changed(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each aspect that differs, with the first name in it that does."""
    found = []
    for aspect, old in before.items():
        new = after[aspect]
        names = [
            name for name in {**old, **new} if name not in old or name not in new or not _same(old[name], new[name])
        ]
        if names:
            found.append(
                f"{aspect} of {names[0] or 'the model'}" + (f" and {len(names) - 1} more" if names[1:] else "")
            )
    return found


def in_adaptation(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model in the middle of adaptation: LoRA layers, a frozen table, a gradient, a hook, training mode."""
    import torch

    copied = copy.deepcopy(model)
    with _quiet_peft() as peft:
        layers = [name for name, module in copied.named_modules() if isinstance(module, torch.nn.Linear)]
        head = copied.get_output_embeddings()
        targets = [name for name in layers if copied.get_submodule(name) is not head]
        if targets:
            peft.inject_adapter_in_model(peft.LoraConfig(r=2, target_modules=targets, lora_dropout=0.5), copied)
    table = copied.get_input_embeddings().weight
    table.requires_grad_(False)
    trained = next(p for p in copied.parameters() if p.requires_grad)
    trained.grad = torch.ones_like(trained)
    copied.get_input_embeddings().register_forward_hook(lambda module, inputs, output: None)
    copied.train()
    copied.get_input_embeddings().eval()
    return copied


@contextlib.contextmanager
def _quiet_peft() -> Iterator[Any]:
    import peft
    import torch

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield peft


def _hooks(module: torch.nn.Module) -> Any:
    return [sorted(getattr(module, kind)) for kind in _HOOKS], "forward" in vars(module)


def _adapter(module: torch.nn.Module) -> list[Any]:
    return [copy.copy(getattr(module, name, None)) for name in _ADAPTER]


def _same(old: Any, new: Any) -> bool:
    import torch

    if isinstance(old, torch.Tensor) and isinstance(new, torch.Tensor):
        alike = old.shape == new.shape and old.dtype == new.dtype and old.device == new.device
        return alike and bool(torch.equal(old, new))
    return type(old) is type(new) and bool(old == new)
