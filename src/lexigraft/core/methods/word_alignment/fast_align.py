"""Word alignment of parallel sentences by fast_align."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexigraft.core.methods.word_alignment.fast_align_cells import BLOCK_CELLS, Block, Cells, alignment_cells
from lexigraft.core.methods.word_alignment.symmetrization import grow_diagonal

ITERATIONS = 5
NULL_SHARE = 0.08
FIRST_TENSION = 4.0
TENSIONS = (0.1, 14.0)
PRIOR = 0.01
LONGEST = 300

Floats = npt.NDArray[np.float64]
AlignedPositions = list[list[tuple[int, int]]]


def align_words(
    source: Sequence[Sequence[str]], target: Sequence[Sequence[str]], *, block_cells: int = BLOCK_CELLS
) -> AlignedPositions:
    """Link the words of sentence pairs.

    Each word comes from a word of the other side, or from nothing with probability 0.08, with probability proportional
    to ``theta(f|e) exp(-tension |i/m - j/n|)`` (i of m source words, j of n target words). Five rounds of expectation
    maximization, variational Bayes with a Dirichlet prior of 0.01 for ``theta``, the tension by Newton's method; once
    in each direction; then `grow-diag-final-and`. Words are compared without their case.
    Deterministic. A sentence of more than 300 words gets no links.

    Source: Dyer, Chahuneau & Smith, "A Simple, Fast, and Effective Reparameterization of IBM Model 2", NAACL 2013
    (`fast_align`); symmetrization: Koehn, Och & Marcu 2003.

    Args:
        source: The words of each sentence.
        target: The words of each translation.
        block_cells: About how many pairs of words are in a block.

    Returns:
        For each pair the linked positions ``(source, target)``, ascending.
    """
    links: AlignedPositions = [[] for _ in source]
    lengths = [(len(s), len(t)) for s, t in zip(source, target, strict=True)]
    usable = [n for n, sides in enumerate(lengths) if min(sides) > 0 and max(sides) <= LONGEST]
    if not usable:
        return links
    cells = alignment_cells([source[n] for n in usable], [target[n] for n in usable], block_cells=block_cells)
    forward, backward = (_Direction(cells, back).fitted() for back in (False, True))
    for block in cells.blocks:
        there, back = forward.best(block), backward.best(block)
        for n, own in grow_diagonal(block, there, back):
            links[usable[n]] = own
    return links


class _Expected(NamedTuple):
    """Expected counts from one pass over the text (the E step).

    Attributes:
        pairs: How often each pair of words is linked, ``(pairs,)``.
        empty: How often each word comes from nothing, ``(words,)``.
        places: How many links start from each row shape, ``(shapes,)``.
        feature: Sum of ``-|i/m - j/n|`` over all links.
    """

    pairs: Floats
    empty: Floats
    places: Floats
    feature: float


class _Direction:
    """Model of one direction, in which words of one side generate the other side's."""

    def __init__(self, cells: Cells, back: bool) -> None:
        self.cells, self.back = cells, back
        self.tension = FIRST_TENSION
        self._theta = np.ones(len(cells.pair_source), np.float32)
        self._empty = np.ones(cells.source_words if back else cells.target_words)
        self._given = cells.pair_target if back else cells.pair_source
        self._shapes = cells.shapes(back)

    def fitted(self) -> _Direction:
        """The model after expectation maximization."""
        for _ in range(ITERATIONS):
            expected = self._expect()
            self._fit_tension(expected)
            self._theta = _dirichlet_means(expected.pairs, self._given).astype(np.float32)
            self._empty = _dirichlet_means(expected.empty, np.zeros(len(expected.empty), np.int64))
        return self

    def best(self, block: Block) -> npt.NDArray[np.int64]:
        """For each row of a block the cell that generates it best, or -1 where "from nothing" is more likely."""
        weights, nothing, rows = self._weights(block)
        order = np.argsort(rows, kind="stable") if self.back else np.arange(len(rows))
        ordered, held = weights[order], rows[order]
        firsts = np.concatenate([[0], np.flatnonzero(np.diff(held)) + 1])
        highest = np.maximum.reduceat(ordered, firsts)
        winners = np.flatnonzero(ordered == highest[held])
        winners = winners[np.concatenate([[True], np.diff(held[winners]) > 0])]
        return np.where(highest > nothing, order[winners], -1)

    def _weights(self, block: Block) -> tuple[Floats, Floats, npt.NDArray[np.int32]]:
        """Unnormalized probabilities: of each cell, of "from nothing" in each row, and the row of each cell."""
        rows = block.column if self.back else block.row
        words = block.source_ids if self.back else block.target_ids
        near = np.exp(self.tension * block.feature)
        scale = (1 - NULL_SHARE) / np.bincount(rows, near)
        return self._theta[block.pair] * near * scale[rows], NULL_SHARE * self._empty[words], rows

    def _expect(self) -> _Expected:
        pairs, empty = np.zeros(len(self._theta)), np.zeros(len(self._empty))
        places = np.zeros(len(self._shapes.other))
        feature = 0.0
        for block in self.cells.blocks:
            weights, nothing, rows = self._weights(block)
            share = 1 / (np.bincount(rows, weights) + nothing)
            weights *= share[rows]
            pairs += np.bincount(block.pair, weights, len(pairs))
            empty += np.bincount(block.source_ids if self.back else block.target_ids, nothing * share, len(empty))
            shape = block.source_shape if self.back else block.target_shape
            places += np.bincount(shape, 1 - nothing * share, len(places))
            feature += float(weights @ block.feature)
        return _Expected(pairs, empty, places, feature)

    def _fit_tension(self, expected: _Expected) -> None:
        """Newton's method on the concave ``tension * E[h] - sum log Z(tension)`` (Dyer et al. 2013, section 2.2)."""
        feature, shape = self._shapes.feature, self._shapes.shape
        for _ in range(20):
            near = np.exp(self.tension * feature)
            total = np.bincount(shape, near)
            mean = np.bincount(shape, near * feature) / total
            spread = np.bincount(shape, near * feature**2) / total - mean**2
            slope, bend = expected.feature - float(expected.places @ mean), float(expected.places @ spread)
            moved = min(max(self.tension + slope / max(bend, 1e-9), TENSIONS[0]), TENSIONS[1])
            if abs(moved - self.tension) < 1e-3:
                break
            self.tension = moved


def _dirichlet_means(counts: Floats, given: npt.NDArray[np.int64]) -> Floats:
    """``exp(digamma(c + a)) / exp(digamma(total + a types))`` for each given word (Johnson 2007)."""
    from scipy.special import digamma

    totals, types = np.bincount(given, counts), np.bincount(given)
    found: Floats = np.exp(digamma(counts + PRIOR) - digamma(totals + PRIOR * np.maximum(types, 1) + 1e-12)[given])
    return found
