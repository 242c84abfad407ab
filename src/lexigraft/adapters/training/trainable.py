"""Choice of the parts of a model that train."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.peft_calls import expected_peft_warnings
from lexigraft.core.errors import LexigraftError, did_you_mean
from lexigraft.core.models.text_side import beside_text
from lexigraft.core.training.objective import BESIDE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.shielding import Columns
    from lexigraft.core.config.adaptation import AdaptSettings, Phase
    from lexigraft.core.tokenization.vocabulary import Vocabulary


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
            _end_layers(model, int(phase.body.split(":")[1]))
    if new_ids and max(new_ids) >= len(table):
        raise LexigraftError("a new row lies beyond the table", max(new_ids), f"The table has {len(table)} rows")


def add_lora(model: PreTrainedModel, settings: AdaptSettings, phases: Sequence[Phase]) -> Any:
    """Insert LoRA layers where any phase asks for them; the given model object is the one to train.

    Args:
        model: The plain model.
        settings: Rank, scale, dropout, targets and seed.
        phases: What trains when.

    Returns:
        The PEFT model around it, or ``None`` when no phase asks for LoRA.

    Raises:
        LexigraftError: ``lora_targets`` names no linear layer of the body.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    targets = lora_targets(model, settings, phases)
    if not targets:
        return None
    modules = dict(model.named_modules())
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        fan_in_fan_out=all(isinstance(modules[name], Conv1D) for name in targets),
    )
    with torch.random.fork_rng(), expected_peft_warnings():
        torch.manual_seed(settings.seed)
        return get_peft_model(model, config)


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
    end_layers = _end_layers(model, int(phase.body.split(":")[1])) if phase.body.startswith("top_bottom") else None
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
        in_end_layers = where in model_parts.body and end_layers is not None and where.startswith(end_layers)
        full = mode == "full" or mode.startswith("shielded") or in_end_layers
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


def plain_name(name: str) -> str:
    """A parameter's name in the model without LoRA layers: that of the layer it belongs to."""
    return re.sub(r"\.(base_layer|lora_\w+(\.default)?)\b", "", name)


def lora_owner(name: str) -> str:
    """The name, in the model without LoRA layers, of the weight that a LoRA parameter changes."""
    where = plain_name(name)
    return where if where.endswith(".weight") else f"{where}.weight"


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


def lora_targets(model: PreTrainedModel, settings: AdaptSettings, phases: Sequence[Phase]) -> list[str]:
    """Names of the modules that get LoRA layers.

    Args:
        model: The plain model.
        settings: For ``lora_targets``.
        phases: What trains when.

    Raises:
        LexigraftError: ``lora_targets`` names no linear layer of the body.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    model_parts = parts(model)
    targets: list[str] = []
    if any(phase.body == "lora" for phase in phases):
        linear = [
            name
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and f"{name}.weight" in model_parts.body
        ]
        linear = [name for name in linear if _takes_lora(model, name)]
        wanted = settings.lora_targets
        targets = [n for n in linear if wanted is None or any(n == w or n.endswith(f".{w}") for w in wanted)]
        if not targets:
            known = {name.rsplit(".", 1)[-1] for name in linear}
            raise LexigraftError("no linear layer of the body has this name", wanted, did_you_mean(str(wanted), known))
    tables = {"embeddings": model_parts.embeddings, "head": model_parts.output}
    for word, names in tables.items():
        if any(getattr(phase, word) == "lora" for phase in phases):
            targets += [name.removesuffix(".weight") for name in names]
    return targets


def _takes_lora(model: PreTrainedModel, name: str) -> bool:
    """Whether PEFT puts LoRA on a layer; it refuses those whose weight a fused kernel reads past it (Mamba's)."""
    from peft import LoraConfig
    from peft.tuners.tuners_utils import _check_lora_target_modules_mamba

    try:
        _check_lora_target_modules_mamba(LoraConfig(), model, name.rpartition(".")[2])
    except ValueError:
        return False
    return True


def _end_layers(model: PreTrainedModel, count: int) -> tuple[str, ...]:
    """Name prefixes of the first and last layers of every stack."""
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
