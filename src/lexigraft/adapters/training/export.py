"""Saved adapters: LoRA layers in PEFT's format, and the model's own parameters that trained; saving and loading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.training.peft_warnings import expected_peft_warnings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import whole_folder
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.adapt import Adapted

LORA_WEIGHTS = "adapter_model.safetensors"
TRAINED_WEIGHTS = "trained.safetensors"


def save_adapter(adapted: Adapted, out: Path) -> None:
    """Write what training changed: the LoRA layers in PEFT's format, and the model's own parameters that trained.

    Args:
        adapted: The result of :func:`lexigraft.adapters.training.adapt.adapt`.
        out: A folder that does not exist yet, or is empty.

    Raises:
        LexigraftError: The folder exists, or cannot be written.
    """
    from safetensors.torch import save_file

    parameters = dict(adapted.model.named_parameters())
    with whole_folder(Path(out), force=False) as partial:
        if adapted.lora_config is not None:
            adapted.lora_config.inference_mode = True
            adapted.lora_config.save_pretrained(partial)
            save_file(dict(adapted.lora), partial / LORA_WEIGHTS, metadata={"format": "pt"})
        trained = {name: parameters[name].detach().cpu().contiguous() for name in adapted.trained}
        save_file(trained, partial / TRAINED_WEIGHTS, metadata={"format": "pt"})


def load_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Apply a saved adapter to the model it was trained from, merged, in place.

    Args:
        model: The grafted model before adaptation.
        folder: What :func:`save_adapter` wrote.

    Returns:
        The adapted model, in evaluation mode.

    Raises:
        LexigraftError: The folder holds no adapter, or one of another model.
    """
    import torch
    from safetensors.torch import load_file

    path = Path(folder)
    if not (path / TRAINED_WEIGHTS).is_file():
        raise LexigraftError("no adapter in this folder", folder, "Give a folder that `lexigraft adapt` wrote")
    refuse_pointers(path.iterdir())
    trained = load_file(path / TRAINED_WEIGHTS)
    parameters = dict(model.named_parameters())
    unknown = [n for n, value in trained.items() if n not in parameters or parameters[n].shape != value.shape]
    if unknown:
        raise LexigraftError(
            "the adapter belongs to another model", unknown[0], "Apply it to the model it was trained from"
        )
    if (path / LORA_WEIGHTS).is_file():
        from peft import PeftModel

        dtypes = {name: p.dtype for name, p in parameters.items()}
        for parameter in parameters.values():
            parameter.data = parameter.data.float()

        with expected_peft_warnings():
            model = PeftModel.from_pretrained(model, str(path)).merge_and_unload(safe_merge=True)
        parameters = dict(model.named_parameters())
        for name, parameter in parameters.items():
            parameter.data = parameter.data.to(dtypes[name])
            parameter.requires_grad_(True)
    with torch.no_grad():
        for name, value in trained.items():
            parameters[name].copy_(value)
    return model.eval()
