"""Output head at chosen positions only, with the same logits as the full forward pass."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from lexigraft.core.models.evaluation_mode import evaluation_mode

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_LOG = logging.getLogger("lexigraft")
_SEPARABLE: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
_PROBE_LENGTH = 8
_SCALES = ("logit_scale", "lm_head_multiplier", "output_multiplier")
_SOFT_CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")

Choose = Callable[["torch.Tensor"], "torch.Tensor"]
"""Picks states, ``(positions, hidden)``, from all, ``(batch, length, hidden)``."""


def output_layer_inputs(
    model: PreTrainedModel,
    choose: Choose,
    replaced: Mapping[str, torch.Tensor] | None = None,
    /,
    **inputs: torch.Tensor,
) -> torch.Tensor:
    """Inputs of the output layer at chosen positions, after the transform that masked models have before it.

    The model's own forward pass runs with two temporary hooks: one keeps the chosen positions of the body's last
    states, the other records the inputs of the output layer and gives it none to multiply.

    Args:
        model: A masked or causal model.
        choose: Picks the positions.
        replaced: Tensors to compute with instead of the parameters of these names.
        **inputs: The model's inputs.

    Returns:
        The layer's inputs, ``(positions, hidden)``.
    """
    from torch.func import functional_call

    recorded: list[torch.Tensor] = []

    def keep_chosen(body: torch.nn.Module, inputs: Any, output: Any) -> Any:
        return with_last_states(output, choose(output[0]).unsqueeze(0))

    def record(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        recorded.append(inputs[0])
        return (inputs[0].narrow(-2, 0, 0), *inputs[1:])

    uncached = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    layer: Any = model.get_output_embeddings()
    hooks = [model.base_model.register_forward_hook(keep_chosen), layer.register_forward_pre_hook(record)]
    try:
        functional_call(model, dict(replaced or {}), kwargs={**inputs, **uncached})
    finally:
        for hook in hooks:
            hook.remove()
    [states] = recorded
    return states.flatten(0, -2)


def head_logits(model: PreTrainedModel, states: torch.Tensor) -> torch.Tensor:
    """The logits from the inputs of the output layer.

    Args:
        model: A model that :func:`separable` accepts.
        states: From :func:`output_layer_inputs`, ``(positions, hidden)``.

    Returns:
        Logits, ``(positions, vocabulary)``.
    """
    from torch.nn.functional import linear

    layer, finish = plain_layer(model), finish_of(model)
    product = model.get_output_embeddings()(states) if layer is None else linear(states, layer.weight, layer.bias)
    return product if finish is None else finish(product)


def plain_layer(model: PreTrainedModel) -> torch.nn.Linear | None:
    """The output layer if it is an unmodified linear layer with its weight in memory, else ``None``."""
    import torch

    layer: Any = model.get_output_embeddings()
    # DeepSpeed's ZeRO 3 gathers a weight ("ds_id") when its module is called; accelerate replaces a forward to move it.
    plain = type(layer) is torch.nn.Linear and "forward" not in vars(layer) and not hasattr(layer.weight, "ds_id")
    return layer if plain else None


def with_last_states(output: Any, states: torch.Tensor) -> Any:
    """A body's output with other last hidden states."""
    if isinstance(output, tuple):
        return (states, *output[1:])
    output["last_hidden_state"] = states
    return output


def transform_layer(model: PreTrainedModel) -> tuple[str, torch.nn.Linear] | None:
    """The first linear layer of a masked model's head before the output layer, with its name; ``None`` without one."""
    import torch

    inside, output = set(model.base_model.modules()), model.get_output_embeddings()
    layers = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module not in inside and module is not output
    )
    return next(layers, None)


def finish_of(model: PreTrainedModel) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The function that a model applies to the output layer's products: its scale and soft cap; ``None`` without."""
    config = model.config.get_text_config()
    scale = 1 / (getattr(config, "logits_scaling", None) or 1)
    for name in _SCALES:
        scale *= getattr(config, name, None) or 1
    cap = next((cap for name in _SOFT_CAPS if (cap := getattr(config, name, None))), None)
    if cap is None:
        return None if scale == 1 else lambda product: product * scale
    return lambda product: (product * (scale / cap)).tanh() * cap


def separable(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Whether :func:`head_logits` gives this model's own logits; checked once for each model, on a few tokens.

    Args:
        model: The model.
        ids: Any valid token ids, ``(batch, length)``.

    Returns:
        Whether the logits agree.
    """
    if model not in _SEPARABLE:
        _SEPARABLE[model] = model.base_model is not model and _agrees(model, ids[:1, :_PROBE_LENGTH])
        if not _SEPARABLE[model]:
            _LOG.info("%s: the head cannot run alone, the full logits are computed", type(model).__name__)
    return _SEPARABLE[model]


def _agrees(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    import torch

    try:
        with evaluation_mode(model), torch.no_grad():
            # Some positions in another order, to detect a head that mixes positions.
            some = torch.arange(ids.shape[1] - 1, -1, -2, device=ids.device)
            full = model(input_ids=ids).logits[0, some].float()
            states = output_layer_inputs(model, lambda hidden: hidden[0, some], input_ids=ids)
            alone = head_logits(model, states).float()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False
    exact = model.dtype == torch.float32 and not torch.is_autocast_enabled(ids.device.type)
    tolerance = (1e-4 if exact else 5e-2) * max(1.0, full.abs().max().item())
    return full.shape == alone.shape and (full - alone).abs().max().item() <= tolerance
