"""Checkpoint files with some tensors replaced."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lexigraft.core.models.checkpoint import INDEX, WIDTHS, Checkpoint, Shard
from lexigraft.core.models.streaming import Copied, InlineBytes, Piece, Values

if TYPE_CHECKING:
    import torch


def rewritten(shard: Shard, replaced: Mapping[str, torch.Tensor]) -> list[Piece]:
    """The pieces of a file in which some tensors have other values, and perhaps another shape.

    Args:
        shard: The present file.
        replaced: New values by name, stored in the dtype that the tensor had; names in other files are ignored.

    Returns:
        The header, then the tensors; without a replaced tensor, the file itself.
    """
    if not any(tensor.name in replaced for tensor in shard.tensors):
        return [Copied(shard.path, 0, shard.path.stat().st_size)]
    # Wider values first, as the format's own writer does: a table of another length must not leave them unaligned.
    order = sorted(shard.tensors, key=lambda t: (-WIDTHS.get(t.dtype, 1), t.start))
    header: dict[str, Any] = {"__metadata__": dict(shard.metadata)} if shard.metadata else {}
    body: list[Piece] = []
    end = 0
    for tensor in order:
        new = replaced.get(tensor.name)
        piece: Piece = Copied(tensor.path, tensor.start, tensor.length) if new is None else Values(new, tensor.dtype)
        shape = tensor.shape if new is None else new.shape
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(shape),
            "data_offsets": [end, end + piece.length],
        }
        end += piece.length
        body.append(piece)
    return [InlineBytes(_encoded(header)), *_merged(body)]


def _encoded(header: Mapping[str, Any]) -> bytes:
    """A header with its length before it, padded so that the tensors begin at a multiple of 8 bytes."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Merge adjacent byte ranges of one file."""
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, Copied) and isinstance(last, Copied) and last.start + last.length == piece.start:
            merged[-1] = Copied(last.path, last.start, last.length + piece.length)
        else:
            merged.append(piece)
    return merged


def rewritten_index(
    checkpoint: Checkpoint, replaced: Mapping[str, torch.Tensor], parameters: int
) -> tuple[str, str] | None:
    """Name and text of the new index; ``None`` for a checkpoint of one file.

    Args:
        checkpoint: The present checkpoint.
        replaced: New values by name.
        parameters: Number of values in the new model, shared ones counted once.
    """
    if checkpoint.index is None:
        return None
    sizes = {name: tensor.length for name, tensor in checkpoint.tensors.items()}
    sizes |= {name: Values(new, checkpoint.tensors[name].dtype).length for name, new in replaced.items()}
    metadata = {**checkpoint.index.get("metadata", {}), "total_size": sum(sizes.values())}
    if "total_parameters" in metadata:
        metadata["total_parameters"] = parameters
    index = {**checkpoint.index, "metadata": metadata}
    return INDEX, json.dumps(index, indent=2, sort_keys=True) + "\n"
