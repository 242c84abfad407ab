"""Embedding tables of a model by role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.moments import all_finite
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class FloatTables(Mapping["Role", "torch.Tensor"]):
    """Tables by role, ``(rows, hidden)`` or ``(rows,)``, converted to float32 when they are indexed.

    Args:
        stored: The tables as they are stored; only their values are shared.
    """

    def __init__(self, stored: Mapping[Role, torch.Tensor]) -> None:
        self._tables = dict(stored)

    def __getitem__(self, role: Role) -> torch.Tensor:
        # Converted once; the stored dtype is dropped.
        self._tables[role] = self._tables[role].float()
        return self._tables[role]

    def __iter__(self) -> Iterator[Role]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def as_stored(self, role: Role) -> torch.Tensor:
        """A table in its present dtype: the same values, for callers that read a few rows of it at a time."""
        return self._tables[role]


@dataclass(frozen=True)
class Tables:
    """Embedding tables of a model, live or read from a checkpoint.

    Attributes:
        by_role: Tables by role; no OUTPUT when the tables are tied or there is no head.
        tied: Whether input and output are one table.
    """

    by_role: Mapping[Role, torch.Tensor]
    tied: bool


def tables_of(model: PreTrainedModel) -> Tables:
    """Find a model's tables by its own accessors, and tied tables by identity, not by the configuration.

    The bias is the head's own, or else the logits bias that BART and its kin keep as a buffer ``(1, rows)``, which is
    seen as ``(rows,)``.

    Raises:
        LexigraftError: The layer that the class calls its head gives no logits over the vocabulary.
    """
    inputs = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    by_role: dict[Role, torch.Tensor] = {Role.INPUT: inputs}
    tied = False
    if head is not None:
        _refuse_other_head(model, inputs, head)
        tied = head.weight is inputs or (not inputs.is_meta and head.weight.data_ptr() == inputs.data_ptr())
        if not tied:
            by_role[Role.OUTPUT] = head.weight
        bias = getattr(head, "bias", None)
        if bias is None and (logits_bias := logits_bias_of(model)) is not None:
            bias = logits_bias.view(-1)
        if bias is not None:
            by_role[Role.BIAS] = bias
    return Tables(by_role, tied)


LOGITS_BIAS = "final_logits_bias"
"""Name of the buffer that BART and its kin add to their logits, ``(1, rows)``."""


def logits_bias_of(model: PreTrainedModel) -> torch.Tensor | None:
    """The logits bias that a model keeps beside its head, ``(1, rows)``."""
    found: torch.Tensor | None = dict(model.named_buffers(recurse=False)).get(LOGITS_BIAS)
    return found


def _refuse_other_head(model: PreTrainedModel, inputs: torch.Tensor, head: Any) -> None:
    """Refuse a class whose accessor returns a layer before the logits (DeBERTa with ``legacy: false``)."""
    width = inputs.shape[1]
    if tuple(head.weight.shape) == (width, width) and len(inputs) != width:
        raise LexigraftError(
            "model keeps its head where transformers does not find it",
            f"{type(model).__name__}: {width} outputs for {len(inputs)} tokens",
            "This head cannot be grafted; DeBERTa's can with `legacy: true`, the form of the published models",
        )


def names_by_role(model: PreTrainedModel) -> dict[Role, list[str]]:
    """Every name under which a model's state has each of its tables."""
    tables, logits_bias = tables_of(model).by_role, logits_bias_of(model)
    named = list(model.named_parameters(remove_duplicate=False))
    names = {role: [name for name, found in named if found is table] for role, table in tables.items()}
    if logits_bias is not None and not names.get(Role.BIAS):
        names[Role.BIAS] = [LOGITS_BIAS]
    return names


def as_stored(table: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """A table with the axes of length 1 that a stored shape has before its own: a logits bias is ``(1, rows)``."""
    return table.reshape(*shape[: len(shape) - table.dim()], *table.shape)


def check_tables(tables: Tables, vocabulary: Vocabulary, where: str | Path) -> None:
    """Refuse tables that do not fit the tokenizer or hold values that are not numbers.

    Raises:
        LexigraftError: Token ids beyond the table, or NaN or infinite values (with the first rows).
    """
    for role, table in tables.by_role.items():
        if len(table) < vocabulary.size:
            raise LexigraftError(
                f"tokenizer has ids beyond the {role} table of {where}",
                f"{vocabulary.size} ids for {len(table)} rows",
                "Tokenizer and model do not belong together, or tokens were added without resize_token_embeddings",
            )
        if bad := _not_finite(table):
            shown = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
            raise LexigraftError(
                f"the {role} table of {where} holds NaN or infinite values",
                f"{len(bad)} rows: {shown}",
                "The checkpoint is damaged",
            )


def _not_finite(table: torch.Tensor) -> list[int]:
    """Rows that hold NaN or infinite values."""
    return [] if all_finite(table) else [i for i, row in enumerate(table.detach()) if not all_finite(row)]


class Role(StrEnum):
    """The role of an embedding table in the model."""

    INPUT = "input"
    OUTPUT = "output"
    BIAS = "bias"
