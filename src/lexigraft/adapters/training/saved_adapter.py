"""Adapters in PEFT's format, read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    path = Path(folder).expanduser()
    _refuse_none(path)
    return _applied(model, {path: 1.0})


def mix_adapters(model: PreTrainedModel, weights: Mapping[Path, float]) -> PreTrainedModel:
    """Apply several saved adapters of LoRA layers to one model, each with a weight, merged, in place.

    Every weight of the model changes by the weighted sum of what the adapters change it by. That is PEFT's combination
    "cat"; "linear" would mix the two factors of LoRA apart from each other, which is another model.

    Args:
        model: The model that all of them were trained from.
        weights: The weight of each adapter, at least one, by its folder.

    Returns:
        The model with the mixture, in evaluation mode.

    Raises:
        LexigraftError: A folder holds no adapter, one of another model, or one with weights of the model itself.
    """
    found = {Path(folder).expanduser(): weight for folder, weight in weights.items()}
    for path in found:
        _refuse_none(path)
        _refuse_own_weights(path)
    return _applied(model, found)


def _applied(model: PreTrainedModel, weights: Mapping[Path, float]) -> PreTrainedModel:
    from peft import PeftConfig, PeftModel

    # LoRA is merged in float32 and rounded once, as in training.
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    names = {path: f"adapter{number}" for number, path in enumerate(weights)}
    around: Any = None
    for path, name in names.items():
        with expected_peft_warnings(), _refusing_others(path):
            around = around or PeftModel(model, PeftConfig.from_pretrained(str(path)), adapter_name=name)
            loaded = around.load_adapter(str(path), name, torch_device="cpu")
        if unknown := [*loaded.unexpected_keys, *loaded.missing_keys]:
            raise _of_another_model(path, unknown[0])
    with _refusing_others(*weights):
        if len(weights) > 1 or set(weights.values()) != {1.0}:
            around.add_weighted_adapter(list(names.values()), list(weights.values()), "mixture", "cat")
            around.set_adapter("mixture")
        adapted = merged(around)
    for name, parameter in adapted.named_parameters():
        parameter.data = parameter.data.to(dtypes[name])
        parameter.requires_grad_(True)
    return adapted.eval()


@contextmanager
def _refusing_others(*paths: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # PEFT, torch and safetensors each raise their own kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise _of_another_model(paths[0], reason) from error


def _of_another_model(path: Path, reason: str) -> LexigraftError:
    hint = "Apply it to the model it was trained from"
    return LexigraftError("the adapter belongs to another model, or is damaged", f"{path}: {reason}", hint)


def _refuse_own_weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path / WEIGHTS, "pt") as file:
            names: list[str] = file.keys()
    except (OSError, SafetensorError) as error:
        raise _of_another_model(path, str(error)) from None
    if own := [name for name in names if ".lora_" not in name]:
        hint = "Adapters that are mixed have LoRA alone: adapt with embeddings and head frozen, body lora"
        raise LexigraftError("the adapter replaces weights of the model itself", f"{path}: {own[0]}", hint)


def _refuse_none(path: Path) -> None:
    if path.is_dir():
        refuse_pointers(path.iterdir())
    if not ((path / CONFIG).is_file() and (path / WEIGHTS).is_file()):
        raise LexigraftError(
            "no adapter in this folder", path, "Give a folder that `lexigraft adapt --export adapter` wrote"
        )
