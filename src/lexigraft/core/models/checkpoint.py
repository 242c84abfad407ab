"""Place of each tensor in a checkpoint, from the safetensors headers."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}
"""Bytes of one value, by the dtype's name in safetensors."""

_NO_HEADER = (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error)
"""What reading of a damaged header raises."""
_LONGEST_HEADER = 100 * 2**20
_COPY_AGAIN = "Copy or download it again"


@dataclass(frozen=True)
class Stored:
    """One tensor in a file.

    Attributes:
        name: Its name.
        dtype: The dtype as safetensors names it: ``F32``, ``BF16``, …
        shape: Its shape.
        path: The file.
        start: Offset of its first byte in the file.
        length: How many bytes it has.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    start: int
    length: int

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Shard:
    """One file of a checkpoint.

    Attributes:
        path: The file.
        tensors: What it holds, in the order of the bytes.
        metadata: The header's metadata.
        start: Offset of the first tensor.
    """

    path: Path
    tensors: tuple[Stored, ...]
    metadata: Mapping[str, str]
    start: int


@dataclass(frozen=True)
class Checkpoint:
    """All files of a checkpoint.

    Attributes:
        folder: Their folder.
        shards: The files, by name.
        index: The content of ``model.safetensors.index.json``; ``None`` for a checkpoint of one file.
    """

    folder: Path
    shards: tuple[Shard, ...]
    index: Mapping[str, Any] | None

    @cached_property
    def tensors(self) -> dict[str, Stored]:
        """Every tensor by its name."""
        return {tensor.name: tensor for shard in self.shards for tensor in shard.tensors}


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the headers of a checkpoint, and compare them with the files' sizes and the index.

    Args:
        folder: What ``save_pretrained`` wrote, sharded or not.

    Raises:
        LexigraftError: A file is missing, damaged or cut short, or is not what the index says.
    """
    index = read_index(folder)
    shards = tuple(_read_shard(path) for path in weight_files(folder, index))
    checkpoint = Checkpoint(folder, shards, index)
    if index is not None and (absent := sorted(set(index["weight_map"]) - set(checkpoint.tensors))):
        raise LexigraftError("the checkpoint's index names tensors that no shard holds", absent[0], _COPY_AGAIN)
    return checkpoint


def read_index(folder: Path) -> dict[str, Any] | None:
    """The index of a sharded checkpoint; ``None`` where there is none.

    Raises:
        LexigraftError: It is no index, or it names files outside of the folder.
    """
    path = folder / INDEX
    if not path.is_file():
        return None
    refuse_pointers([path])
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = set(index["weight_map"].values())
        if not all(isinstance(name, str) and "\0" not in name for name in names):
            raise ValueError("a file's name is no text")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LexigraftError("the checkpoint's index is damaged", f"{path} ({error})", _COPY_AGAIN) from None
    # Written files get these names.
    if invalid := sorted(n for n in names if Path(n).name != n or not n.endswith(".safetensors")):
        raise LexigraftError("the checkpoint's index names a file that is no shard", invalid[0], _COPY_AGAIN)
    return index


def weight_files(folder: Path, index: Mapping[str, Any] | None) -> list[Path]:
    """The files that hold a checkpoint's weights, by name.

    Raises:
        LexigraftError: One of them is missing or a Git LFS pointer, or there is none at all.
    """
    if index is not None:
        names = sorted(set(index["weight_map"].values()))
        if missing := [name for name in names if not os.path.isfile(folder / name)]:
            raise LexigraftError(
                "checkpoint shards are missing", ", ".join(missing), f"Complete the download of {folder}"
            )
        files = [folder / name for name in names]
        refuse_pointers(files)
        return files
    if (folder / WEIGHTS).is_file():
        refuse_pointers([folder / WEIGHTS])
        return [folder / WEIGHTS]
    if pickled := sorted(p.name for p in folder.glob("*.bin")):
        raise LexigraftError(
            "checkpoint is pickled", pickled[0], "Only safetensors are read; save it again with save_pretrained"
        )
    raise LexigraftError(f"folder holds no weights (no {WEIGHTS})", folder, "Give a complete checkpoint")


def _read_shard(path: Path) -> Shard:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header: dict[str, Any] = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        start = 8 + length
        tensors = tuple(
            sorted((_stored(path, start, name, entry) for name, entry in header.items()), key=lambda t: t.start)
        )
    except (OSError, ArithmeticError, *_NO_HEADER) as error:
        raise LexigraftError("checkpoint file is damaged", f"{path} ({error})", _COPY_AGAIN) from None
    end = start
    for tensor in tensors:
        if tensor.start != end:
            raise LexigraftError("checkpoint file is damaged", f"{path} ({tensor.name} is out of place)", _COPY_AGAIN)
        end += tensor.length
    if (size := path.stat().st_size) != end:
        what = "checkpoint file is cut short" if size < end else "checkpoint file is too long"
        raise LexigraftError(what, f"{path} ({size:,} bytes of {end:,})", _COPY_AGAIN)
    return Shard(path, tensors, metadata, start)


def _stored(path: Path, start: int, name: str, entry: Mapping[str, Any]) -> Stored:
    shape, (begin, end) = tuple(int(n) for n in entry["shape"]), entry["data_offsets"]
    if not all(0 <= n < 2**63 for n in shape):  # with a zero beside it, a length of any size takes no bytes
        raise ValueError(f"{name} has the shape {list(shape)}")
    tensor = Stored(name, str(entry["dtype"]), shape, path, start + begin, end - begin)
    width = WIDTHS.get(tensor.dtype)
    if width is not None and tensor.length != width * tensor.size:
        raise ValueError(f"{name} has {tensor.length} bytes for {tensor.size} values of {tensor.dtype}")
    return tensor
