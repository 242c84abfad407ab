"""Lines and arrays spilled to unnamed temporary files, deleted with their last reference; and line de-duplication."""

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
"""Bytes that are held in memory before the rest, and they, go to a file."""
LINES_PER_BATCH = 256
"""Lines that are written and read together."""


@contextmanager
def _temporary_file() -> Iterator[IO[bytes]]:
    """A file of the temporary folder without a name; the system deletes it when nobody has it open.

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

    The file is not mapped into memory: pages of it that were read would count as this process's own.

    Args:
        reader: A ``pyarrow.ipc.RecordBatchFileReader`` over one column of UTF-8 bytes.
        lines_per_batch: Lines in each record batch but the last.
        span: Which of the lines.
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

        # Bytes, because a line may hold half of a surrogate pair, which is no UTF-8.
        schema = pa.schema([("line", pa.large_binary())])
        coming, count = iter(lines), 0
        with _temporary_file() as file:
            with pa.ipc.new_file(file, schema) as writer:
                while batch := [line.encode("utf-8", "surrogatepass") for line in islice(coming, lines_per_batch)]:
                    writer.write_batch(pa.record_batch([pa.array(batch, pa.large_binary())], schema))
                    count += len(batch)
            file.flush()
            # Opened again by its descriptor: Arrow's own file reads at a position, which threads and forks may share.
            reader = pa.ipc.open_file(pa.OSFile(f"/dev/fd/{file.fileno()}"))
        return cls(reader, lines_per_batch, range(count))

    def __len__(self) -> int:
        return len(self._span)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> DiskLines: ...
    def __getitem__(self, at: int | slice) -> str | DiskLines:
        if isinstance(at, slice):
            return DiskLines(self._reader, self._lines_per_batch, self._span[at])
        batch, position = divmod(self._span[at], self._lines_per_batch)
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
    """A tuple of lines or, when they have more than ``held_bytes`` characters together, a file of them.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[str] = []
    size = 0
    coming = iter(lines)
    for line in coming:
        held.append(line)
        size += len(line)
        if size > held_bytes:
            return DiskLines.of(chain(held, coming))
    return tuple(held)


def joined_blocks(blocks: Iterable[npt.NDArray[np.int32]], *, held_bytes: int = HELD_BYTES) -> npt.NDArray[np.int32]:
    """Blocks end to end or, when they are larger than ``held_bytes`` together, a memory-mapped file of them.

    Raises:
        LexigraftError: The disk is full.
    """
    held: list[npt.NDArray[np.int32]] = []
    size = 0
    coming = iter(blocks)
    for block in coming:
        held.append(block)
        size += block.nbytes
        if size > held_bytes:
            with _temporary_file() as file:
                file.writelines(b.data for b in chain(held, coming))
                file.flush()
                return np.memmap(file, np.int32, "r")
    return np.concatenate(held) if held else np.zeros(0, np.int32)


class LineDeduplicator:
    """Which lines came before, by 64-bit hashes that are the same in every process: 8 bytes a line.

    Two of a billion different lines share a hash, and one of them is lost, for one text of 37.
    """

    def __init__(self, at_once: int = 2**19) -> None:
        self._sorted = np.zeros(0, np.int64)
        self._fresh: set[bytes] = set()
        self._at_once = at_once

    def add(self, lines: Sequence[bytes]) -> list[bool]:
        """Which of some lines, in UTF-8, are new; none of them is from now on."""
        digests = [blake2b(line, digest_size=8).digest() for line in lines]
        new = []
        for digest, known in zip(digests, self._are_sorted_in(digests), strict=True):
            new.append(not (known or digest in self._fresh))
            if new[-1]:
                self._fresh.add(digest)
        if len(self._fresh) >= self._at_once:
            size = len(self._sorted)
            self._sorted.resize(size + len(self._fresh), refcheck=False)  # in place: no second copy of a large array
            self._sorted[size:] = np.frombuffer(b"".join(self._fresh), np.int64)
            self._sorted.sort(kind="stable")
            self._fresh.clear()
        return new

    def _are_sorted_in(self, digests: Sequence[bytes]) -> list[bool]:
        if not len(self._sorted):
            return [False] * len(digests)
        keys = np.frombuffer(b"".join(digests), np.int64)
        positions = np.minimum(self._sorted.searchsorted(keys), len(self._sorted) - 1)
        found: list[bool] = (self._sorted[positions] == keys).tolist()
        return found
