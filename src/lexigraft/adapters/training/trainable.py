"""Choice of the parameters that train in a phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lexigraft.adapters.training.lora import lora_owner, plain_name
from lexigraft.adapters.training.model_parts import Parts, end_layers, parts
from lexigraft.core.errors import LexigraftError
from lexigraft.core.training.objective import BESIDE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.shielding import Columns
    from lexigraft.core.config.adaptation import Phase
    from lexigraft.core.tokenization.vocabulary import Vocabulary


def refuse_impossible(model: PreTrainedModel, phases: Sequence[Phase], new_ids: Sequence[int] | None) -> None:
    """Refuse settings that this model cannot be trained with, before anything is changed.

    Args:
        model: The plain model.
        phases: What trains when.
        new_ids: Rows that count as new.

    Raises:
        LexigraftError: LoRA on a table that several modules share, no new rows, new rows beyond the table, or more
            layers than there are.
    """
    table = model.get_input_embeddings().weight
    shared = sum(getattr(m, "weight", None) is table for m in model.modules()) > 1
    tied = parts(model).tied
    for phase in phases:
        if phase.embeddings == phase.head == phase.body == "frozen":
            raise LexigraftError("nothing trains", "frozen", "Let embeddings, head or body train, or take no step")
        if (phase.embeddings == "lora" and shared) or (phase.head == "lora" and tied):
            raise LexigraftError(
                "LoRA cannot train a table that several parts of the model share",
                type(model).__name__,
                "Its change would reach one side only; use 'full' or 'new_rows' for embeddings and head",
            )
        if "new_rows" in (phase.embeddings, phase.head) and not new_ids:
            raise LexigraftError("there are no new rows to train", hint="Use 'full', or say which rows are new")
        if phase.body.startswith("top_bottom"):
            end_layers(model, int(phase.body.split(":")[1]))
    if new_ids and max(new_ids) >= len(table):
        raise LexigraftError("a new row lies beyond the table", max(new_ids), f"The table has {len(table)} rows")


def set_trainable(
    model: PreTrainedModel,
    model_parts: Parts,
    phase: Phase,
    new_ids: Sequence[int] | None,
    held: Mapping[str, Columns] | None = None,
) -> Callable[[], None]:
    """Make exactly the parameters that a phase names trainable, and those of what stands beside the model.

    A tied table follows ``embeddings``. ``head`` decides over an output table of its own and the head's bias; a masked
    model's head transform trains under ``head: full`` only.

    Args:
        model: The model, with its LoRA layers in place.
        model_parts: The parts of the plain model.
        phase: What trains.
        new_ids: Rows that count as new.
        held: Columns that stay as they are, by the weight's name in the plain model.

    Returns:
        A function that removes the gradient hooks.
    """
    ends = end_layers(model, int(phase.body.split(":")[1])) if phase.body.startswith("top_bottom") else None
    hooks = []
    for name, parameter in model.named_parameters():
        where = plain_name(name)
        if ".lora_" in name:
            owner = lora_owner(name)
            mode = phase.body
            if owner in model_parts.embeddings:
                mode = phase.embeddings
            elif owner in model_parts.output:
                mode = phase.head
            parameter.requires_grad_(mode == "lora")
            continue
        mode = _mode(where, model_parts, phase)
        in_ends = ends is not None and where in model_parts.body and where.startswith(ends)
        full = mode == "full" or mode.startswith("shielded") or in_ends
        rows = mode == "new_rows" and where not in model_parts.transform
        parameter.requires_grad_(full or rows)
        if rows:
            hooks.append(parameter.register_hook(_row_mask(new_ids or ())))
        elif held is not None and where in held:
            hooks.append(parameter.register_hook(_column_mask(held[where])))

    def release() -> None:
        for hook in hooks:
            hook.remove()

    return release


def trainable_parameters(
    model: PreTrainedModel,
    model_parts: Parts,
    phase: Phase,
    new_ids: Sequence[int] | None,
    held: Mapping[str, Columns],
) -> int:
    """How many numbers train in a phase: rows and columns that stay as they are do not count.

    Args:
        model: The model, after :func:`set_trainable`.
        model_parts: The parts of the plain model.
        phase: What trains.
        new_ids: Rows that count as new.
        held: Columns that stay as they are, by the weight's name in the plain model.
    """
    rows = len(set(new_ids or ()))
    total = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        plain = plain_name(name)
        mode = phase.embeddings if plain in model_parts.embeddings else phase.head
        by_rows = mode == "new_rows" and plain in model_parts.embeddings | model_parts.output | model_parts.bias
        total += parameter.numel() * rows // len(parameter) if by_rows else parameter.numel()
        if plain in held:
            axis, columns = held[plain].axis, held[plain].values
            total -= parameter.numel() // parameter.shape[axis] * len(columns)
    return total


def train_shared_padding_row(model: PreTrainedModel, vocabulary: Vocabulary) -> None:
    """Let the padding token's input row train where it is another role's too, as with ``pad_token = eos_token``.

    torch's embedding layer keeps the gradient of its ``padding_idx`` at zero. Training sequences hold no padding, so
    what this would stop is the end token.

    Args:
        model: The plain model.
        vocabulary: Its vocabulary.
    """
    import torch

    pad, table = vocabulary.specials.get("pad"), model.get_input_embeddings().weight
    if pad not in [i for role, i in vocabulary.specials.items() if role != "pad"]:
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding) and module.weight is table:
            module.padding_idx = None


def _mode(name: str, model_parts: Parts, phase: Phase) -> str:
    if name.startswith(f"{BESIDE}."):
        return "full"
    if name in model_parts.embeddings:
        return phase.embeddings
    if name in model_parts.output | model_parts.bias | model_parts.transform:
        return phase.head
    return "frozen" if name in model_parts.other else phase.body


def _row_mask(rows: Sequence[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A gradient hook that lets the given rows through and zeroes the others."""
    import torch

    index = torch.tensor(list(rows), dtype=torch.long)

    def keep(gradient: torch.Tensor) -> torch.Tensor:
        chosen = index.to(gradient.device)
        kept = torch.zeros_like(gradient)
        kept[chosen] = gradient[chosen]
        return kept

    return keep


def _column_mask(columns: Columns) -> Callable[[torch.Tensor], torch.Tensor]:
    """A gradient hook that zeroes the given columns."""
    return lambda gradient: gradient.index_fill(columns.axis, columns.values.to(gradient.device), 0)
