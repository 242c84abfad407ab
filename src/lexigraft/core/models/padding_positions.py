"""Positions of RoBERTa-like models, which are counted from the padding id."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.model_class import forward_reads, new_on_meta
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class MovingPositions:
    """A table of positions that follows the padding id, which changes.

    Attributes:
        reader: The module that counts positions from its ``padding_idx``.
        table: The module with the table: an embedding of the reader, or the reader itself.
        old: The old padding id.
        new: The new one.
    """

    reader: Any
    table: Any
    old: int
    new: int


def positions_that_move(model: PreTrainedModel, pad: int | None) -> dict[str, MovingPositions]:
    """Position tables that must move because they depend on the padding id, which changes.

    RoBERTa-like bodies number positions from ``padding id + 1``; with another padding id every token would silently
    read another position's embedding, so the position table moves along. A body is found by what its class does: a
    forward pass reads ``self.padding_idx``.

    Args:
        model: The model.
        pad: The new padding id.

    Returns:
        What moves, by name of the position table's weight.

    Raises:
        LexigraftError: A position table depends on the padding id and cannot move: the class makes its values itself,
            or counts from an id of its own.
    """
    if pad is None or not (readers := _readers(model, pad)):
        return {}
    # An id beyond the tables of tokens and of positions would be refused.
    long_enough = {
        field: max(size, pad + 2)
        for field in ("vocab_size", "max_position_embeddings")
        if (size := getattr(model.config, field, None)) is not None
    }
    rebuilt = _rebuilt(model, pad_token_id=pad, **long_enough)
    fresh = {name: getattr(module, "padding_idx", None) for name, module in rebuilt.named_modules()}
    made = re.compile("|".join(model._keys_to_ignore_on_load_missing or ()) or r"(?!)")
    moving = {}
    for name, module in readers.items():
        inner = getattr(module, "position_embeddings", None)
        table, place = (module, name) if inner is None else (inner, f"{name}.position_embeddings")
        stored = f"{place}.weight" in dict(model.named_parameters(remove_duplicate=False))
        own_values = not stored and any(b.is_floating_point() for b in module.buffers(recurse=False))
        if own_values or (stored and made.search(f"{place}.weight")) or fresh[name] != pad:
            raise LexigraftError(
                "this body's positions hang on the id of its padding token",
                f"{type(model).__name__} ({type(module).__name__}) with padding at {module.padding_idx}, "
                f"{pad} in the target tokenizer",
                f"Give a target tokenizer whose padding token has id {module.padding_idx}",
            )
        if stored:
            moving[f"{place}.weight"] = MovingPositions(module, table, int(module.padding_idx), pad)
    return moving


def _readers(model: PreTrainedModel, pad: int) -> dict[str, Any]:
    """Modules by name that read another padding id than the new one in their forward pass."""
    return {name: m for name, m in model.named_modules() if _reads_padding(m) and m.padding_idx not in (None, pad)}


def _reads_padding(module: torch.nn.Module) -> bool:
    return hasattr(module, "padding_idx") and forward_reads(module, "padding_idx")


def _rebuilt(model: PreTrainedModel, **changes: int) -> PreTrainedModel:
    """A new model of the same class on the meta device, whose configuration has other values."""
    config = copy.deepcopy(model.config)
    for part in (config, config.get_text_config()):
        for key, value in changes.items():
            setattr(part, key, value)
    return new_on_meta(model, config)


def refuse_shared_padding(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> None:
    """Refuse a padding token that is another role's too, where the body gives padding no position.

    The other role's token, such as the end of every text, would lose its position.

    Args:
        model: The model.
        before: Its old vocabulary.
        after: Its new vocabulary.

    Raises:
        LexigraftError: The padding token of ``after`` has another role that it has not in ``before``.
    """
    shared = _roles_of_padding(after) - _roles_of_padding(before)
    reader = next((m for m in model.modules() if _reads_padding(m) and m.padding_idx is not None), None)
    if shared and reader is not None:
        raise LexigraftError(
            "this body's positions hang on the id of its padding token, which is another token too",
            f"{type(model).__name__} ({type(reader).__name__}): pad is {', '.join(sorted(shared))}",
            "Give the target tokenizer a padding token of its own",
        )


def padding_of_positions(model: PreTrainedModel) -> int | None:
    """The padding id that a model's body counts positions from; ``None`` where they count from 0."""
    return next((int(m.padding_idx) for m in model.modules() if _reads_padding(m) and m.padding_idx is not None), None)


def _roles_of_padding(vocabulary: Vocabulary) -> set[str]:
    """The other roles of the padding token."""
    pad = vocabulary.specials.get("pad")
    return {role for role, i in vocabulary.specials.items() if i == pad and role != "pad"}


def move_positions(model: PreTrainedModel, pad: int | None) -> None:
    """Move a model's position tables, and what counts from them, to another padding id.

    Args:
        model: The model, changed in place; on the meta device too.
        pad: The new padding id; nothing moves without one.

    Raises:
        LexigraftError: As :func:`positions_that_move`.
    """
    import torch

    for moving in positions_that_move(model, pad).values():
        module, table = moving.reader, moving.table
        weight = moved_positions(table.weight.detach(), moving.old, moving.new)
        table.weight = torch.nn.Parameter(weight, requires_grad=table.weight.requires_grad)
        table.num_embeddings = length = len(weight)
        table.padding_idx = module.padding_idx = moving.new
        model.config.get_text_config().max_position_embeddings = length
        if hasattr(module, "max_length"):
            module.max_length = length
        for name in ("position_ids", "token_type_ids"):
            buffer = getattr(module, name, None)
            if buffer is not None:
                content = torch.arange(length).expand(1, -1) if name == "position_ids" else buffer.new_zeros(1, length)
                module.register_buffer(name, content.clone(), persistent=False)
    # Those without a table of positions, such as a rotary body's.
    for module in _readers(model, pad).values() if pad is not None else ():
        module.padding_idx = pad


def moved_positions(table: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """A position table whose used rows, the padding token's first, begin at another id: ``(new + used, hidden)``."""
    import torch

    return torch.cat([table.new_zeros(new, table.shape[1]), table[old:]])
