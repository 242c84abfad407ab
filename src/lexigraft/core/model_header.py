"""A checkpoint's sizes, read from the safetensors headers: no weight is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from lexigraft.core.checkpoint import WIDTHS
from lexigraft.core.errors import LexigraftError
from lexigraft.core.model_on_disk import ModelOnDisk
from lexigraft.core.strategy import Role


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
        return WIDTHS.get(self.dtype, 1)


def read_header(path: str) -> Header:
    """Read the sizes of a local checkpoint.

    Args:
        path: What ``save_pretrained`` wrote, sharded or not.

    Returns:
        Rows, width, dtype, tie and parameters.

    Raises:
        LexigraftError: No model there, a damaged file, or no input table in it.
    """
    model = ModelOnDisk(path)
    if model.layout is None:
        raise LexigraftError("checkpoint holds no input table", path, "Give a complete checkpoint")
    tensors = model.checkpoint.tensors
    table = tensors[model.layout.names[Role.INPUT][0]]
    rows, hidden = table.shape
    tied = Role.OUTPUT not in model.layout.names
    return Header(rows, hidden, table.dtype, tied, sum(tensor.size for tensor in tensors.values()))
