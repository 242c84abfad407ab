"""The input matrix of a fastText model on disk."""

from __future__ import annotations

from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

# Bytes between two wanted rows that are read too: fewer calls, in the file's order.
GAP = 2**14
SPAN = 2**22
CENTROIDS = 256


class InputMatrix(Protocol):
    """Vectors of words and n-grams, ``(rows, dim)``."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def dim(self) -> int:
        """Values of a row."""
        ...

    def read(self, file: FileIO, wanted: Ids) -> Rows:
        """Some rows, float32, ``(wanted, dim)``.

        Args:
            file: The model's file, opened without a buffer.
            wanted: Row numbers, ascending; at least one.

        Raises:
            EOFError: The file ends before them.
        """
        ...


@dataclass(frozen=True)
class PlainMatrix:
    """float32 rows that stay in the file.

    Attributes:
        start: Where they begin in the file.
        rows: How many there are.
        dim: Values of a row.
    """

    start: int
    rows: int
    dim: int

    def read(self, file: FileIO, wanted: Ids) -> Rows:
        """Read ascending rows in ranges, small gaps included; see :class:`InputMatrix`."""
        width = 4 * self.dim
        at_once = max(1, SPAN // width)
        found = np.empty((len(wanted), self.dim), np.float32)
        buffer = np.empty((at_once, self.dim), "<f4")
        apart = (np.diff(wanted) > GAP // width + 1) | (np.diff(wanted // at_once) > 0)
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(wanted)]
        for first, end in pairwise(edges):
            low, high = int(wanted[first]), int(wanted[end - 1]) + 1
            part = buffer[: high - low]
            read_exactly(file, self.start + low * width, part)
            found[first:end] = part[wanted[first:end] - low]
        return found


@dataclass(frozen=True)
class QuantizedMatrix:
    """Rows put together from centroids (Jégou et al. 2011; Joulin et al. 2016, FastText.zip).

    Attributes:
        codes: A centroid for each part of each row, ``(rows, parts)``.
        centroids: Of each part, ``(256, width of the part)``; all are equally wide, but perhaps the last.
        norms: Factors that the rows are multiplied with, ``(rows,)``; ``None`` for nothing.
    """

    codes: npt.NDArray[np.uint8]
    centroids: tuple[Rows, ...]
    norms: Rows | None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.codes)

    @property
    def dim(self) -> int:
        """Values of a row."""
        return sum(part.shape[1] for part in self.centroids)

    def read(self, file: FileIO, wanted: Ids) -> Rows:
        """Combine rows in memory; see :class:`InputMatrix`."""
        codes = self.codes[wanted]
        found = np.concatenate([part[codes[:, n]] for n, part in enumerate(self.centroids)], axis=1)
        return found if self.norms is None else found * self.norms[wanted, None]


def read_exactly(file: FileIO, start: int, into: npt.NDArray[Any]) -> None:
    """Fill an array from an offset in a file.

    Raises:
        EOFError: The file ends before that.
    """
    file.seek(start)
    if file.readinto(into.data.cast("B")) != into.nbytes:
        raise EOFError
