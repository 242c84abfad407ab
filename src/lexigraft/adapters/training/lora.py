"""LoRA layers of a model: where they go, their insertion and their merging."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.peft_calls import expected_peft_warnings, merged
from lexigraft.core.errors import LexigraftError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.config.adaptation import AdaptSettings, Phase


def add_lora(model: PreTrainedModel, settings: AdaptSettings, phases: Sequence[Phase]) -> Any:
    """Insert LoRA layers where any phase asks for them; the given model object is the one to train.

    Args:
        model: The plain model.
        settings: Rank, scale, dropout, targets and seed.
        phases: What trains when.

    Returns:
        The PEFT model around it, or ``None`` when no phase asks for LoRA.

    Raises:
        LexigraftError: ``lora_targets`` names no linear layer of the body.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    targets = lora_targets(model, settings, phases)
    if not targets:
        return None
    modules = dict(model.named_modules())
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        fan_in_fan_out=all(isinstance(modules[name], Conv1D) for name in targets),
    )
    with torch.random.fork_rng(), expected_peft_warnings():
        torch.manual_seed(settings.seed)
        return get_peft_model(model, config)


def lora_targets(model: PreTrainedModel, settings: AdaptSettings, phases: Sequence[Phase]) -> list[str]:
    """Names of the modules that get LoRA layers.

    Args:
        model: The plain model.
        settings: For ``lora_targets``.
        phases: What trains when.

    Raises:
        LexigraftError: ``lora_targets`` names no linear layer of the body.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    model_parts = parts(model)
    targets: list[str] = []
    if any(phase.body == "lora" for phase in phases):
        linear = [
            name
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and f"{name}.weight" in model_parts.body
        ]
        linear = [name for name in linear if _takes_lora(model, name)]
        wanted = settings.lora_targets
        targets = [n for n in linear if wanted is None or any(n == w or n.endswith(f".{w}") for w in wanted)]
        if not targets:
            known = {name.rsplit(".", 1)[-1] for name in linear}
            raise LexigraftError("no linear layer of the body has this name", wanted, did_you_mean(str(wanted), known))
    tables = {"embeddings": model_parts.embeddings, "head": model_parts.output}
    for word, names in tables.items():
        if any(getattr(phase, word) == "lora" for phase in phases):
            targets += [name.removesuffix(".weight") for name in names]
    return targets


def _takes_lora(model: PreTrainedModel, name: str) -> bool:
    """Whether PEFT puts LoRA on a layer; it refuses those whose weight a fused kernel reads past it (Mamba's)."""
    from peft import LoraConfig
    from peft.tuners.tuners_utils import _check_lora_target_modules_mamba

    try:
        _check_lora_target_modules_mamba(LoraConfig(), model, name.rpartition(".")[2])
    except ValueError:
        return False
    return True


def merge_lora(peft_model: Any) -> tuple[dict[str, Any], Any]:
    """Merge the LoRA layers into the model's weights and remove them; returns their state and configuration."""
    if peft_model is None:
        return {}, None
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(peft_model, save_embedding_layers=False)
    lora = {name: value.detach().cpu().clone() for name, value in state.items() if "lora_" in name}
    config = peft_model.peft_config["default"]
    model = merged(peft_model)
    for attribute in ("peft_config", "_hf_peft_config_loaded"):
        if attribute in vars(model):
            delattr(model, attribute)
    return lora, config


def plain_name(name: str) -> str:
    """A parameter's name in the model without LoRA layers: that of the layer it belongs to."""
    return re.sub(r"\.(base_layer|lora_\w+(\.default)?)\b", "", name)


def lora_owner(name: str) -> str:
    """The name, in the model without LoRA layers, of the weight that a LoRA parameter changes."""
    where = plain_name(name)
    return where if where.endswith(".weight") else f"{where}.weight"
