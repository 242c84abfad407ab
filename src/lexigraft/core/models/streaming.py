"""Checkpoint files written from byte ranges of other files and from tensors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.moments import all_finite
from lexigraft.core.models.checkpoint import WIDTHS, Stored

if TYPE_CHECKING:
    import torch


Block = bytes | memoryview

BLOCK = 2**20
"""Bytes held in memory at a time; blocks of 4 MB were written five times more slowly."""

_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Piece(Protocol):
    """A part of a file to write."""

    @property
    def length(self) -> int:
        """Its number of bytes."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Its content, block by block; a block is valid only until the next one."""
        ...


@dataclass(frozen=True)
class InlineBytes:
    """Bytes in memory."""

    content: bytes

    @property
    def length(self) -> int:
        """Its number of bytes."""
        return len(self.content)

    def blocks(self) -> Iterator[Block]:
        """All of it."""
        yield self.content


@dataclass(frozen=True)
class Copied:
    """A byte range of another file.

    Attributes:
        path: The file.
        start: Offset of its first byte.
        length: Its number of bytes.
    """

    path: Path
    start: int
    length: int

    def blocks(self) -> Iterator[Block]:
        """Read the range; raises ``LexigraftError`` where the file ends too early."""
        whole = memoryview(bytearray(min(BLOCK, self.length)))
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left:
                block = whole[: min(BLOCK, left)]
                if file.readinto(block) < len(block):
                    raise self._cut_short()
                yield block
                left -= len(block)

    def send(self, file: FileIO, *, cached: bool) -> bool:
        """Append the range to a file inside the kernel; false where the system cannot do that.

        Raises:
            LexigraftError: The file ends too early.
        """
        with self.path.open("rb", buffering=0) as source:
            sent = append_range(file, source, self.start, self.length, cached=cached)
        if 0 < sent < self.length:
            raise self._cut_short()
        return sent == self.length

    def _cut_short(self) -> LexigraftError:
        return LexigraftError("checkpoint file was cut short while it was read", self.path)


@dataclass(frozen=True)
class Values:
    """A tensor that is converted to a given dtype when it is written.

    Attributes:
        tensor: The values, in any floating dtype.
        dtype: The dtype to store, as safetensors names it.
    """

    tensor: torch.Tensor
    dtype: str

    @property
    def length(self) -> int:
        """Its number of bytes."""
        return self.tensor.numel() * WIDTHS[self.dtype]

    def blocks(self) -> Iterator[Block]:
        """Convert it block by block."""
        import torch

        for part in self.tensor.detach().reshape(-1).split(BLOCK // 8):
            yield memoryview(part.to(torch_dtype(self.dtype)).view(torch.uint8).numpy())


def torch_dtype(dtype: str) -> torch.dtype:
    """The torch dtype of a floating dtype of safetensors.

    Raises:
        LexigraftError: It is not a dtype that rows can be computed for.
    """
    import torch

    if dtype not in _FLOATS:
        raise LexigraftError(
            "table is not stored as plain numbers", dtype, "Save the model in bfloat16, float16 or float32 first"
        )
    named: torch.dtype = getattr(torch, _FLOATS[dtype])
    return named


def read_tensor(stored: Stored, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of a checkpoint, read block by block.

    Args:
        stored: The tensor in the checkpoint, of a floating dtype.
        dtype: The dtype to convert it to; by default its own.

    Raises:
        LexigraftError: Its dtype is no plain floating one, or the file ends too early.
    """
    import torch

    own = torch_dtype(stored.dtype)
    flat = torch.empty(stored.size, dtype=dtype or own)
    done = 0
    for block in Copied(stored.path, stored.start, stored.length).blocks():
        part = torch.frombuffer(block, dtype=own)
        flat[done : done + len(part)] = part
        done += len(part)
    return flat.reshape(stored.shape)


def all_finite_stored(stored: Stored) -> bool:
    """Whether a tensor of a checkpoint holds no NaN or infinite value; true for what is not a plain float."""
    import torch

    if stored.dtype not in _FLOATS:
        return True
    blocks = Copied(stored.path, stored.start, stored.length).blocks()
    return all(all_finite(torch.frombuffer(block, dtype=torch_dtype(stored.dtype))) for block in blocks)


def write_pieces(path: Path, pieces: Iterable[Piece], *, cached: bool = True) -> None:
    """Write a file from pieces, without flushing it to disk: its folder is flushed as a whole.

    Args:
        path: The file.
        pieces: Its content, in order.
        cached: Whether copied byte ranges, and their copies, may stay in the system's cache.

    Raises:
        LexigraftError: A file that is copied from ends too early.
    """
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            if isinstance(piece, Copied) and piece.send(file, cached=cached):
                continue
            for block in piece.blocks():
                left = memoryview(block)
                while left:
                    left = left[file.write(left) :]


def is_made_of(path: Path, pieces: Sequence[Piece]) -> bool:
    """Whether a file exists and consists of these pieces, byte for byte."""
    whole = sum(piece.length for piece in pieces)
    return path.is_file() and path.stat().st_size == whole and holds(path, 0, pieces)


def holds(path: Path, start: int, pieces: Iterable[Piece]) -> bool:
    """Whether a file holds these pieces, byte for byte, from an offset on."""
    with path.open("rb") as file:
        file.seek(start)
        # Two bytes objects are compared in one call, a memory view value by value.
        return all(file.read(len(block)) == bytes(block) for piece in pieces for block in piece.blocks())


REQUEST_BYTES = 2**23
"""Bytes in one request, after which the process can be interrupted."""

_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP}


def append_range(file: FileIO, source: FileIO, start: int, length: int, *, cached: bool = True) -> int:
    """Append a byte range of ``source`` to ``file`` inside the kernel (``sendfile``).

    Args:
        file: The file to append to, at its position, which advances.
        source: The file to read.
        start: Offset of the first byte.
        length: Number of bytes.
        cached: Whether the system may keep what was read and written in its cache. For files larger
            than memory, the cache would fill with bytes that are not read again, and lose those other programs need.

    Returns:
        How many bytes were appended: fewer where the source ends too early, 0 where the system cannot do it.
    """
    if sys.platform != "linux":
        return 0
    done = 0
    while done < length:
        try:
            sent = os.sendfile(file.fileno(), source.fileno(), start + done, min(REQUEST_BYTES, length - done))
        except OSError as error:
            if done or error.errno not in _UNSUPPORTED:
                raise
            return 0
        if not sent:
            break
        if not cached:
            os.posix_fadvise(source.fileno(), start + done, sent, os.POSIX_FADV_DONTNEED)
            # This starts writing pages that are not on the disk yet, and drops the others from the cache.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        done += sent
    return done
