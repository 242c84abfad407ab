"""Hidden states with their gradients, for objectives that compare them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.kept_hooks import hooks_kept

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

Layer = int | Literal["two_thirds"]
"""A layer (0 is what the first one reads, -1 the last), or the one at two thirds of the depth."""


def layer_number(config: PreTrainedConfig, layer: Layer) -> int:
    """The number of a layer, counted from what the first one reads.

    Args:
        config: The model's configuration.
        layer: Which layer.

    Raises:
        LexigraftError: No such layer.
    """
    depth = config.get_text_config().num_hidden_layers
    number = round(2 * depth / 3) if layer == "two_thirds" else layer
    if not -depth - 1 <= number <= depth:
        hint = f"Layers are 0 (what the first one reads) to {depth}; negative ones count from the last"
        raise LexigraftError("the model has no such layer", layer, hint)
    return number % (depth + 1)


@contextmanager
def recorded_states(model: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """The hidden states of every layer, those of the last forward pass of the body in the block.

    Args:
        model: The model.

    Yields:
        A list that holds them after the pass, each ``(batch, length, hidden)``, what the first layer reads first.
    """
    recorded: list[torch.Tensor] = []

    def ask(body: torch.nn.Module, inputs: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return inputs, {**keywords, "output_hidden_states": True}

    def record(body: torch.nn.Module, inputs: Any, output: Any) -> None:
        recorded[:] = output.hidden_states

    body = model.base_model
    hooks = [body.register_forward_pre_hook(ask, with_kwargs=True), body.register_forward_hook(record, prepend=True)]
    try:
        with hooks_kept(model):
            yield recorded
    finally:
        for hook in hooks:
            hook.remove()


def mean_states(states: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The mean of the states at chosen positions, float32, ``(batch, hidden)``.

    Args:
        states: ``(batch, length, hidden)``.
        chosen: Which positions count, bool, ``(batch, length)``; at least one in each row.
    """
    weights = chosen.float().unsqueeze(2)
    return (states.float() * weights).sum(1) / weights.sum(1)
