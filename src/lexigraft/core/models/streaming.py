"""Checkpoint files written from pieces: byte ranges copied from other files, and tensors."""

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
from lexigraft.core.models.checkpoint import WIDTHS, Stored

if TYPE_CHECKING:
    import torch


Block = bytes | memoryview

BLOCK = 2**20
"""Bytes that are in memory at a time: blocks of 4 MB were written five times more slowly."""

_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Piece(Protocol):
    """A stretch of a file."""

    @property
    def length(self) -> int:
        """Its bytes."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Its content, block by block; a block is only good until the next one."""
        ...


@dataclass(frozen=True)
class InlineBytes:
    """Bytes that are at hand."""

    content: bytes

    @property
    def length(self) -> int:
        """Its bytes."""
        return len(self.content)

    def blocks(self) -> Iterator[Block]:
        """All of it."""
        yield self.content


@dataclass(frozen=True)
class Copied:
    """A stretch of another file.

    Attributes:
        path: The file.
        start: Where the stretch begins.
        length: Its bytes.
    """

    path: Path
    start: int
    length: int

    def blocks(self) -> Iterator[Block]:
        """Read it; raises ``LexigraftError`` where the file ends too early."""
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
        """Append it to a file without reading it; whether the system can do that.

        Raises:
            LexigraftError: The file ends too early.
        """
        with self.path.open("rb", buffering=0) as source:
            sent = append_stretch(file, source, self.start, self.length, cached=cached)
        if 0 < sent < self.length:
            raise self._cut_short()
        return sent == self.length

    def _cut_short(self) -> LexigraftError:
        return LexigraftError("checkpoint file was cut short while it was read", self.path)


@dataclass(frozen=True)
class Values:
    """A tensor in a given dtype: rounded once, here.

    Attributes:
        tensor: The values, in any floating dtype.
        dtype: What they are stored in, as safetensors names it.
    """

    tensor: torch.Tensor
    dtype: str

    @property
    def length(self) -> int:
        """Its bytes."""
        return self.tensor.numel() * WIDTHS[self.dtype]

    def blocks(self) -> Iterator[Block]:
        """Round it."""
        import torch

        for part in self.tensor.detach().reshape(-1).split(BLOCK // 8):
            yield memoryview(part.to(torch_dtype(self.dtype)).view(torch.uint8).numpy())


def torch_dtype(dtype: str) -> torch.dtype:
    """The torch dtype of a floating dtype of safetensors.

    Raises:
        LexigraftError: Not one that rows can be computed for.
    """
    import torch

    if dtype not in _FLOATS:
        raise LexigraftError(
            "table is not stored as plain numbers", dtype, "Save the model in bfloat16, float16 or float32 first"
        )
    found: torch.dtype = getattr(torch, _FLOATS[dtype])
    return found


def read_tensor(stored: Stored, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of a checkpoint, read block by block.

    Args:
        stored: Where it lies; its dtype is a floating one.
        dtype: What it is converted to; its own where none is given.

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


def write_pieces(path: Path, pieces: Iterable[Piece], *, cached: bool = True) -> None:
    """Write a file; that it is on the disk, the folder it lies in sees to when it gets its name.

    Args:
        path: The file.
        pieces: What it consists of.
        cached: Whether copied stretches, and their copies, may stay in the system's cache.

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
    """Whether a file is there and consists of these pieces, byte for byte."""
    whole = sum(piece.length for piece in pieces)
    return path.is_file() and path.stat().st_size == whole and holds(path, 0, pieces)


def holds(path: Path, start: int, pieces: Iterable[Piece]) -> bool:
    """Whether a file holds these pieces, byte for byte, from a place on."""
    with path.open("rb") as file:
        file.seek(start)
        # Two bytes objects are compared at once, a memory view value by value.
        return all(file.read(len(block)) == bytes(block) for piece in pieces for block in piece.blocks())


AT_ONCE = 2**23
"""Bytes in one request, after which the process can be interrupted."""

_CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP}


def append_stretch(file: FileIO, source: FileIO, start: int, length: int, *, cached: bool = True) -> int:
    """Append a stretch of ``source`` to ``file``.

    Args:
        file: Where it is written, at its position, which moves on.
        source: Where it is read.
        start: Where the stretch begins.
        length: Its bytes.
        cached: Whether the system may keep what was read and written in its cache. Of files that memory cannot hold
            together, it would keep what is not read again, and drop what other programs need.

    Returns:
        How many bytes went over: fewer where the source ends too early, 0 where the system cannot do it.
    """
    if sys.platform != "linux":
        return 0
    done = 0
    while done < length:
        try:
            sent = os.sendfile(file.fileno(), source.fileno(), start + done, min(AT_ONCE, length - done))
        except OSError as error:
            if done or error.errno not in _CANNOT:
                raise
            return 0
        if not sent:
            break
        if not cached:
            os.posix_fadvise(source.fileno(), start + done, sent, os.POSIX_FADV_DONTNEED)
            # What is not on the disk yet begins to be written, what is there leaves the cache.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        done += sent
    return done
