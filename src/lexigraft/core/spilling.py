"""What is larger than memory should hold: lines and arrays in files without a name, gone when nobody uses them."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError

HELD = 2**28
"""Bytes that are held in memory before the rest, and they, go to a file."""

Ints = npt.NDArray[np.int64]


class NamelessFile:
    """Bytes in a file of the temporary folder that nobody else can see.

    Args:
        parts: Its content.

    Raises:
        LexigraftError: The disk is full.
    """

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        try:
            with tempfile.TemporaryFile(prefix="lexigraft-") as file:
                file.writelines(parts)
                file.flush()
                self.descriptor = os.dup(file.fileno())
        except OSError as fault:
            hint = "Free some space, or name another folder in TMPDIR"
            raise LexigraftError("cannot write a temporary file", tempfile.gettempdir(), hint) from fault
        weakref.finalize(self, os.close, self.descriptor)

    def read(self, start: int, length: int) -> bytes:
        """Some of the bytes."""
        return os.pread(self.descriptor, length, start)

    def numbers(self) -> npt.NDArray[np.int32]:
        """All of it, read where it is looked at."""
        with open(self.descriptor, "rb", closefd=False) as file:
            return np.memmap(file, np.int32, "r")


class KeptLines(Sequence[str]):
    """Lines in a file, read when they are asked for; 16 bytes of memory a line. A slice shares the file."""

    def __init__(self, file: NamelessFile, starts: Ints, lengths: Ints) -> None:
        self._file, self._starts, self._lengths = file, starts, lengths

    @classmethod
    def of(cls, lines: Iterable[str]) -> KeptLines:
        """Write lines to a file of the temporary folder.

        Raises:
            LexigraftError: The disk is full.
        """
        lengths = array("q")

        def encoded() -> Iterator[bytes]:
            for line in lines:
                data = line.encode("utf-8", "surrogatepass")
                lengths.append(len(data))
                yield data

        file = NamelessFile(encoded())
        sizes = np.array(lengths, np.int64)
        return cls(file, sizes.cumsum() - sizes, sizes)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> KeptLines: ...
    def __getitem__(self, at: int | slice) -> str | KeptLines:
        if isinstance(at, slice):
            return KeptLines(self._file, self._starts[at], self._lengths[at])
        return self._read(int(self._starts[at]), int(self._lengths[at]))

    def __iter__(self) -> Iterator[str]:
        for block in range(0, len(self), 2**16):
            span = slice(block, block + 2**16)
            for start, length in zip(self._starts[span].tolist(), self._lengths[span].tolist(), strict=True):
                yield self._read(start, length)

    def _read(self, start: int, length: int) -> str:
        return self._file.read(start, length).decode("utf-8", "surrogatepass")

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptLines.of, (list(self),)


def keep_lines(lines: Iterable[str]) -> Sequence[str]:
    """A tuple of lines or, when they are large together, a file of them.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[str] = []
    size = 0
    coming = iter(lines)
    for line in coming:
        held.append(line)
        size += len(line)
        if size > HELD:
            return KeptLines.of(chain(held, coming))
    return tuple(held)


def joined(blocks: Iterable[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    """Blocks end to end or, when they are large together, a file of them that is read where it is looked at.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[npt.NDArray[np.int32]] = []
    size = 0
    coming = iter(blocks)
    for block in coming:
        held.append(block)
        size += block.nbytes
        if size > HELD:
            return NamelessFile(b.data for b in chain(held, coming)).numbers()
    return np.concatenate(held) if held else np.zeros(0, np.int32)


class Seen:
    """Which lines came before, by 64-bit hashes: 8 bytes a line.

    Two of a billion different lines share a hash, and one of them is lost, in one run of 37.
    """

    def __init__(self, at_once: int = 2**20) -> None:
        self._sorted = np.zeros(0, np.int64)
        self._fresh: set[int] = set()
        self._at_once = at_once

    def add(self, line: str) -> bool:
        """Whether the line is new; it is not from now on."""
        key = hash(line)
        if key in self._fresh:
            return False
        at = int(self._sorted.searchsorted(key)) if len(self._sorted) else 0
        if at < len(self._sorted) and self._sorted[at] == key:
            return False
        self._fresh.add(key)
        if len(self._fresh) >= self._at_once:
            fresh = np.fromiter(self._fresh, np.int64, len(self._fresh))
            self._sorted = np.sort(np.concatenate([self._sorted, fresh]), kind="stable")
            self._fresh.clear()
        return True
