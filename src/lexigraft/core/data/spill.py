"""What is larger than memory should hold: lines and arrays in files without a name, gone when nobody uses them."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError

HELD = 2**28
"""Bytes that are held in memory before the rest, and they, go to a file."""
_TOGETHER = 16
"""Lines that are written and read together."""

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
    """Lines in a file, read when they are asked for, some at a time. A slice shares the file."""

    def __init__(self, file: NamelessFile, bounds: Ints, span: range) -> None:
        self._file, self._bounds, self._span = file, bounds, span

    @classmethod
    def of(cls, lines: Iterable[str]) -> KeptLines:
        """Write lines to a file of the temporary folder.

        Raises:
            LexigraftError: The disk is full.
        """
        bounds = array("q", [0])
        coming, count = iter(lines), 0

        def pickled() -> Iterator[bytes]:
            nonlocal count
            while group := list(islice(coming, _TOGETHER)):
                data = pickle.dumps(group, pickle.HIGHEST_PROTOCOL)
                bounds.append(bounds[-1] + len(data))
                count += len(group)
                yield data

        file = NamelessFile(pickled())
        return cls(file, np.array(bounds, np.int64), range(count))

    def __len__(self) -> int:
        return len(self._span)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> KeptLines: ...
    def __getitem__(self, at: int | slice) -> str | KeptLines:
        if isinstance(at, slice):
            return KeptLines(self._file, self._bounds, self._span[at])
        group, place = divmod(self._span[at], _TOGETHER)
        return self._group(group)[place]

    def __iter__(self) -> Iterator[str]:
        for group, numbers in groupby(self._span, key=lambda number: number // _TOGETHER):
            lines = self._group(group)
            for number in numbers:
                yield lines[number % _TOGETHER]

    def _group(self, number: int) -> list[str]:
        start, end = self._bounds[number : number + 2].tolist()
        lines: list[str] = pickle.loads(self._file.read(start, end - start))
        return lines

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
            known = len(self._sorted)
            self._sorted.resize(known + len(self._fresh), refcheck=False)  # in place: no second copy of a large array
            self._sorted[known:] = np.fromiter(self._fresh, np.int64, len(self._fresh))
            self._sorted.sort(kind="stable")
            self._fresh.clear()
        return True
