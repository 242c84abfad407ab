"""Factorized embedding tables, coordinates times shared primitives (OFA), as torch modules and files.

A dense table ``(vocabulary, hidden)`` becomes coordinates ``(vocabulary, r)`` and primitives ``(r, hidden)``: fewer
parameters on disk, in memory and in training as soon as ``r`` is well below ``hidden``. Plain transformers does not
know these modules, so the files have names of their own and :func:`load_factorized` reads them.

    model = load_model("grafted")                                          # by `ofa` with rank 100, dense tables
    factorize(model, 100, basis=tables_of(load_model(source)).by_role)     # the same logits, fewer numbers
    save_factorized(model, "small")
    model = load_factorized("small")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch  # modules are classes of torch's: nothing that must start fast imports this file
from torch import nn

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.truncated_svd import Primitives, primitives_of
from lexigraft.core.models.loading import model_class
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.utils.files import replacing, write_whole
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WEIGHTS, SHAPE = "factorised.safetensors", "factorised.json"
"""File names of the saved format, which keep their spelling so that saved models stay readable."""
_FORMAT = 1


class FactorizedEmbedding(nn.Module):
    """An input table as ``coordinates @ primitives``.

    Attributes:
        coordinates: One row for each token, ``(vocabulary, r)``.
        primitives: Shared by all tokens, ``(r, hidden)``; freeze them (``requires_grad_(False)``) to train as OFA does.
        scale: The factor that the model applies to its embeddings inside the table (1 for most).
    """

    def __init__(self, coordinates: torch.Tensor, primitives: torch.Tensor, scale: float = 1.0) -> None:
        super().__init__()
        self.coordinates = nn.Parameter(coordinates)
        self.primitives = nn.Parameter(primitives)
        self.scale = scale

    @property
    def weight(self) -> torch.Tensor:
        """The dense table, ``(vocabulary, hidden)``, made when asked for: a copy, not a parameter."""
        return self.coordinates @ self.primitives

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows of tokens: ids of any shape to that shape with ``hidden`` appended."""
        return nn.functional.embedding(ids, self.coordinates) @ self.primitives * self.scale


class FactorizedHead(nn.Module):
    """An output table as transposed primitives, then transposed coordinates, then the bias.

    Attributes:
        coordinates: One row for each token, ``(vocabulary, r)``; the input table's own when the head is tied.
        primitives: ``(r, hidden)``; likewise.
        bias: ``(vocabulary,)``, or none.
    """

    def __init__(self, table: FactorizedEmbedding, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.coordinates, self.primitives = table.coordinates, table.primitives
        self.bias = bias

    @property
    def weight(self) -> torch.Tensor:
        """The dense table, ``(vocabulary, hidden)``, made when asked for: a copy, not a parameter."""
        return self.coordinates @ self.primitives

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits: ``(…, hidden)`` to ``(…, vocabulary)``."""
        return nn.functional.linear(hidden @ self.primitives.T, self.coordinates, self.bias)


def factorize(
    model: PreTrainedModel, rank: int, *, basis: Mapping[Role, torch.Tensor] | None = None
) -> PreTrainedModel:
    """Factorize a model's tables in place. A tied head stays tied, an untied one is factorized by itself.

    ``E ~ F P`` with ``P = S V^T`` of the basis and ``F = E V S^-1``, so rows that lie in the basis's r leading
    directions are unchanged, and the others are projected on them. The rows of `ofa` with the same rank lie in these
    directions when the basis is the source model's table, as in the paper; without a basis a table is its own, which
    changes the table as a whole the least.

    Args:
        model: A model with dense tables.
        rank: r.
        basis: The tables whose leading singular directions serve, by role.

    Returns:
        The model itself, its tables replaced.

    Raises:
        LexigraftError: A table has no such rank, or the model is factorized already.
    """
    inputs, head = model.get_input_embeddings(), model.get_output_embeddings()
    if isinstance(inputs, FactorizedEmbedding):
        raise LexigraftError("model is factorized already", type(model).__name__)
    tables = tables_of(model)
    parts = {
        role: _factors(table, primitives_of(_wide((basis or {}).get(role, table)), rank))
        for role, table in tables.by_role.items()
        if role is not Role.BIAS
    }
    input_table = FactorizedEmbedding(*parts[Role.INPUT], _scale(inputs))
    model.set_input_embeddings(input_table)
    if head is not None:
        output_table = input_table if tables.tied else FactorizedEmbedding(*parts[Role.OUTPUT])
        model.set_output_embeddings(FactorizedHead(output_table, getattr(head, "bias", None)))
    return model.eval()


def save_factorized(model: PreTrainedModel, folder: Path | str) -> None:
    """Write a factorized model: its configuration, the shape of its tables, and its weights as safetensors.

    Args:
        model: The result of :func:`factorize`.
        folder: The folder; made when missing. A tokenizer is saved beside it by its own ``save_pretrained``.

    Raises:
        LexigraftError: The model is not factorized, or a file cannot be written.
    """
    from safetensors.torch import save_model

    table = _table_of(model)
    folder = Path(folder)
    shape = {
        "format": _FORMAT,
        "class": type(model).__name__,
        "tokens": table.coordinates.shape[0],
        "rank": table.coordinates.shape[1],
        "tied": _tied(model),
        "dtype": str(table.coordinates.dtype).removeprefix("torch."),
    }
    with replacing(folder / WEIGHTS) as temporary:
        save_model(model, str(temporary))
    model.config.save_pretrained(folder)
    write_whole(folder / SHAPE, json.dumps(shape, indent=2) + "\n")


def load_factorized(folder: Path | str) -> PreTrainedModel:
    """Read a factorized model, in evaluation mode.

    Args:
        folder: A folder written by :func:`save_factorized`.

    Returns:
        The model, with the tables, ties and dtype it was saved with.

    Raises:
        LexigraftError: The folder holds no factorized model, or its files do not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model
    from transformers import AutoConfig

    folder = Path(folder).expanduser()
    if not (folder / SHAPE).is_file() or not (folder / WEIGHTS).is_file():
        raise LexigraftError("folder holds no factorized model", folder, f"It must hold {SHAPE} and {WEIGHTS}")
    refuse_pointers(folder / name for name in (SHAPE, WEIGHTS, "config.json"))
    try:
        shape = json.loads((folder / SHAPE).read_text(encoding="utf-8"))
        config = AutoConfig.from_pretrained(folder)
        config.architectures = [shape["class"]]
        model: PreTrainedModel = model_class(config)(config)
        _insert_empty_tables(model, int(shape["tokens"]), int(shape["rank"]), bool(shape["tied"]))
        for weight in model.parameters():  # not model.to(): that would round the rotary frequencies too
            weight.data = weight.data.to(getattr(torch, shape["dtype"]))
        load_model(model, str(folder / WEIGHTS))
    except (SafetensorError, AttributeError, RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("factorized model cannot be read", folder, reason) from None
    return model.eval()


def _factors(table: torch.Tensor, primitives: Primitives) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates and primitives of a table, in its own dtype."""
    return primitives.coordinates(_wide(table)).to(table.dtype), primitives.matrix.to(table.dtype)


def _wide(table: torch.Tensor) -> torch.Tensor:
    """The table in float32, or in its own dtype where that is wider."""
    return table.detach().to(torch.promote_types(table.dtype, torch.float32))


def _scale(embedding: nn.Module) -> float:
    """The factor that some models' input tables apply to the rows they return (Gemma 3, BART)."""
    return float(getattr(embedding, "scalar_embed_scale", getattr(embedding, "embed_scale", 1.0)))


def _table_of(model: PreTrainedModel) -> FactorizedEmbedding:
    table = model.get_input_embeddings()
    if not isinstance(table, FactorizedEmbedding):
        raise LexigraftError("model is not factorized", type(model).__name__, "Call factorize first")
    return table


def _tied(model: PreTrainedModel) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.coordinates is _table_of(model).coordinates


def _insert_empty_tables(model: PreTrainedModel, tokens: int, rank: int, tied: bool) -> None:
    """Replace the configuration's dense tables by empty factorized ones."""
    inputs, head = model.get_input_embeddings(), model.get_output_embeddings()
    hidden = inputs.weight.shape[1]

    def empty(scale: float = 1.0) -> FactorizedEmbedding:
        return FactorizedEmbedding(torch.zeros(tokens, rank), torch.zeros(rank, hidden), scale)

    input_table = empty(_scale(inputs))
    model.set_input_embeddings(input_table)
    if head is not None:
        model.set_output_embeddings(FactorizedHead(input_table if tied else empty(), getattr(head, "bias", None)))
