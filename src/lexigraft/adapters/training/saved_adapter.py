"""Adapters in PEFT's format, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lexigraft.adapters.training.export import CONFIG, WEIGHTS
from lexigraft.adapters.training.peft_calls import expected_peft_warnings, merged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def is_adapter(folder: str | Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    path = Path(folder).expanduser()
    return (path / CONFIG).is_file() and not (path / "config.json").exists()


def base_of(folder: str | Path) -> str:
    """Folder or Hub name of the model that an adapter belongs to.

    Raises:
        LexigraftError: The folder holds no adapter, names no base model, or names a folder that is not there.
    """
    path = Path(folder).expanduser()
    _refuse_none(path)
    hint = "Give the model it was trained from: --base MODEL, or base= in Python"
    try:
        base = json.loads((path / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise LexigraftError("adapter configuration cannot be read", path / CONFIG, reason) from None
    if not isinstance(base, str) or not base:
        raise LexigraftError("the adapter names no base model", path / CONFIG, hint)
    is_path = base.startswith((".", "/", "~")) or base.count("/") > 1 or "\\" in base
    if is_path and not Path(base).expanduser().is_dir():
        raise LexigraftError("the adapter's base model is not there", base, hint)
    return base


def load_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Apply a saved adapter to the model it was trained from, merged, in place.

    Args:
        model: The model before adaptation.
        folder: What :func:`lexigraft.adapters.training.export.save_adapter` wrote, or PEFT.

    Returns:
        The adapted model, in evaluation mode.

    Raises:
        LexigraftError: The folder holds no adapter, or one of another model.
    """
    from peft import PeftConfig, PeftModel

    path = Path(folder).expanduser()
    _refuse_none(path)
    refusal, hint = "the adapter belongs to another model, or is damaged", "Apply it to the model it was trained from"
    # LoRA is merged in float32 and rounded once, as in training.
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    try:
        with expected_peft_warnings():
            around = PeftModel(model, PeftConfig.from_pretrained(str(path)))
            loaded = around.load_adapter(str(path), "default", torch_device="cpu")
            unknown = [*loaded.unexpected_keys, *loaded.missing_keys]
            adapted = merged(around)
    except Exception as error:  # PEFT, torch and safetensors each raise their own kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError(refusal, f"{path}: {reason}", hint) from error
    if unknown:
        raise LexigraftError(refusal, f"{path}: {unknown[0]}", hint)
    for name, parameter in adapted.named_parameters():
        parameter.data = parameter.data.to(dtypes[name])
        parameter.requires_grad_(True)
    return adapted.eval()


def _refuse_none(path: Path) -> None:
    if path.is_dir():
        refuse_pointers(path.iterdir())
    if not ((path / CONFIG).is_file() and (path / WEIGHTS).is_file()):
        raise LexigraftError(
            "no adapter in this folder", path, "Give a folder that `lexigraft adapt --export adapter` wrote"
        )
