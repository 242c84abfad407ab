"""Symmetrization of two directed word alignments (grow-diag-final-and)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lexigraft.core.methods.word_alignment.fast_align_cells import Block

AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
Link = tuple[int, int]


def grow_diagonal(
    block: Block, forward: npt.NDArray[np.int64], backward: npt.NDArray[np.int64]
) -> Iterator[tuple[int, list[Link]]]:
    """Symmetrize the links of every sentence of a block.

    Args:
        block: The sentences.
        forward: The cell that generates each target word, or -1, ``(target words,)``.
        backward: The cell that generates each source word, or -1, ``(source words,)``.

    Yields:
        The sentence's number and its links ``(source, target)``, ascending.
    """
    sides = [_by_sentence(block, cells[cells >= 0]) for cells in (forward, backward)]
    for n, number in enumerate(block.sentences.tolist()):
        yield number, symmetrized(sides[0][n], sides[1][n])


def symmetrized(forward: set[Link], backward: set[Link]) -> list[Link]:
    """Start from the links of both directions; add neighboring links of either direction while one of their words is
    free; then links of either direction while both words are free.

    Source: Koehn, Och & Marcu, "Statistical phrase-based translation", HLT-NAACL 2003, section 4.3, with the last step
    taken when both words are free ("and").

    Args:
        forward: Links ``(source, target)`` of one direction.
        backward: Links of the other.

    Returns:
        The links, ascending.
    """
    either = forward | backward
    links = forward & backward
    sources, targets = {i for i, _ in links}, {j for _, j in links}
    waiting = sorted(links)
    while waiting:
        grown = []
        for i, j in waiting:
            for down, right in AROUND:
                near = (i + down, j + right)
                if near in either and near not in links and (near[0] not in sources or near[1] not in targets):
                    grown.append(near)
                    links.add(near)
                    sources.add(near[0])
                    targets.add(near[1])
        waiting = grown
    for side in (forward, backward):
        for i, j in sorted(side):
            if i not in sources and j not in targets:
                links.add((i, j))
                sources.add(i)
                targets.add(j)
    return sorted(links)


def _by_sentence(block: Block, cells: npt.NDArray[np.int64]) -> list[set[Link]]:
    begins = [np.cumsum(lengths) - lengths for lengths in (block.source_lengths, block.target_lengths)]
    rows, columns = block.row[cells], block.column[cells]
    owner = np.searchsorted(begins[1], rows, side="right") - 1
    found: list[set[Link]] = [set() for _ in block.sentences]
    for n, i, j in zip(
        owner.tolist(), (columns - begins[0][owner]).tolist(), (rows - begins[1][owner]).tolist(), strict=True
    ):
        found[n].add((i, j))
    return found
