"""Pairs of words of parallel sentences, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK_CELLS = 2_000_000
Ints = npt.NDArray[np.int64]
Words = Sequence[Sequence[str]]


class Block(NamedTuple):
    """The cells of some sentences, target word by target word.

    A cell takes about 16 bytes.

    Attributes:
        sentences: The number of each sentence in the text, ``(sentences,)``.
        source_lengths: Source words of each, as ``sentences``.
        target_lengths: Target words of each, as ``sentences``.
        source_ids: Word types of the source side, ``(source words,)``.
        target_ids: Word types of the target side, ``(target words,)``.
        source_shape: The row shape of each source word when the source is generated, ``(source words,)``.
        target_shape: The row shape of each target word when the target is generated, ``(target words,)``.
        pair: The pair of word types of each cell, int32, ``(cells,)``.
        row: The cell's target word in the block, int32, ``(cells,)``.
        column: The cell's source word in the block, int32, ``(cells,)``.
        feature: ``-|i/m - j/n|`` of each cell, positions from 1, float32, ``(cells,)``.
    """

    sentences: Ints
    source_lengths: Ints
    target_lengths: Ints
    source_ids: Ints
    target_ids: Ints
    source_shape: Ints
    target_shape: Ints
    pair: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    feature: npt.NDArray[np.float32]


class Shapes(NamedTuple):
    """The kinds of row there are: position and length of the row's word, and the length of the other side.

    Attributes:
        other: The other side's length for each shape, ``(shapes,)``.
        shape: The shape of each of its positions on the other side, ``(entries,)``.
        feature: ``-|i/m - j/n|`` of each entry, float64, ``(entries,)``.
    """

    other: Ints
    shape: Ints
    feature: npt.NDArray[np.float64]


class Cells(NamedTuple):
    """A whole parallel text.

    Attributes:
        blocks: Its cells.
        pair_source: The source word type of each pair that occurs in a sentence, ``(pairs,)``.
        pair_target: Its target word type, ``(pairs,)``.
        source_words: Number of source word types.
        target_words: Number of target word types.
        sizes: The pairs of sentence lengths that occur, source and target, ``(sizes, 2)``.
    """

    blocks: tuple[Block, ...]
    pair_source: Ints
    pair_target: Ints
    source_words: int
    target_words: int
    sizes: Ints

    def shapes(self, back: bool) -> Shapes:
        """The row shapes when the target is generated, or (back) the source."""
        own, other = (self.sizes[:, 0], self.sizes[:, 1]) if back else (self.sizes[:, 1], self.sizes[:, 0])
        lengths = np.repeat(other, own)
        place = (_counted(own) + 1) / np.repeat(own, own)
        shape = np.repeat(np.arange(len(lengths)), lengths)
        there = (_counted(lengths) + 1) / lengths[shape]
        return Shapes(lengths, shape, -np.abs(there - place[shape]))


def alignment_cells(source: Words, target: Words, *, block_cells: int = BLOCK_CELLS) -> Cells:
    """Make the cells of a parallel text.

    Args:
        source: The words of each sentence; none empty.
        target: The words of each translation; none empty.
        block_cells: About how many cells a block has.
    """
    (left, lefts, lengths_s), (right, rights, lengths_t) = _numbered(source), _numbered(target)
    sizes, size = np.unique(np.stack([lengths_s, lengths_t], axis=1), axis=0, return_inverse=True)
    shapes = [_begins(sizes[:, 0])[size], _begins(sizes[:, 1])[size]]
    ends = np.cumsum(lengths_s * lengths_t)
    cuts = np.unique(np.searchsorted(ends, np.arange(0, int(ends[-1]), block_cells), side="right"))
    bounds = [0, *cuts[cuts > 0].tolist(), len(ends)]
    at = [_begins(lengths_s), _begins(lengths_t)]
    blocks, keys = [], []
    for first, last in pairwise(bounds):
        if first == last:
            continue
        m, n = lengths_s[first:last], lengths_t[first:last]
        sources = left[at[0][first] : at[0][first] + m.sum()]
        targets = right[at[1][first] : at[1][first] + n.sum()]
        width = np.repeat(m, n)
        row = np.repeat(np.arange(len(width)), width)
        i, j = _counted(width), _counted(n)
        column = i + np.repeat(np.repeat(_begins(m), n), width)
        feature = -np.abs((i + 1) / width[row] - ((j + 1) / np.repeat(n, n))[row])
        unique, pair = np.unique(sources[column] * rights + targets[row], return_inverse=True)
        keys.append(unique)
        blocks.append(
            Block(
                np.arange(first, last), m, n, sources, targets,
                np.repeat(shapes[0][first:last], m) + _counted(m), np.repeat(shapes[1][first:last], n) + j,
                pair.astype(np.int32), row.astype(np.int32), column.astype(np.int32), feature.astype(np.float32),
            )
        )  # fmt: skip
    held = np.sort(np.concatenate(keys))
    known = held[np.concatenate([[True], held[1:] > held[:-1]])]
    named = [
        b._replace(pair=np.searchsorted(known, own).astype(np.int32)[b.pair])
        for b, own in zip(blocks, keys, strict=True)
    ]
    return Cells(tuple(named), known // rights, known % rights, lefts, rights, sizes)


def _numbered(side: Words) -> tuple[Ints, int, Ints]:
    """Word types, without case, as numbers; how many there are; the length of each sentence."""
    known: dict[str, int] = {}
    ids = [known.setdefault(word.casefold(), len(known)) for words in side for word in words]
    return np.array(ids, np.int64), len(known), np.array([len(words) for words in side], np.int64)


def _begins(lengths: Ints) -> Ints:
    return np.cumsum(lengths) - lengths


def _counted(lengths: Ints) -> Ints:
    """``0, 1, … n-1`` for each length, end to end."""
    return np.arange(int(lengths.sum())) - np.repeat(_begins(lengths), lengths)
