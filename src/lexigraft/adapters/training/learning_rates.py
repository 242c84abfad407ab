"""Learning rates of single parameters, and of single rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.lora import lora_owner, plain_name
from lexigraft.adapters.training.model_parts import Parts

if TYPE_CHECKING:
    import torch

    from lexigraft.core.config.adaptation import LearningRates


@dataclass(frozen=True, eq=False)
class Rates:
    """Multiples of the learning rate, by the names of parameters.

    Attributes:
        parameters: The multiple of a whole parameter, where it is not 1.
        rows: The multiple of each row of a table, ``(rows,)``, where rows of one table differ.
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, torch.Tensor] = field(default_factory=dict)


def rates_of(model: torch.nn.Module, model_parts: Parts, wanted: LearningRates, new_ids: Sequence[int] | None) -> Rates:
    """The rates of every parameter that trains.

    Args:
        model: The model, with its LoRA layers in place and what trains chosen.
        model_parts: The parts of the plain model.
        wanted: The rates of the parts.
        new_ids: Rows that count as new.
    """
    import torch

    tables = model_parts.embeddings | model_parts.output | model_parts.bias
    parameters: dict[str, float] = {}
    rows: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_lora = ".lora_" in name
        where = lora_owner(name) if is_lora else plain_name(name)
        rate = wanted.body
        if where in tables:
            rate = wanted.tables
        elif where in model_parts.transform:
            rate = wanted.head
        if where in tables and not is_lora and new_ids and wanted.new_rows != wanted.tables:
            rows[name] = torch.full((len(parameter),), wanted.tables)
            rows[name][list(new_ids)] = wanted.new_rows
        elif rate != 1:
            parameters[name] = rate
    return Rates(parameters, rows)


def split_groups(groups: Sequence[dict[str, Any]], rates: Mapping[torch.nn.Parameter, float]) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer, divided so that each holds parameters of one rate.

    Args:
        groups: The groups, all with the same learning rate.
        rates: Multiples of it, where they are not 1.
    """

    def divided() -> Iterator[dict[str, Any]]:
        for group in groups:
            by_rate: dict[float, list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                by_rate.setdefault(rates.get(parameter, 1.0), []).append(parameter)
            yield from ({**group, "params": held, "lr": group["lr"] * rate} for rate, held in by_rate.items())

    return list(divided())


def scale_rows(optimizer: torch.optim.Optimizer, rows: Mapping[torch.nn.Parameter, torch.Tensor]) -> None:
    """Multiply the steps that an optimizer takes, row by row.

    Scaled gradients would not do: Adam divides a gradient by its own size. So each step starts from zero, which is
    exact because the step of a table, which does not decay, depends on gradients alone; it is scaled and then added.

    Args:
        optimizer: The optimizer.
        rows: By table, what to multiply the step of each row by, ``(rows,)``.
    """
    import torch

    before: dict[torch.nn.Parameter, torch.Tensor] = {}

    def start_from_zero(*_: Any) -> None:
        for table in rows:
            before[table] = table.detach().clone()
            table.detach().zero_()

    def add_scaled(*_: Any) -> None:
        for table, multiples in rows.items():
            by_row = multiples.to(table.device).view(-1, *[1] * (table.ndim - 1))
            table.detach().copy_(torch.addcmul(before.pop(table), table.detach(), by_row))

    optimizer.register_step_pre_hook(start_from_zero)
    optimizer.register_step_post_hook(add_scaled)
