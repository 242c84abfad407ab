"""Set-up of a model for its adaptation, undone when that has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lexigraft.adapters.training.loop import uses_bfloat16
from lexigraft.adapters.training.lora import add_lora, lora_targets, merge_lora
from lexigraft.adapters.training.quantization import Quantized
from lexigraft.adapters.training.trainable import train_shared_padding_row
from lexigraft.core.training.objective import BESIDE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.config.adaptation import AdaptSettings, Phase
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.objective import Objective


class Restored(NamedTuple):
    """What was taken off a model when its adaptation had ended.

    Attributes:
        lora: The LoRA layers by PEFT's names, before they were merged; empty without LoRA.
        lora_config: Their PEFT configuration, or ``None``.
        folded: The model's own parameters that took up what had trained beside the model.
        findings: What the objective found out beside the model, as plain values by name.
    """

    lora: dict[str, torch.Tensor]
    lora_config: Any
    folded: frozenset[str]
    findings: Mapping[str, Any]


class TrainingSetup:
    """A model with its LoRA layers, its dtypes for training, and what an objective trains beside it, in place.

    4-bit weights and gradient checkpointing are there where the settings ask for them.

    Args:
        model: The plain model.
        vocabulary: Its vocabulary.
        settings: How it is adapted.
        phases: What trains when.
        objective: The training objective, prepared.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        vocabulary: Vocabulary,
        settings: AdaptSettings,
        phases: Sequence[Phase],
        objective: Objective,
    ) -> None:
        import torch

        self._model, self._objective = model, objective
        self._dtypes = {name: p.dtype for name, p in model.named_parameters()}
        bfloat16 = uses_bfloat16(settings.precision)
        train_shared_padding_row(model, vocabulary)
        self._quantized = None
        if phases and settings.quantization == "4bit":
            compute_dtype = torch.bfloat16 if bfloat16 else torch.float32
            self._quantized = Quantized(model, lora_targets(model, settings, phases), compute_dtype)
        self._peft_model = add_lora(model, settings, phases)
        _raise_precision(model, bfloat16)
        if (beside := objective.beside(model.config)) is not None:
            model.add_module(BESIDE, beside)
        self._end_checkpointing = _checkpoint_gradients(model) if settings.gradient_checkpointing else None

    def restore(self) -> Restored:
        """Merge the LoRA layers and put the rest back: a plain model with its own dtypes, in evaluation mode."""
        if self._end_checkpointing is not None:
            self._end_checkpointing()
        if self._quantized is not None:
            self._peft_model = self._quantized.restore(self._peft_model)
        lora, config = merge_lora(self._peft_model)
        folded = frozenset(self._objective.fold(self._model))
        findings = self._objective.findings(self._model)
        if hasattr(self._model, BESIDE):
            delattr(self._model, BESIDE)
        for name, parameter in self._model.named_parameters():
            parameter.data = parameter.data.to(self._dtypes[name])
            parameter.requires_grad_(True)
        self._model.eval()
        return Restored(lora, config, folded, findings)


def _raise_precision(model: PreTrainedModel, bfloat16: bool) -> None:
    """Cast weights to float32 for training; under bfloat16 autocast the body's own weights keep their dtype."""
    import torch

    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point():
            continue
        if not bfloat16 or ".lora_" in name or parameter.dtype == torch.float16:
            parameter.data = parameter.data.float()
    if bfloat16:
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            for parameter in table.parameters():
                parameter.data = parameter.data.float()


def _checkpoint_gradients(model: PreTrainedModel) -> Callable[[], None]:
    """Recompute activations in the backward pass; returns a function that ends it."""
    cached = getattr(model.config, "use_cache", None)
    # Newer transformers renamed these and warn about the old names.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    disable = getattr(model, "activation_checkpointing_disable", model.gradient_checkpointing_disable)
    enable()
    model.enable_input_require_grads()

    def restore() -> None:
        disable()
        model.disable_input_require_grads()
        if cached is not None:
            model.config.use_cache = cached

    return restore
