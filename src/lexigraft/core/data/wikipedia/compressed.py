"""Blocks of a plain, gzip or bzip2 file."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

BLOCK = 2**18
"""Bytes that are read, and bytes that are decompressed, at a time."""
MOST_GROWTH = 250
"""How many times its size a file may grow in decompression; dumps grow four to thirty times."""
GROWTH_FREE = 2**26
"""Bytes that may be decompressed before the growth is looked at."""


class ByteBlocks:
    """The content of a file, block by block; several streams in one file (multistream dumps) are read as one.

    Attributes:
        path: The file.
        read: Bytes of the file that were read so far.
        produced: Bytes that were yielded so far.
        damage: Where and why reading ended before the file's end; ``None`` while all is well.
        told: Called with ``read`` whenever more was read.
    """

    def __init__(self, path: Path) -> None:
        """Take note of the file.

        Raises:
            LexigraftError: The file is missing or a Git LFS pointer.
        """
        if not path.is_file():
            raise LexigraftError(
                "dump not found", path, "Give a file: .xml, .json or .sql, or one of them as .bz2 or .gz"
            )
        refuse_pointers([path])
        self.path = path
        self.read = self.produced = 0
        self.damage: str | None = None
        self.told: Callable[[int], None] = lambda read: None

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks; what cannot be read ends them and is told in ``damage``.

        Raises:
            LexigraftError: The file grows without measure, or the system cannot read it.
        """
        try:
            with self.path.open("rb") as file:
                start = file.read(3)
                file.seek(0)
                for block in self._decompressed(file, start):
                    self.produced += len(block)
                    if self.produced > max(GROWTH_FREE, MOST_GROWTH * self.read):
                        grown = f"{self.path}: {self.read:,} bytes became {self.produced:,}"
                        raise LexigraftError(
                            "compressed file grows without measure", grown, "It is damaged; fetch it again"
                        )
                    yield block
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise LexigraftError("cannot read the file", self.path, error.strerror or str(error)) from None
            self.damage = f"{self.path} is damaged or cut off near byte {self.read:,} ({error})"

    def lines(self, most: int) -> Iterator[tuple[int, bytes | None]]:
        """Lines with their numbers from 1; ``None`` for a line of more than ``most`` bytes."""
        number, parts, size = 1, list[bytes](), 0
        for block in self:
            *whole, rest = block.split(b"\n")
            for part in whole:
                size += len(part)
                yield number, b"".join([*parts, part]) if size <= most else None
                number, parts, size = number + 1, [], 0
            size += len(rest)
            if size <= most:
                parts.append(rest)
        if size and self.damage is None:
            yield number, b"".join(parts) if size <= most else None

    def _decompressed(self, file: BinaryIO, start: bytes) -> Iterator[bytes]:
        if start == b"BZh":
            yield from self._streams(file, _Bzip2)
        elif start[:2] == b"\x1f\x8b":
            yield from self._streams(file, _Gzip)
        else:
            while block := self._chunk(file):
                yield block

    def _chunk(self, file: BinaryIO) -> bytes:
        block = file.read(BLOCK)
        self.read += len(block)
        self.told(self.read)
        return block

    def _streams(self, file: BinaryIO, make: type[_Decompressor]) -> Iterator[bytes]:
        data = self._chunk(file)
        while data.strip(b"\0"):
            stream = make()
            while not stream.eof:
                block = stream.decompress(data)
                if block:
                    yield block
                data = b"" if stream.eof or not stream.needs_input else self._chunk(file)
                if not stream.eof and stream.needs_input and not data:
                    raise EOFError("the compressed data end in the middle")
            data = stream.unused_data or self._chunk(file)


class _Decompressor(Protocol):
    def __init__(self) -> None: ...
    def decompress(self, data: bytes) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Bzip2:
    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    def decompress(self, data: bytes) -> bytes:
        return self._stream.decompress(data, BLOCK)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._full = False

    def decompress(self, data: bytes) -> bytes:
        block = self._stream.decompress(self._stream.unconsumed_tail + data, BLOCK)
        self._full = len(block) == BLOCK
        return block

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether all that was given is decompressed: a full block may be followed by more of the same input."""
        return not self._full and not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data
