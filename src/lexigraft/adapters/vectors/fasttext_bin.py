"""Reader of fastText's binary models."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from lexigraft.adapters.vectors.fasttext_matrix import (
    CENTROIDS,
    InputMatrix,
    PlainMatrix,
    QuantizedMatrix,
    read_exactly,
)
from lexigraft.adapters.vectors.fasttext_ngrams import ngram_hashes
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

MAGIC, VERSIONS = 793712314, (11, 12)
SUPERVISED = 3
LINE_END = b"</s>"
ENTRY = 10  # bytes of a dictionary entry beside its word: a NUL, a count, a kind
CHUNK = 2**22
WORDS_AT_ONCE, BYTES_AT_ONCE = 2**18, 2**26

Ids = npt.NDArray[np.int64]


class FastTextFile:
    """A model as ``fasttext`` saves it, version 11 or 12, plain (``.bin``) or quantized (``.ftz``).

    Its dictionary is in memory, its matrix stays in the file. Every count is checked against the size of the file
    before memory of that size is allocated.
    Source: the format is what ``saveModel`` of fastText writes: magic number, version, training arguments, dictionary
    with pruned n-grams, input matrix, output matrix; little-endian.

    Args:
        path: The file.

    Attributes:
        words: The words as stored (UTF-8 as a rule), most frequent first.
        counts: How often each occurred in training, int64, ``(words,)``.

    Raises:
        LexigraftError: No fastText model, of another version, damaged, or cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        refuse_pointers([path])
        with path.open("rb", buffering=0) as file:
            model = _Reader(file, path)
            if model.left < 4 or model.numbers("<i") != (MAGIC,):
                raise LexigraftError("not a fastText model", path, "Give a .bin file written by fastText")
            if (version := model.numbers("<i")[0]) not in VERSIONS:
                raise LexigraftError(
                    "fastText model has an unknown version", f"{path}: {version}", "Write it with fastText 0.2 or later"
                )
            arguments = model.numbers("<12id")
            kind, self._bucket, self._shortest, longest = arguments[7:11]
            # fastText does the same: supervised models of that version were trained without character n-grams.
            self._longest = 0 if version == 11 and kind == SUPERVISED else longest
            self._spells = self._longest >= max(self._shortest, 1)
            size, number, labels, _, pruned = model.numbers("<3i2q")
            if min(size, number, labels) < 0 or number + labels != size or pruned < -1:
                model.damaged(f"a dictionary of {size} entries, {number} words, {labels} labels, {pruned} n-grams")
            if min(self._bucket, self._shortest, longest) < 0 or (self._spells and not self._bucket):
                model.damaged(f"{self._bucket} buckets for n-grams of {self._shortest} to {longest} characters")
            entries, counts, kinds = model.entries(size)
            if (kinds != np.repeat([0, 1], [number, labels])).any() or (counts < 0).any():
                model.damaged("dictionary entries of an unknown kind")
            kept = model.array("<i4", 2 * max(pruned, 0)).reshape(-1, 2)
            self._pruned = kept[np.argsort(kept[:, 0])].astype(np.int64) if pruned >= 0 else None
            quantized = model.flag()
            if self._pruned is not None and not quantized:
                model.damaged("n-grams pruned from a plain matrix")
            self._matrix = model.quantized() if quantized else model.plain()
            last = self._bucket if self._pruned is None else int(self._pruned[:, 1].max(initial=-1)) + 1
            needed = number + (last if self._spells else 0)
            if self._matrix.dim != arguments[0] or self._matrix.rows < needed or (kept < 0).any():
                found = f"{self._matrix.rows} × {self._matrix.dim}"
                model.damaged(f"a matrix of {found}, {needed} × {arguments[0]} are expected")
            if model.flag() and quantized:
                model.quantized()
            else:
                model.plain()
        self._ids = {word: n for n, word in enumerate(entries)}
        self.words, self.counts = entries[:number], counts[:number]

    @property
    def dim(self) -> int:
        """Values of a vector."""
        return self._matrix.dim

    def means(self, words: Sequence[str], *, subwords: bool = True) -> npt.NDArray[np.float32]:
        """The mean over the rows of each word itself and of its character n-grams.

        That is fastText's ``get_word_vector``; some builds scale what it answers to length 1.

        Args:
            words: Words, known or not.
            subwords: Whether an unknown word has the mean over its n-grams.

        Returns:
            float32, ``(words, dim)``; zero for a word without known entry or n-gram.

        Raises:
            TypeError: A string that has no UTF-8 form, from which n-grams are asked for.
            LexigraftError: The file has become shorter.
        """
        import torch

        # numpy would ask for huge pages, and a system that has to make them takes longer than the reading.
        found: npt.NDArray[np.float32] = torch.zeros(len(words), self.dim).numpy()
        with self._path.open("rb", buffering=0) as file:
            for start in range(0, len(words), WORDS_AT_ONCE):
                some = slice(start, start + WORDS_AT_ONCE)
                try:
                    self._add_up(file, *self._rows_of(words[some], subwords), found[some])
                except EOFError:
                    _cut_off(self._path)
        return found

    def _rows_of(self, words: Sequence[str], subwords: bool) -> tuple[Ids, Ids]:
        """Rows of the matrix, and the word that each of them belongs to."""
        names = [_utf8(word, strict=subwords) for word in words]
        ids = np.fromiter((self._ids.get(name, -1) for name in names), np.int64, len(names))
        # In a supervised model labels are entries too, whose numbers are those of the first n-grams.
        known = (ids >= 0) & (ids < (self._matrix.rows if subwords else len(self.words)))
        asked = [n for n, name in enumerate(names) if (subwords or known[n]) and name != LINE_END]
        spelled = asked if self._spells else []
        hashes, owners = ngram_hashes([names[n] for n in spelled], self._shortest, self._longest)
        ngrams = hashes.astype(np.int64) % max(self._bucket, 1)
        owners = np.array(spelled, np.int64)[owners]
        if self._pruned is not None:
            at = np.searchsorted(self._pruned[:, 0], ngrams)
            here = np.isin(ngrams, self._pruned[:, 0])
            ngrams, owners = self._pruned[at[here], 1], owners[here]
        rows = np.concatenate([ids[known], len(self.words) + ngrams])
        return rows, np.concatenate([np.flatnonzero(known), owners])

    def _add_up(self, file: FileIO, rows: Ids, owners: Ids, found: npt.NDArray[np.float32]) -> None:
        """Add each row to its word's vector, a few rows at a time in the order of the file; then divide to means."""
        import torch

        by_row = np.argsort(rows)
        rows, owners = rows[by_row], owners[by_row]
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        at_once = max(1, BYTES_AT_ONCE // (4 * self.dim))
        for start in range(0, len(first), at_once):
            edges = np.append(first[start : start + at_once + 1], len(rows))[: at_once + 1]
            values = self._matrix.read(file, rows[edges[:-1]])
            number = np.repeat(np.arange(len(values)), np.diff(edges))
            owner = owners[edges[0] : edges[-1]]
            by_owner = np.argsort(owner, kind="stable")
            here, begins = np.unique(owner[by_owner], return_index=True)
            places, table, bags = (torch.from_numpy(part) for part in (number[by_owner], values, begins))
            found[here] += torch.nn.functional.embedding_bag(places, table, bags, mode="sum").numpy()
        lengths = np.bincount(owners, minlength=len(found))
        found *= (1.0 / np.maximum(lengths, 1)).astype(np.float32)[:, None]


class _Reader:
    """Sequential reader of a model's file, which never reads beyond its end."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file, self._path, self._at = file, path, 0
        self._size = os.fstat(file.fileno()).st_size

    @property
    def left(self) -> int:
        return self._size - self._at

    def damaged(self, what: str) -> NoReturn:
        raise LexigraftError("fastText model is damaged", f"{self._path}: {what}", "Fetch or write it again")

    def skip(self, count: int) -> None:
        if count > self.left:
            _cut_off(self._path)
        self._at += count

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        start, form = self._at, np.dtype(dtype)
        self.skip(count * form.itemsize)
        found = np.empty(count, form)
        read_exactly(self._file, start, found)
        return found

    def numbers(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.array("u1", struct.calcsize(form)).tobytes())

    def flag(self) -> bool:
        value: int = self.numbers("<B")[0]
        if value > 1:
            self.damaged(f"a flag of {value}")
        return value == 1

    def entries(self, count: int) -> tuple[list[bytes], Ids, npt.NDArray[np.uint8]]:
        """The dictionary's words, counts and kinds."""
        if ENTRY * count > self.left:
            _cut_off(self._path)
        words: list[bytes] = []
        counts, kinds = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)]
        while len(words) < count:
            data = self.array("u1", min(CHUNK, self.left))
            text, ends, start = data.tobytes(), [], 0
            while len(words) < count and 0 <= (end := text.find(b"\0", start)) <= len(text) - ENTRY:
                words.append(text[start:end])
                ends.append(end)
                start = end + ENTRY
            if not ends:
                _cut_off(self._path) if len(text) < CHUNK else self.damaged("a word without an end")
            self._at -= len(text) - start
            places = np.array(ends)[:, None] + np.arange(1, ENTRY)
            counts.append(data[places[:, :-1]].view("<i8")[:, 0])
            kinds.append(data[places[:, -1]])
            if kinds[-1].max() > 1:
                self.damaged("dictionary entries of an unknown kind")
        return words, np.concatenate(counts), np.concatenate(kinds)

    def plain(self) -> InputMatrix:
        """A matrix of float32, which stays in the file."""
        rows, dim = self._shape()
        start = self._at
        self.skip(4 * rows * dim)
        return PlainMatrix(start, rows, dim)

    def quantized(self) -> InputMatrix:
        """A product-quantized matrix, read into memory."""
        norms = self.flag()
        rows, dim = self._shape()
        (size,) = self.numbers("<i")
        codes = self.array("u1", max(size, 0))
        centroids = self._centroids()
        if sum(part.shape[1] for part in centroids) != dim or size != rows * len(centroids):
            self.damaged(f"{size} codes of {len(centroids)} parts for {rows} × {dim}")
        scale = None
        if norms:
            places = self.array("u1", rows)
            scale = self._centroids()[0][places, 0]
        return QuantizedMatrix(codes.reshape(rows, -1), centroids, scale)

    def _shape(self) -> tuple[int, int]:
        rows, dim = self.numbers("<2q")
        if rows < 0 or dim < 1:
            self.damaged(f"a matrix of {rows} × {dim}")
        return rows, dim

    def _centroids(self) -> tuple[npt.NDArray[np.float32], ...]:
        dim, parts, width, last = self.numbers("<4i")
        if min(dim, parts, width, last) < 1 or (parts - 1) * width + last != dim:
            self.damaged(f"{parts} parts of {width} and {last} for {dim} values")
        values = self.array("<f4", CENTROIDS * dim)
        widths = [width] * (parts - 1) + [last]
        ends = CENTROIDS * np.cumsum(widths)
        return tuple(part.reshape(CENTROIDS, -1) for part in np.split(values, ends[:-1]))


def _utf8(word: str, *, strict: bool) -> bytes:
    """A word in UTF-8; a word without a UTF-8 form gets bytes that match no entry."""
    try:
        return word.encode()
    except UnicodeEncodeError as error:
        if strict:
            raise TypeError(f"fastText takes no text without a UTF-8 form: {word!r}") from error
        return b"\0"  # no entry of a dictionary holds a NUL


def _cut_off(path: Path) -> NoReturn:
    raise LexigraftError("fastText model is cut off", path, "Fetch or write it again")
