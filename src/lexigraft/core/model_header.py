"""A checkpoint's tensor shapes and dtypes, read from the safetensors headers: no weight is loaded."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.model_files import model_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_LONGEST_HEADER = 100 * 2**20
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class Header:
    """The sizes of a model.

    Attributes:
        rows: Rows of the input table.
        hidden: Width of the input table.
        dtype: The table's dtype as safetensors names it: ``F32``, ``BF16``, …
        tied: Whether no output table of its own is stored.
        parameters: Values in all tensors.
    """

    rows: int
    hidden: int
    dtype: str
    tied: bool
    parameters: int

    @property
    def bytes_per_value(self) -> int:
        """Bytes of one value of the table."""
        return _BYTES.get(self.dtype, 1)


def read_header(folder: Path, config: PretrainedConfig) -> Header:
    """Read the sizes of a local checkpoint.

    Args:
        folder: What ``save_pretrained`` wrote, sharded or not.
        config: Its configuration.

    Returns:
        Rows, width, dtype, tie and parameters.

    Raises:
        LexigraftError: A damaged file, or no input table in it.
    """
    import torch

    tensors: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= _tensors(path)
    with torch.device("meta"):
        model = model_class(config)(config)
    head = model.get_output_embeddings()
    inputs = _names(model, model.get_input_embeddings())
    table = next(filter(None, (_stored(tensors, model, name) for name in inputs)), None)
    if table is None:
        raise LexigraftError("checkpoint holds no input table", folder, "Give a complete checkpoint")
    tied = head is None or not any(_stored(tensors, model, name) for name in _names(model, head))
    rows, hidden = table["shape"]
    return Header(rows, hidden, table["dtype"], tied, sum(math.prod(t["shape"]) for t in tensors.values()))


def _names(model: Any, table: Any) -> list[str]:
    return [f"{name}.weight" for name, module in model.named_modules(remove_duplicate=False) if module is table]


def _stored(tensors: Mapping[str, Any], model: Any, name: str) -> Any:
    """A tensor by its name in the model, with or without the prefix of the model's body."""
    prefix = f"{model.base_model_prefix}."
    return tensors.get(name) or tensors.get(name.removeprefix(prefix)) or tensors.get(prefix + name)


def _tensors(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            found: dict[str, Any] = json.loads(file.read(length))
    except (OSError, ValueError, struct.error) as fault:
        raise LexigraftError("checkpoint file is damaged", path, str(fault)) from None
    found.pop("__metadata__", None)
    return found
