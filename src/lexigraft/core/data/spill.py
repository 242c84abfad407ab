"""Lines and arrays in temporary files, and removal of repeated lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain, groupby, islice
from typing import IO, Any, overload

import numpy as np
import numpy.typing as npt

from lexigraft.core.errors import LexigraftError

HELD_BYTES = 2**28
"""Bytes that are held in memory; content that is larger goes to a file as a whole."""
LINES_PER_BATCH = 256
"""Lines that are written and read together."""


@contextmanager
def _temporary_file() -> Iterator[IO[bytes]]:
    """An unnamed file in the temporary folder; the system deletes it when the last handle is closed.

    Raises:
        LexigraftError: The disk is full.
    """
    try:
        with tempfile.TemporaryFile(prefix="lexigraft-") as file:
            yield file
    except OSError as error:
        hint = "Free some space, or name another folder in TMPDIR"
        raise LexigraftError("cannot write a temporary file", tempfile.gettempdir(), hint) from error


class DiskLines(Sequence[str]):
    """Lines in an unnamed Arrow file, read one record batch at a time. A slice shares the file.

    The file is not memory-mapped: pages that were read would count as resident memory of this process.

    Args:
        reader: A ``pyarrow.ipc.RecordBatchFileReader`` over one column of UTF-8 bytes.
        lines_per_batch: Lines in each record batch but the last.
        span: Numbers of the lines in the file.
    """

    def __init__(self, reader: Any, lines_per_batch: int, span: range) -> None:
        self._reader, self._lines_per_batch, self._span = reader, lines_per_batch, span

    @classmethod
    def of(cls, lines: Iterable[str], *, lines_per_batch: int = LINES_PER_BATCH) -> DiskLines:
        """Write lines to a file of the temporary folder.

        Raises:
            LexigraftError: The disk is full.
        """
        import pyarrow as pa

        # Binary, because a line may hold a lone surrogate, which is not valid UTF-8.
        schema = pa.schema([("line", pa.large_binary())])
        remaining, count = iter(lines), 0
        with _temporary_file() as file:
            with pa.ipc.new_file(file, schema) as writer:
                while batch := [line.encode("utf-8", "surrogatepass") for line in islice(remaining, lines_per_batch)]:
                    writer.write_batch(pa.record_batch([pa.array(batch, pa.large_binary())], schema))
                    count += len(batch)
            file.flush()
            # Reopened by its descriptor: Arrow's own file reads at explicit offsets, so threads and forks may share it.
            reader = pa.ipc.open_file(pa.OSFile(f"/dev/fd/{file.fileno()}"))
        return cls(reader, lines_per_batch, range(count))

    def __len__(self) -> int:
        return len(self._span)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> DiskLines: ...
    def __getitem__(self, index: int | slice) -> str | DiskLines:
        if isinstance(index, slice):
            return DiskLines(self._reader, self._lines_per_batch, self._span[index])
        batch, position = divmod(self._span[index], self._lines_per_batch)
        return str(self._reader.get_batch(batch).column(0)[position].as_py(), "utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        size = self._lines_per_batch
        for batch, numbers in groupby(self._span, key=lambda number: number // size):
            lines = self._reader.get_batch(batch).column(0).to_pylist()
            for number in numbers:
                yield str(lines[number % size], "utf-8", "surrogatepass")

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskLines.of, (list(self),)


def keep_lines(lines: Iterable[str], *, held_bytes: int = HELD_BYTES) -> Sequence[str]:
    """Collect lines in a tuple or, when they have more than ``held_bytes`` characters together, in a file.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[str] = []
    size = 0
    remaining = iter(lines)
    for line in remaining:
        held.append(line)
        size += len(line)
        if size > held_bytes:
            return DiskLines.of(chain(held, remaining))
    return tuple(held)


def joined_blocks(blocks: Iterable[npt.NDArray[np.int32]], *, held_bytes: int = HELD_BYTES) -> npt.NDArray[np.int32]:
    """Concatenate blocks in memory or, when they are larger than ``held_bytes`` together, in a memory-mapped file.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[npt.NDArray[np.int32]] = []
    size = 0
    remaining = iter(blocks)
    for block in remaining:
        held.append(block)
        size += block.nbytes
        if size > held_bytes:
            with _temporary_file() as file:
                file.writelines(b.data for b in chain(held, remaining))
                file.flush()
                return np.memmap(file, np.int32, "r")
    return np.concatenate(held) if held else np.zeros(0, np.int32)


class LineDeduplicator:
    """Finds repeated lines by 64-bit hashes, which are the same in every process and take 8 bytes a line.

    Among a billion different lines, two share a hash with probability 1/37; one of them is then lost.

    Args:
        buffer_size: How many new hashes are collected before they are merged into the sorted array.
    """

    def __init__(self, buffer_size: int = 2**19) -> None:
        self._sorted = np.zeros(0, np.int64)
        self._fresh: set[bytes] = set()
        self._buffer_size = buffer_size

    def add(self, lines: Sequence[bytes]) -> list[bool]:
        """Record lines, given in UTF-8, and tell for each whether it is new."""
        digests = [blake2b(line, digest_size=8).digest() for line in lines]
        new = []
        for digest, known in zip(digests, self._in_sorted(digests), strict=True):
            new.append(not (known or digest in self._fresh))
            if new[-1]:
                self._fresh.add(digest)
        if len(self._fresh) >= self._buffer_size:
            size = len(self._sorted)
            self._sorted.resize(size + len(self._fresh), refcheck=False)  # in place: no second copy of a large array
            self._sorted[size:] = np.frombuffer(b"".join(self._fresh), np.int64)
            self._sorted.sort(kind="stable")
            self._fresh.clear()
        return new

    def _in_sorted(self, digests: Sequence[bytes]) -> list[bool]:
        if not len(self._sorted):
            return [False] * len(digests)
        keys = np.frombuffer(b"".join(digests), np.int64)
        positions = np.minimum(self._sorted.searchsorted(keys), len(self._sorted) - 1)
        repeated: list[bool] = (self._sorted[positions] == keys).tolist()
        return repeated
