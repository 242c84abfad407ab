"""Parameters and layers of a model by what they are: tables, head, body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.text_model import beside_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Parts:
    """The parameters of a plain model by what they are.

    Together they are all of them, each in one part.

    Attributes:
        embeddings: Names of the input table (of a tied table too).
        output: Names of an output table of its own.
        bias: Names of the head's bias.
        transform: Names of what else the head holds (a masked model's dense layer and norm).
        body: Names of the rest.
        other: Names of what reads images in a model that does; it never trains.
        tied: Whether input and output are one table.
    """

    embeddings: frozenset[str]
    output: frozenset[str]
    bias: frozenset[str]
    transform: frozenset[str]
    body: frozenset[str]
    other: frozenset[str]
    tied: bool


def parts(model: PreTrainedModel) -> Parts:
    """Sort a plain model's parameters into tables, head and body."""
    table = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    bias = getattr(head, "bias", None)
    names = dict(model.named_parameters())
    inside = {id(p) for p in model.base_model.parameters()}
    inputs = frozenset(n for n, p in names.items() if p is table)
    output = frozenset(n for n, p in names.items() if head is not None and p is head.weight) - inputs
    biases = frozenset(n for n, p in names.items() if p is bias)
    other = beside_text(model)
    rest = frozenset(names) - inputs - output - biases - other
    transform = frozenset(n for n in rest if id(names[n]) not in inside)
    tied = head is not None and head.weight is table
    return Parts(inputs, output, biases, transform, rest - transform, other, tied)


def end_layers(model: PreTrainedModel, count: int) -> tuple[str, ...]:
    """Name prefixes of the first and last layers of every stack.

    Args:
        model: The plain model.
        count: How many at each end.

    Raises:
        LexigraftError: The model's layers cannot be found, or are fewer.
    """
    import torch

    stacks = [(n, m) for n, m in model.base_model.named_modules() if isinstance(m, torch.nn.ModuleList)]
    config = model.config.get_text_config()
    depths = {getattr(config, key, None) for key in ("num_hidden_layers", "num_decoder_layers", "num_layers")}
    stacks = [(n, m) for n, m in stacks if len(m) in depths and ".layer." not in n]
    if not stacks:
        raise LexigraftError(
            "cannot find this model's layers", type(model).__name__, "Use body 'lora', 'full' or 'frozen'"
        )
    if count < 1 or any(count > len(stack) for _, stack in stacks):
        depth = min(len(stack) for _, stack in stacks)
        raise LexigraftError("top_bottom asks for layers that are not there", count, f"Choose between 1 and {depth}")
    base = "" if model.base_model is model else f"{model.base_model_prefix}."
    return tuple(
        f"{base}{name}.{i}."
        for name, stack in stacks
        for i in range(len(stack))
        if i < count or i >= len(stack) - count
    )
