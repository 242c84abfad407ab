"""Frozen linear layers in 4 bits while LoRA trains on them (QLoRA), by bitsandbytes."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.distributed import processes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.config.adaptation import Phase


def refuse_unquantizable(model: PreTrainedModel, targets: Sequence[str], phases: Sequence[Phase]) -> None:
    """Refuse 4-bit weights where they cannot be, before anything is changed.

    Args:
        model: The plain model, which may be on the meta device.
        targets: Names of the modules that get LoRA layers.
        phases: What trains when.

    Raises:
        LexigraftError: The body trains otherwise than by LoRA, a layer with LoRA is no plain linear layer, weights are
            in shards, or bitsandbytes is not installed.
    """
    import torch

    if other := [phase.body for phase in phases if phase.body not in ("lora", "frozen")]:
        raise LexigraftError("4-bit weights cannot train", f"body {other[0]}", "Use body 'lora', or no quantization")
    if not any(phase.body == "lora" for phase in phases):
        raise LexigraftError("no layer has LoRA, so none can be in 4 bits", hint="Use body 'lora', or no quantization")
    if other := [name for name in targets if not isinstance(model.get_submodule(name), torch.nn.Linear)]:
        hint = "Use quantization 'none'; of embeddings, train 'full' or 'new_rows'"
        raise LexigraftError("this layer cannot be in 4 bits", other[0], hint)
    if sharding := processes().sharding:
        raise LexigraftError("4-bit weights cannot be in shards", sharding, "Use plain processes")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise LexigraftError("4-bit weights need the package bitsandbytes", hint="pip install 'lexigraft[qlora]'")


class Quantized:
    """Linear layers of a model in 4 bits (NF4, blocks of 64 weights), their own weights kept on the CPU.

    Args:
        model: The plain model; its layers are replaced in place.
        names: The linear layers.
        compute_dtype: What weights are restored to where they are multiplied.
    """

    def __init__(self, model: PreTrainedModel, names: Sequence[str], compute_dtype: torch.dtype) -> None:
        import bitsandbytes as bnb

        self._originals = {name: model.get_submodule(name) for name in names}
        for name, layer in self._originals.items():
            device = layer.weight.device
            layer.cpu()
            small = bnb.nn.Linear4bit(
                layer.in_features, layer.out_features, layer.bias is not None, compute_dtype, quant_type="nf4"
            )
            small.weight = bnb.nn.Params4bit(layer.weight.detach().clone(), requires_grad=False, quant_type="nf4")
            small.bias = copy.deepcopy(layer.bias)  # it is cast in place
            small.support_avx512bf16_for_cpu = False  # an evaluation would pack the weights for inference alone
            model.set_submodule(name, small.to(device))
        model.is_loaded_in_4bit = True  # PEFT asks for this

    def restore(self, peft_model: Any) -> Any:
        """Put the layers' own weights back under the LoRA layers.

        Args:
            peft_model: The PEFT model around the model.

        Returns:
            A PEFT model around the same model, with the same LoRA layers on the layers' own weights.
        """
        from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

        from lexigraft.adapters.training.peft_calls import expected_peft_warnings

        config, tied = peft_model.peft_config["default"], peft_model.config.tie_word_embeddings
        state = get_peft_model_state_dict(peft_model, save_embedding_layers=False)
        with expected_peft_warnings():
            model = peft_model.unload()
            for name, layer in self._originals.items():
                # In float32 LoRA is merged exactly and rounded once.
                model.set_submodule(name, layer.float().to(model.get_submodule(name).weight.device))
            del model.is_loaded_in_4bit
            model.config.tie_word_embeddings = tied
            again = get_peft_model(model, config)
            set_peft_model_state_dict(again, {key: value for key, value in state.items() if "lora_" in key})
        return again
